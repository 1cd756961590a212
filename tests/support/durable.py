"""Clients and workers of literal packets, for a geard that keeps its jobs."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from gear_server.queue.sqlite import SQLiteStore
from gear_wire.enums import PacketType
from gear_wire.packets import (
    CanDo,
    EchoReq,
    GrabJob,
    SubmitJob,
    SubmitJobBg,
    SubmitJobHigh,
    WorkComplete,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.geard_program import Geard, receive, send

NAME = FunctionName(b"f")


def submit(client: socket.socket, data: bytes = b"", unique: bytes = b"") -> bytes:
    """Submit a background job; returns its handle once the server has it."""
    send(client, SubmitJobBg(NAME, UniqueKey(unique), data))
    return _created(client)


def submit_foreground(client: socket.socket, data: bytes = b"", high: bool = False) -> bytes:
    send(client, (SubmitJobHigh if high else SubmitJob)(NAME, UniqueKey(b""), data))
    return _created(client)


def _created(client: socket.socket) -> bytes:
    kind, handle = receive(client)
    assert kind == PacketType.JOB_CREATED, handle
    return handle


def pending(path: Path) -> int:
    """Return how many jobs a file keeps that no server uses."""
    store = SQLiteStore(path)
    try:
        return store.count()
    finally:
        store.close()


class Worker:
    """A worker that can do f, connected in a `with` block."""

    def __init__(self, geard: Geard) -> None:
        self._socket = geard.connect()
        send(self._socket, CanDo(NAME), EchoReq(b""))
        assert receive(self._socket)[0] == PacketType.ECHO_RES

    def grab(self) -> tuple[bytes, bytes] | None:
        """Return the handle and the data of a job; None if there is none."""
        send(self._socket, GrabJob())
        kind, data = receive(self._socket)
        if kind == PacketType.NO_JOB:
            return None
        assert kind == PacketType.JOB_ASSIGN
        handle, _, payload = data.split(b"\0", 2)
        return handle, payload

    def complete(self, handle: bytes, result: bytes = b"") -> None:
        send(self._socket, WorkComplete(Handle(handle), result))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()
