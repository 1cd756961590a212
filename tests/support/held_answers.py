"""A scripted server's answers, held back until a thread looks for one."""

import socket
import threading
from typing import Final

import pytest

from gear_wire.link.threads import reading
from gear_wire.link.threads.loop import PollLoop
from support.scripted_server import Answer, Peer

_WAIT: Final = 10.0


class HeldAnswers:
    """Answers a kind of question once a thread reads for itself instead of the poll thread.

    It has threads look so long that none ever looks in vain.

    Args:
        answer: What answers.
        kinds: The questions whose answers are held back.
        monkeypatch: Undoes it all.

    Attributes:
        looking: Set when a thread begins to read for itself.
    """

    def __init__(
        self, answer: Answer, kinds: tuple[type, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._answer = answer
        self._kinds = kinds
        self.looking: threading.Event = threading.Event()
        self._holding = False
        pause = PollLoop.pause

        def noting(loop: PollLoop, sock: socket.socket) -> bool:
            paused = pause(loop, sock)
            self.looking.set()
            return paused

        monkeypatch.setattr(PollLoop, "pause", noting)
        monkeypatch.setattr(reading, "SPIN", 60.0)

    def __call__(self, peer: Peer, message: object) -> None:
        if self._holding and isinstance(message, self._kinds):
            assert self.looking.wait(_WAIT)
            self.looking.clear()
        self._answer(peer, message)

    def hold(self) -> None:
        """Hold answers back from now on."""
        self.looking.clear()
        self._holding = True
