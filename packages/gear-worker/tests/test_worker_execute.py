"""A program as a function: what it gets, what becomes of its output, and how it is ended."""

import asyncio
import sys
import time
from collections.abc import Sequence

import pytest

from gear_wire.functions.current import CurrentJob
from gear_wire.functions.execution import Outcome, run_async
from gear_worker.cli.execute import CHUNK, program_app

TIMEOUT = 30.0


class Reports:
    """What a job's clients were told."""

    def __init__(self) -> None:
        self.warnings: list[bytes] = []
        self.parts: list[bytes] = []

    def status(self, numerator: float, denominator: float) -> None: ...

    def warning(self, data: bytes) -> None:
        self.warnings.append(data)

    def data(self, data: bytes) -> None:
        self.parts.append(data)


async def outcome(
    command: Sequence[str], payload: bytes, reports: Reports, stream: bool = False
) -> Outcome:
    app = program_app("f", command, stream=stream)
    job = CurrentJob("f", b"H:1", payload, reports)
    async with asyncio.timeout(TIMEOUT):
        return await run_async(app.functions["f"], job, ())


def ended(command: Sequence[str], payload: bytes = b"", **how: bool) -> tuple[Outcome, Reports]:
    reports = Reports()
    return asyncio.run(outcome(command, payload, reports, **how)), reports


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


LARGE = bytes(range(256)) * 4096


def test_the_payload_is_its_input_and_its_output_the_result() -> None:
    done, reports = ended(["cat"], LARGE)
    assert (done.error, done.data) == (None, LARGE)
    assert (reports.parts, reports.warnings) == ([], [])


def test_output_is_streamed_when_that_is_wanted() -> None:
    done, reports = ended(["cat"], LARGE, stream=True)
    assert (done.error, done.data) == (None, b"")
    assert b"".join(reports.parts) == LARGE
    assert max(map(len, reports.parts)) <= CHUNK


def test_lines_on_standard_error_are_warnings() -> None:
    source = f"import sys; sys.stderr.write('one\\ntwo\\r\\n' + 'x' * {CHUNK * 2} + '\\nlast')"
    done, reports = ended(python(source))
    assert done.error is None
    assert reports.warnings[:2] == [b"one", b"two"]
    assert b"".join(reports.warnings[2:]) == b"x" * CHUNK * 2 + b"last"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("print('half'); raise SystemExit(3)", "ended with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), 37)", "was ended by signal 37"),
    ],
)
def test_an_exit_code_other_than_0_is_a_failure(source: str, error: str, stream: bool) -> None:
    done, _ = ended(python(source), stream=stream)
    assert type(done.error).__name__ == "ProgramFailed"
    assert str(done.error) == f"{sys.executable} {error}"
    assert b'"type":"ProgramFailed"' in done.data


def test_a_program_that_is_not_there_is_a_failure() -> None:
    done, _ = ended(["/nothing/here"])
    assert isinstance(done.error, FileNotFoundError)


def test_a_program_need_not_read_its_input() -> None:
    done, _ = ended(["true"], LARGE * 8)
    assert (done.error, done.data) == (None, b"")


@pytest.mark.parametrize("ignoring", [False, True])
def test_a_program_that_is_cancelled_ends_with_all_that_it_started(
    ignoring: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gear_worker.cli.execute.PATIENCE", 0.2)
    # The child of the program holds its output, too: it is closed when both have ended.
    trap = "trap '' TERM; " if ignoring else ""
    command = ["sh", "-c", f"{trap}echo begun >&2; sleep 1000 & echo $! >&2; wait; wait"]

    async def main() -> int:
        reports = Reports()
        task = asyncio.create_task(outcome(command, b"", reports))
        async with asyncio.timeout(TIMEOUT):
            while len(reports.warnings) < 2:
                await asyncio.sleep(0.01)  # another process has no event to wait for
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(TIMEOUT):
                await task
        return int(reports.warnings[1])

    child = asyncio.run(main())
    deadline = time.monotonic() + TIMEOUT
    while is_running(child):  # it was killed, and may take a moment to go
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
