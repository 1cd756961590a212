"""What a scenario is written in: who says what and hears what, in which order.

Everything said is followed by an echo, and all that comes before the echo's answer must be what the
step names: so each step is over before the next begins, and silence is proved without waiting.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gear_wire.enums import PacketType

from .conversation import WAIT, Closed, Conversation, Message, req

_CELLS: Final = re.compile(rb"[\t ]")


class Step(ABC):
    """One thing that happens in a conversation."""

    @abstractmethod
    def play(self, conversation: Conversation) -> None: ...


@dataclass(frozen=True)
class Says(Step):
    who: str
    said: Message | tuple[Message, ...]
    heard: tuple[Message, ...]

    def play(self, conversation: Conversation) -> None:
        line = conversation.line(self.who)
        heard = line.exchange(conversation.fill(self.said))
        conversation.check(self.who, self.heard, heard)


@dataclass(frozen=True)
class Begins(Step):
    who: str
    said: Message | tuple[Message, ...]

    def play(self, conversation: Conversation) -> None:
        conversation.line(self.who).send(conversation.fill(self.said))


@dataclass(frozen=True)
class Hears(Step):
    who: str
    heard: tuple[Message, ...]

    def play(self, conversation: Conversation) -> None:
        line = conversation.line(self.who)
        conversation.check(self.who, self.heard, [line.receive() for _ in self.heard])


@dataclass(frozen=True)
class Asks(Step):
    who: str
    command: bytes
    rows: tuple[bytes, ...]

    def play(self, conversation: Conversation) -> None:
        line = conversation.line(self.who)
        *rows, end = line.exchange(conversation.fill(self.command))
        assert end == b".\n", rows
        known = set(conversation.names.values())
        own = [row for row in rows if known.intersection(_CELLS.split(row.rstrip(b"\n")))]
        for wanted in self.rows:
            found = next((row for row in own if conversation.matches(wanted, row)), None)
            assert found is not None, f"no {wanted!r} in {own}, where {conversation.names}"
            own.remove(found)
        assert not own, f"{self.command!r} shows also {own}"


@dataclass(frozen=True)
class Unanswered(Step):
    who: str
    said: Message | tuple[Message, ...]
    may_stay: bool

    def play(self, conversation: Conversation) -> None:
        try:
            heard = conversation.line(self.who).exchange(conversation.fill(self.said))
            assert self.may_stay, f"{self.who} was not cut off"
        except Closed as closed:
            heard = closed.heard
            conversation.hang_up(self.who)
        conversation.check(self.who, (), heard)


@dataclass(frozen=True)
class Leaves(Step):
    """A connection ends, and the server has seen it: it lists the connection no more."""

    who: str

    def play(self, conversation: Conversation) -> None:
        line = conversation.line(self.who)
        line.exchange(conversation.fill(req(PacketType.SET_CLIENT_ID, b"{leaving}")))
        conversation.hang_up(self.who)
        leaving = conversation.names.pop("leaving")
        control = conversation.line("control")
        listed = True
        while listed:
            rows = control.exchange(b"workers\n")
            listed = any(leaving in _CELLS.split(row) for row in rows)


@dataclass(frozen=True)
class Passes(Step):
    """Time passes, because what has to be seen is that nothing happens."""

    seconds: float

    def play(self, conversation: Conversation) -> None:
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Signalled(Step):
    number: signal.Signals

    def play(self, conversation: Conversation) -> None:
        conversation.server.process.send_signal(self.number)


@dataclass(frozen=True)
class Exits(Step):
    codes: tuple[int, ...]

    def play(self, conversation: Conversation) -> None:
        code = conversation.server.process.wait(WAIT)
        assert code in self.codes, f"it ended with {code}"
        conversation.close()


@dataclass(frozen=True)
class Reminded(Step):
    """The server is sent a signal each second, until it ends; by the last it may be ending."""

    number: signal.Signals
    codes: tuple[int, ...]

    def play(self, conversation: Conversation) -> None:
        process = conversation.server.process
        for _ in range(int(WAIT)):
            process.send_signal(self.number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
                break
        Exits(self.codes).play(conversation)


@dataclass(frozen=True)
class Refuses(Step):
    def play(self, conversation: Conversation) -> None:
        accepts = True
        while accepts:
            accepts = conversation.server.accepts()


@dataclass(frozen=True)
class Differs(Step):
    """What geard does as it should and gearmand 1.1.20 otherwise; the notes say why."""

    note: str
    geard: tuple[Step, ...]
    gearmand: tuple[Step, ...]

    def play(self, conversation: Conversation) -> None:
        steps: tuple[Step, ...] = getattr(self, conversation.server.kind)
        for step in steps:
            step.play(conversation)


@dataclass(frozen=True)
class Program:
    """The server as a process."""

    def gets(self, number: signal.Signals) -> Step:
        """Send it a signal."""
        return Signalled(number)

    def exits(self, *codes: int) -> Step:
        """It ends with one of these codes, and with it every connection."""
        return Exits(codes)

    def exits_when_reminded(self, number: signal.Signals, *codes: int) -> Step:
        """It ends with one of these codes, after a signal that it may have to be sent again."""
        return Reminded(number, codes)

    def refuses(self) -> Step:
        """It accepts no more connections."""
        return Refuses()


@dataclass(frozen=True)
class Speaker:
    """Who says and hears things."""

    name: str

    def says(self, said: Message | tuple[Message, ...], *heard: Message) -> Step:
        """Send a message; these messages and no others have come when it is dealt with."""
        return Says(self.name, said, heard)

    def hears(self, *heard: Message) -> Step:
        """These messages come, sooner or later; none of them answers what was said last."""
        return Hears(self.name, heard)

    def hears_nothing(self) -> Step:
        """Nothing has come."""
        return Says(self.name, b"", ())

    def begins(self, said: Message | tuple[Message, ...]) -> Step:
        """Send a part of a message."""
        return Begins(self.name, said)

    def asks(self, command: bytes, *rows: bytes) -> Step:
        """Send a text command; of its table, the rows with names of this scenario are these."""
        return Asks(self.name, command, rows)

    def is_cut_off(self, said: Message | tuple[Message, ...]) -> Step:
        """Send something; the server says nothing and closes the connection."""
        return Unanswered(self.name, said, may_stay=False)

    def is_ignored(self, said: Message | tuple[Message, ...]) -> Step:
        """Send something; the server says nothing, and may close the connection or not.

        gearmand notes the error of a packet at the connection, and closes it only if no other
        packet is dealt with before another thread reads the note.
        """
        return Unanswered(self.name, said, may_stay=True)

    def leaves(self) -> Step:
        """Close the connection; the server has taken note of it."""
        return Leaves(self.name)


def differs(note: str, geard: Sequence[Step], gearmand: Sequence[Step]) -> Step:
    """What geard does, and what gearmand 1.1.20 does instead, for the reason in the notes."""
    return Differs(note, tuple(geard), tuple(gearmand))


def together(*messages: Message) -> tuple[Message, ...]:
    """Messages that are sent in one go."""
    return messages


def passes(seconds: float) -> Step:
    """Wait, where there is no event to wait for."""
    return Passes(seconds)


c = Speaker("c")
c2 = Speaker("c2")
w = Speaker("w")
w2 = Speaker("w2")
w3 = Speaker("w3")
admin = Speaker("admin")
server = Program()
