"""A scripted job server: takes every job, and does with it what its function's name says."""

from gear_wire.packets import (
    BasePacket,
    EchoReq,
    EchoRes,
    Error,
    GetStatus,
    GetStatusUnique,
    JobCreated,
    OptionReq,
    OptionRes,
    StatusRes,
    StatusResUnique,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import Handle
from support.scripted_server import Peer


class Jobs:
    """Gives out handles, and remembers who waits for jobs that are held."""

    def __init__(self) -> None:
        self.count = 0
        self.held: list[tuple[Peer, Handle]] = []

    def __call__(self, peer: Peer, message: object) -> None:
        if isinstance(message, bytes):
            self._cancel(peer, message)
        elif isinstance(message, EchoReq):
            peer.send(EchoRes(message.payload))
        elif isinstance(message, OptionReq):
            known = message.option == b"exceptions"
            peer.send(OptionRes(message.option) if known else Error(b"UNKNOWN_OPTION", b"no"))
        elif isinstance(message, GetStatus) and message.handle != b"H:silence":
            digit = b"1" if int(message.handle[2:]) <= self.count else b"0"
            peer.send(StatusRes(message.handle, digit, b"0", b"1", b"2"))
        elif isinstance(message, GetStatusUnique):
            peer.send(StatusResUnique(message.unique, b"1", b"1", b"3", b"4", b"5"))
        elif isinstance(message, BasePacket) and type(message).__name__.startswith("Submit"):
            self._take(peer, getattr(message, "function", b""), getattr(message, "payload", b""))

    def _cancel(self, peer: Peer, line: bytes) -> None:
        handle = Handle(line.split()[2])
        if handle == b"H:refuse":
            peer.sock.sendall(b"ERR PERMISSION_DENIED\r\n")
        elif (peer, handle) in self.held:
            self.held.remove((peer, handle))
            peer.send(WorkFail(handle))
            peer.sock.sendall(b"OK\r\n")
        elif handle != b"H:silence":
            peer.sock.sendall(b"ERR UNKNOWN_JOB\r\n")

    def _take(self, peer: Peer, function: bytes, payload: bytes) -> None:
        if function == b"refuse":
            peer.send(Error(b"QUEUE_ERROR", b"Job queue is full"))
            return
        if function == b"silence":
            return
        if function == b"drop":
            raise ConnectionResetError("the script says so")
        self.count += 1
        handle = Handle(b"H:%d" % self.count)
        if function == b"hold":
            self.held.append((peer, handle))
        peer.send(JobCreated(handle))
        self._work(peer, handle, function, payload)

    def _work(self, peer: Peer, handle: Handle, function: bytes, payload: bytes) -> None:
        if function == b"reverse":
            peer.send(WorkComplete(handle, payload[::-1]))
        elif function == b"fail":
            peer.send(WorkFail(handle))
        elif function == b"raise":
            peer.send(WorkException(handle, payload))
        elif function == b"report":
            peer.send(WorkData(handle, b"one"))
            peer.send(WorkStatus(handle, b"1", b"2"))
            peer.send(WorkWarning(handle, b"two"))
            peer.send(WorkComplete(handle, b"three"))
