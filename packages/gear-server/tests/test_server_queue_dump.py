import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_server.queue.dump import dump, parse
from gear_server.queue.sqlite import SQLiteStore
from gear_server.queue.store import MAX_NUMBER, Batch, StoredJob
from gear_wire.errors import InvalidDataError

jobs = st.builds(
    StoredJob,
    handle=st.builds(
        lambda prefix, number: b"%b:%d" % (prefix, number), st.binary(), st.integers(0, MAX_NUMBER)
    ),
    function=st.binary(min_size=1),
    unique=st.none() | st.binary(),
    arguments=st.binary(),
    precedence=st.integers(0, 2),
    due=st.integers(0, 1 << 62),
    reducer=st.none() | st.binary(),
    retries=st.integers(0, 255),
)


@given(st.lists(jobs))
def test_a_dump_is_taken_in_as_it_was(known: list[StoredJob]) -> None:
    lines = [dump(job) for job in known]
    assert all(line.count(b"\n") == 1 for line in lines)
    assert list(parse(lines)) == known


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "line 1 of the dump: Input data was truncated"),
        (b"{}", "missing required field `precedence`"),
        (
            b'{"precedence":"high","handle":"H:a:1","function":"f"}',
            "neither arguments nor arguments_base64",
        ),
        (
            b'{"precedence":"high","handle":"H:a","function":"f","arguments":""}',
            "a job handle ends with a colon and a number, not b'H:a'",
        ),
        (
            b'{"precedence":"high","handle":"H:a:9223372036854775808","function":"f","arguments":""}',
            "a job handle ends with a colon and a number",
        ),
        (
            b'{"precedence":"top","handle":"H:a:1","function":"f","arguments":""}',
            "precedence must be one of normal, low, high, not 'top'",
        ),
        (b'{"precedence":"high","colour":"red"}', "unknown field `colour`"),
    ],
)
def test_a_line_that_is_none_is_named(line: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataError, match=reason):
        list(parse([line]))


def run(*arguments: str | Path, given: bytes = b"") -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", "gear_server.queue", *map(str, arguments)]
    ended = subprocess.run(command, input=given, capture_output=True, timeout=30, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def test_the_program(tmp_path: Path) -> None:
    path, copy = tmp_path / "queue.db", tmp_path / "copy.db"
    store = SQLiteStore(path)
    store.write(
        Batch(
            added=[
                StoredJob(b"H:a:1", b"mail", None, b"\xff\0", 1),
                StoredJob(b"H:a:2", b"mail", b"u", b"text", 0, due=5, retries=1),
            ]
        )
    )
    store.close()
    assert run(path, "count") == (0, b"mail\t2\n2 jobs\n", b"")
    code, listed, _ = run(path, "list")
    assert code == 0
    assert listed.splitlines()[1] == b"H:a:2\tmail\tnormal\tdue=5\tretries=1\t4 bytes"
    assert run(path, "check") == (0, b"2 jobs, no damage\n", b"")
    _, dumped, _ = run(path, "dump")
    assert run(copy, "load", given=dumped) == (0, b"", b"2 jobs added\n")
    assert run(copy, "dump")[1] == dumped
    again = SQLiteStore(copy)
    assert again.reserved > 2
    again.close()


def test_the_program_refuses_in_one_line(tmp_path: Path) -> None:
    code, _, errors = run(tmp_path / "none.db", "list")
    assert code == 1
    assert errors.count(b"\n") == 1
    assert b"none.db: No such file or directory" in errors
    code, _, errors = run(tmp_path / "fresh.db", "load", given=b"nonsense\n")
    assert code == 1
    assert b"line 1 of the dump" in errors


def test_new_jobs_are_numbered_above_those_of_a_dump(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    line = dump(StoredJob(b"H:a:%d" % (MAX_NUMBER - 5), b"f", None, b"", 0))
    assert run(path, "load", given=line)[0] == 0
    assert run(path, "load", given=line)[0] == 0
    store = SQLiteStore(path)
    assert (store.count(), store.reserved) == (1, MAX_NUMBER - 5)
    store.close()


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "queue.db", "normal")
    jobs = [StoredJob(b"H:a:%d" % number, b"f", None, bytes(1000), 0) for number in range(1000)]
    store.write(Batch(added=jobs))
    store.close()
    command = [sys.executable, "-m", "gear_server.queue", str(tmp_path / "queue.db"), "dump"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1
