"""Every packet type written out byte by byte, on fresh servers that call their jobs T:1 and on."""

import itertools

from gear_wire.enums import PacketType

from .conversation import HEADER, Conversation, cut
from .scenarios import Scenario, over_servers, scenario
from .script import Hears, Says, c, w

PREFIX = ("--job-handle-prefix", "T")

SCENARIOS = [
    scenario(
        "a job from submission to completion",
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x07reverse"),
        w.says(
            b"\0REQ\0\0\0\x09\0\0\0\0",
            b"\0RES\0\0\0\x0a\0\0\0\0",
        ),
        w.says(b"\0REQ\0\0\0\x04\0\0\0\0"),
        c.says(
            b"\0REQ\0\0\0\x07\0\0\0\x0ereverse\0\0hello",
            b"\0RES\0\0\0\x08\0\0\0\x03T:1",
        ),
        w.hears(b"\0RES\0\0\0\x06\0\0\0\0"),
        w.says(
            b"\0REQ\0\0\0\x09\0\0\0\0",
            b"\0RES\0\0\0\x0b\0\0\0\x11T:1\0reverse\0hello",
        ),
        w.says(b"\0REQ\0\0\0\x1c\0\0\0\x06T:1\0ol"),
        c.hears(b"\0RES\0\0\0\x1c\0\0\0\x06T:1\0ol"),
        w.says(b"\0REQ\0\0\0\x1d\0\0\0\x08T:1\0slow"),
        c.hears(b"\0RES\0\0\0\x1d\0\0\0\x08T:1\0slow"),
        w.says(b"\0REQ\0\0\0\x0c\0\0\0\x07T:1\x002\x005"),
        c.hears(b"\0RES\0\0\0\x0c\0\0\0\x07T:1\x002\x005"),
        c.says(
            b"\0REQ\0\0\0\x0f\0\0\0\x03T:1",
            b"\0RES\0\0\0\x14\0\0\0\x0bT:1\x001\x001\x002\x005",
        ),
        w.says(b"\0REQ\0\0\0\x0d\0\0\0\x09T:1\0olleh"),
        c.hears(b"\0RES\0\0\0\x0d\0\0\0\x09T:1\0olleh"),
        c.says(
            b"\0REQ\0\0\0\x0f\0\0\0\x03T:1",
            b"\0RES\0\0\0\x14\0\0\0\x0bT:1\x000\x000\x000\x000",
        ),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "jobs of every precedence, in the foreground and in the background",
        c.says(b"\0REQ\0\0\0\x07\0\0\0\x05f\0\0fn", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        c.says(b"\0REQ\0\0\0\x12\0\0\0\x05f\0\0bn", b"\0RES\0\0\0\x08\0\0\0\x03T:2"),
        c.says(b"\0REQ\0\0\0\x21\0\0\0\x05f\0\0fl", b"\0RES\0\0\0\x08\0\0\0\x03T:3"),
        c.says(b"\0REQ\0\0\0\x22\0\0\0\x05f\0\0bl", b"\0RES\0\0\0\x08\0\0\0\x03T:4"),
        c.says(b"\0REQ\0\0\0\x15\0\0\0\x05f\0\0fh", b"\0RES\0\0\0\x08\0\0\0\x03T:5"),
        c.says(b"\0REQ\0\0\0\x20\0\0\0\x05f\0\0bh", b"\0RES\0\0\0\x08\0\0\0\x03T:6"),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x01f"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x08T:5\0f\0fh"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x08T:6\0f\0bh"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x08T:1\0f\0fn"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x08T:2\0f\0bn"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x08T:3\0f\0fl"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x08T:4\0f\0bl"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0a\0\0\0\0"),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "a job that fails",
        c.says(b"\0REQ\0\0\0\x07\0\0\0\x03f\0\0", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x01f"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x06T:1\0f\0"),
        w.says(b"\0REQ\0\0\0\x0e\0\0\0\x03T:1"),
        c.hears(b"\0RES\0\0\0\x0e\0\0\0\x03T:1"),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "an exception for a client that asked for exceptions",
        c.says(
            b"\0REQ\0\0\0\x1a\0\0\0\x0aexceptions",
            b"\0RES\0\0\0\x1b\0\0\0\x0aexceptions",
        ),
        c.says(b"\0REQ\0\0\0\x07\0\0\0\x03f\0\0", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x01f"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x06T:1\0f\0"),
        w.says(b"\0REQ\0\0\0\x19\0\0\0\x08T:1\0oops"),
        c.hears(b"\0RES\0\0\0\x19\0\0\0\x08T:1\0oops"),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "a job with a unique",
        c.says(b"\0REQ\0\0\0\x07\0\0\0\x08f\0key\0in", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        c.says(
            b"\0REQ\0\0\0\x29\0\0\0\x03key",
            b"\0RES\0\0\0\x2a\0\0\0\x0dkey\x001\x000\x000\x000\x001",
        ),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x01f"),
        w.says(b"\0REQ\0\0\0\x1e\0\0\0\0", b"\0RES\0\0\0\x1f\0\0\0\x0cT:1\0f\0key\0in"),
        c.says(
            b"\0REQ\0\0\0\x29\0\0\0\x03key",
            b"\0RES\0\0\0\x2a\0\0\0\x0dkey\x001\x001\x000\x000\x001",
        ),
        w.says(b"\0REQ\0\0\0\x0d\0\0\0\x04T:1\0"),
        c.hears(b"\0RES\0\0\0\x0d\0\0\0\x04T:1\0"),
        c.says(
            b"\0REQ\0\0\0\x29\0\0\0\x03key",
            b"\0RES\0\0\0\x2a\0\0\0\x0dkey\x000\x000\x000\x000\x000",
        ),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "reduce jobs",
        c.says(b"\0REQ\0\0\0\x25\0\0\0\x0cf\0key\0red\0\0a", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        c.says(b"\0REQ\0\0\0\x26\0\0\0\x09f\0\0red\0\0b", b"\0RES\0\0\0\x08\0\0\0\x03T:2"),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x01f"),
        w.says(b"\0REQ\0\0\0\x27\0\0\0\0", b"\0RES\0\0\0\x28\0\0\0\x0fT:1\0f\0key\0red\0a"),
        w.says(b"\0REQ\0\0\0\x27\0\0\0\0", b"\0RES\0\0\0\x28\0\0\0\x0cT:2\0f\0\0red\0b"),
        w.says(b"\0REQ\0\0\0\x27\0\0\0\0", b"\0RES\0\0\0\x0a\0\0\0\0"),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "a job whose time has come",
        c.says(b"\0REQ\0\0\0\x24\0\0\0\x06f\0\x001\0x", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x01f"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0b\0\0\0\x07T:1\0f\0x"),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "what a worker can do",
        w.says(b"\0REQ\0\0\0\x16\0\0\0\x04mill"),
        w.says(b"\0REQ\0\0\0\x01\0\0\0\x05grind"),
        w.says(b"\0REQ\0\0\0\x17\0\0\0\x08saw\x005000"),
        w.says(b"\0REQ\0\0\0\x02\0\0\0\x05grind"),
        c.says(b"\0REQ\0\0\0\x12\0\0\0\x07grind\0\0", b"\0RES\0\0\0\x08\0\0\0\x03T:1"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0a\0\0\0\0"),
        w.says(b"\0REQ\0\0\0\x03\0\0\0\0"),
        c.says(b"\0REQ\0\0\0\x12\0\0\0\x05saw\0\0", b"\0RES\0\0\0\x08\0\0\0\x03T:2"),
        w.says(b"\0REQ\0\0\0\x09\0\0\0\0", b"\0RES\0\0\0\x0a\0\0\0\0"),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "requests that are none",
        c.says(
            b"\0REQ\0\0\0\x18\0\0\0\0",
            b"\0RES\0\0\0\x13\0\0\0\x24INVALID_COMMAND\0Command not expected",
        ),
        c.says(
            b"\0REQ\0\0\0\x23\0\0\0\x08f\0\0\0\0\0\0\0",
            b"\0RES\0\0\0\x13\0\0\0\x24INVALID_COMMAND\0Command not expected",
        ),
        c.says(
            b"\0REQ\0\0\0\x05\0\0\0\0",
            b"\0RES\0\0\0\x13\0\0\0\x24INVALID_COMMAND\0Command not expected",
        ),
        options=PREFIX,
        alone=True,
    ),
    scenario(
        "an echo",
        c.says(b"\0REQ\0\0\0\x10\0\0\0\x03a\0b", b"\0RES\0\0\0\x11\0\0\0\x03a\0b"),
        options=PREFIX,
        alone=True,
    ),
]


@over_servers(SCENARIOS)
def test_bytes(scenario: Scenario, conversation: Conversation) -> None:
    scenario.play(conversation)


def test_every_type_is_written_out() -> None:
    written: set[int] = set()
    for step in itertools.chain.from_iterable(each.steps for each in SCENARIOS):
        assert isinstance(step, Says | Hears)
        for part in (*step.heard, *([step.said] if isinstance(step, Says) else [])):
            assert isinstance(part, bytes)
            written |= {HEADER.unpack_from(message)[1] for message in cut(part)}
    assert written == {5, *PacketType}
