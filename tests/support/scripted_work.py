"""A scripted job server for workers: gives out the jobs that a test puts into it."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from gear_wire.packets import (
    BasePacket,
    GrabJobAll,
    GrabJobUniq,
    JobAssignAll,
    JobAssignUnique,
    NoJob,
    Noop,
    PreSleep,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.scripted_server import Peer, ScriptedServer


@contextlib.contextmanager
def once_asleep(server: ScriptedServer, act: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread as soon as a worker has said that it sleeps."""

    def run() -> None:
        server.wait_for(lambda: PreSleep() in server.messages)
        act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class Work:
    """Jobs that wait for workers, and the workers that sleep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: list[bytes] = []
        self._sleeping: list[Peer] = []
        self._count = 0
        self.reducer = b""

    def put(self, payload: bytes) -> None:
        """Queue a job of the function `work`, and wake the workers."""
        with self._lock:
            self._jobs.append(payload)
            for peer in self._sleeping:
                with contextlib.suppress(OSError):  # that one is gone
                    peer.send(Noop())
            self._sleeping.clear()

    def __call__(self, peer: Peer, message: object) -> None:
        with self._lock:
            if isinstance(message, GrabJobUniq | GrabJobAll):
                peer.send(self._assignment())
            elif isinstance(message, PreSleep):
                if self._jobs:
                    peer.send(Noop())
                else:
                    self._sleeping.append(peer)

    def _assignment(self) -> BasePacket:
        if not self._jobs:
            return NoJob()
        self._count += 1
        head = (Handle(b"H:%d" % self._count), FunctionName(b"work"), UniqueKey(b"u"))
        if self.reducer:
            return JobAssignAll(*head, FunctionName(self.reducer), self._jobs.pop(0))
        return JobAssignUnique(*head, self._jobs.pop(0))
