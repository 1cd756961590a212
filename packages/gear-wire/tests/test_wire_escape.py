"""What a peer has sent is shown printable, in one line of limited length."""

import logging
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.errors import ServerError, UnknownJobError
from gear_wire.escape import LONGEST, Quoted, escaped, quoted
from gear_wire.jobs import BaseJob
from gear_wire.packet import Packet
from support.wire_strategies import repeatable

EVIL = b"a\n2026 ERROR gear.Server: forged\x1b[2J\x7f\x9b"
SHOWN = r"a\n2026 ERROR gear.Server: forged\x1b[2J\x7f\x9b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"", ""),
        (b"plain text", "plain text"),
        ("größe ✓".encode(), "größe ✓"),
        (EVIL, SHOWN),
        (EVIL.decode(errors="surrogateescape"), SHOWN.replace(r"\x9b", r"\udc9b")),
        ("\u202egnp.exe\u2028\x85", r"\u202egnp.exe\u2028\x85"),
        (b"\xe2\x80\xae", r"\u202e"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("é".encode()[:1], r"\xc3"),
    ],
)
def test_what_is_not_printable_is_escaped(value: bytes | str, shown: str) -> None:
    assert escaped(value) == shown


def test_what_is_long_is_cut() -> None:
    assert escaped(b"x" * LONGEST) == "x" * LONGEST
    assert escaped(b"x" * 10**6) == "x" * LONGEST + "... (1000000 in all)"
    assert escaped("xyz", longest=1) == "x... (3 in all)"
    assert quoted(b"\n" * LONGEST) == repr(b"\n" * LONGEST)
    assert quoted(b"\n" * 10**6, longest=1) == r"b'\n'... (1000000 in all)"


def test_what_is_no_text_has_its_own_literal() -> None:
    assert quoted(None) == "None"
    assert quoted(5) == "5"


@repeatable
@given(st.binary() | st.text())
def test_all_is_printable(value: bytes | str) -> None:
    assert escaped(value).isprintable()
    assert quoted(value).isprintable()


def test_errors_of_a_server_are_printable() -> None:
    code, text = "NO\rPE", EVIL.decode(errors="replace")
    error = pickle.loads(pickle.dumps(ServerError(code, text)))
    assert (error.code, error.text) == (code, text)
    assert str(error).isprintable()
    assert str(error).startswith(r"NO\rPE: a\n2026")
    assert len(str(ServerError("x" * 10**6, "y" * 10**6))) < 3 * LONGEST


def test_jobs_and_packets_are_printable_and_short() -> None:
    long = EVIL + b"x" * 10**6
    job = BaseJob(long, b"", long, long)
    for shown in (repr(job), repr(Packet(b"\0RES", 13, long))):
        assert shown.isprintable()
        assert len(shown) < 5 * LONGEST


def test_an_unknown_job_is_named_printable_and_short() -> None:
    class Connection:
        related_jobs: dict[bytes, object] = {}

        def sendPacket(self, packet: Packet) -> None:
            """Nothing is sent."""

    with pytest.raises(UnknownJobError) as info:
        Packet(b"\0RES", 13, EVIL * 10**4, Connection()).getJob()
    assert str(info.value).isprintable()
    assert len(str(info.value)) < 3 * LONGEST


def test_log_lines_of_them_are_single(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("gear.test")
    log.warning("%s", ServerError("CODE", EVIL.decode(errors="replace")))
    log.warning("%r", BaseJob(EVIL, b"", EVIL))
    assert all(record.getMessage().isprintable() for record in caplog.records)


@pytest.mark.parametrize("value", [b"a\n", "x" * 300, None])
def test_an_argument_of_a_line_is_written_quoted_and_kept(value: object) -> None:
    argument = Quoted(value)
    assert f"{argument}" == str(argument) == quoted(value)
    assert argument.value is value
