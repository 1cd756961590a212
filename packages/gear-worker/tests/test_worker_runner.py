"""Parts of the runner that need no server: settings, and what is said to processes."""

import asyncio
import os
import time

import msgspec
import pytest

from gear_wire.errors import ConfigurationError
from gear_wire.functions import App, Retries
from gear_worker.runner import BackgroundRunner, RunnerSettings, run, running
from gear_worker.runner.calls import Ending, failure, too_slow
from gear_worker.runner.memory import memory_in_use
from gear_worker.runner.runner import Runner, server_timeout
from gear_worker.runner.spoken import Data, Ended, Said, Unpacker, pack

app = App()


@app.function(timeout=10, retries=Retries(2, backoff=1, factor=2, jitter=1))
def tried(n: int) -> int:
    return n


@app.function()
def endless(n: int) -> int:
    return n


def test_servers_are_given_as_text_or_one_by_one() -> None:
    assert RunnerSettings(servers="a:1, b [::1]:2").servers == ("a:1", "b", "[::1]:2")  # type: ignore[arg-type]  # text, as from the environment
    settings = RunnerSettings(servers=("a:1", "b"))
    assert [(known.host, known.port) for known in settings.addresses()] == [("a", 1), ("b", 4730)]
    assert [known.host for known in RunnerSettings().addresses()] == ["localhost"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"servers": ("a b",)}, "a server is HOST, HOST:PORT"),
        ({"ssl_key": "key.pem"}, "ssl"),
        ({"pool": "fibers"}, "pool must be one of processes, tasks, threads"),
        ({"concurrency": 0}, "concurrency must be a whole number from 1 to 10000, not 0"),
        ({"grace": -1.0}, "grace must be a number from 0"),
        ({"killed": "forget"}, "killed must be one of fail, return"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises((ConfigurationError, TypeError), match=expected):
        RunnerSettings(**changes)  # type: ignore[arg-type]  # that is the test


def test_what_is_no_app_or_no_settings_is_refused() -> None:
    app = App()
    error = r"settings must be a RunnerSettings, such as .*, not \['host'\]"
    with pytest.raises(TypeError, match=error):
        run(app, ["host"])  # type: ignore[arg-type]  # what it is about
    with pytest.raises(TypeError, match=error):
        BackgroundRunner(app, ["host"])  # type: ignore[arg-type]  # what it is about

    async def embed() -> None:
        async with running(app, ["host"]):  # type: ignore[arg-type]  # what it is about
            pass

    with pytest.raises(TypeError, match=error):
        asyncio.run(embed())
    with pytest.raises(TypeError, match=r"app must be a gear\.App, not 'jobs:app'"):
        run("jobs:app")  # type: ignore[arg-type]  # what it is about


def test_a_server_is_more_patient_than_the_runner() -> None:
    assert server_timeout(app.functions["tried"]) == 3 * 10 + (1 + 2) + 5
    assert server_timeout(app.functions["endless"]) is None


def test_messages_arrive_whole_however_they_are_cut() -> None:
    messages = [Data(b"x" * size) for size in (0, 1, 300, 70_000)]
    messages_bytes = b"".join(pack(message) for message in messages)
    for step in (1, 7, 8, 9, 1000, len(messages_bytes)):
        unpacker = Unpacker(msgspec.msgpack.Decoder(Said))
        found = [
            message
            for start in range(0, len(messages_bytes), step)
            for message in unpacker.feed(messages_bytes[start : start + step])
        ]
        assert found == messages


def test_a_large_message_in_small_parts_takes_linear_time() -> None:
    data = pack(Ended(Ending(bytes(8 << 20)), False))
    unpacker = Unpacker(msgspec.msgpack.Decoder(Said))
    began = time.process_time()
    found = [
        message
        for start in range(0, len(data), 4096)
        for message in unpacker.feed(data[start : start + 4096])
    ]
    assert len(found) == 1
    assert time.process_time() - began < 2


def test_a_try_that_took_too_long() -> None:
    ending = too_slow(app.functions["tried"], 1)
    assert ending.failed
    assert ending.retry is not None
    assert msgspec.json.decode(ending.data) == {
        "type": "TimeoutError",
        "message": "tried took longer than 10 s",
    }
    assert too_slow(app.functions["tried"], 3).retry is None
    assert failure(app.functions["tried"], OSError("x"), 1, final=True).retry is None


def test_memory_in_use_grows() -> None:
    before = memory_in_use()
    hoard = os.urandom(64 << 20)
    assert 40 < memory_in_use() - before < 200
    assert hoard


def test_a_function_without_limits_shares_connections() -> None:
    limited = App()

    @limited.function(concurrency=3)
    def few() -> int:
        return 1

    @limited.function(concurrency=30)
    def many() -> int:
        return 1

    @limited.function(rate=3)
    def slow() -> int:
        return 1

    runner = Runner(limited, RunnerSettings(concurrency=5))
    assert set(runner._lanes) == {b"few", b"slow"}
    assert [record.name for record in runner._records] == [b"many"]


def test_a_server_that_is_not_there_is_named() -> None:
    """And the functions themselves wait for it, for as long as it takes."""

    async def wait() -> None:
        async with running(app, RunnerSettings(servers=("127.0.0.1:1",))) as runner:
            await asyncio.sleep(0)
            with pytest.raises(TimeoutError, match=r"not all servers .* 127\.0\.0\.1 port 1"):
                await runner.wait_for_servers(0.3)
            assert runner.status().servers == {"127.0.0.1:1": False}

    asyncio.run(wait())


def test_a_runner_in_the_background_waits_for_its_servers() -> None:
    with pytest.raises(TimeoutError, match="not all servers"):
        BackgroundRunner(app, RunnerSettings(servers=("127.0.0.1:1",))).start(timeout=0.2)
