"""The server's view of one connection; the bytes are moved elsewhere."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gear_server.engine.abilities import Ability
    from gear_server.engine.grabs import Assign
    from gear_server.engine.jobs import ServerJob
    from gear_server.engine.queues import Function


class Peer:
    """A client, a worker, or both: Gearman does not tell them apart.

    Args:
        host: Its address.
        port: Its port.
        descriptor: The number by which ``workers`` lists it.
        subject: Whom its TLS certificate names; None without one.

    Attributes:
        client_id: How it introduced itself.
        exceptions: Whether it wants to hear of exceptions.
        sleeping: Whether it waits for a NOOP.
        asking: How to send it the job that it asked for; None while it does not wait for one.
        woken_for: The function for whose jobs it was woken; None once it came.
        abilities: What it can do, by function name, in the order in which its turn comes.
        absent: The functions whose list of sleepers it has left, see `Sleepers`.
        submitted: The jobs whose end it waits for, by handle.
        assigned: The jobs it works on, by handle.
        excepted: The job whose end by WORK_EXCEPTION it told last.
        outbox: What is to be sent to it.
        bulky: Whether a part of that is large.
        dirty: Whether it is on the engine's list of those with an outbox.
        late: Whether it is on the list of those with bytes that can wait, and has no others.
        closing: Whether it is to be disconnected once its outbox is sent.
    """

    def __init__(
        self, host: str = "-", port: int = 0, descriptor: int = 0, subject: str | None = None
    ) -> None:
        self.host: str = host
        self.port: int = port
        self.descriptor: int = descriptor
        self.subject: str | None = subject
        self.client_id: bytes = b"-"
        self.exceptions: bool = False
        self.sleeping: bool = False
        self.asking: Assign | None = None
        self.woken_for: Function | None = None
        self.abilities: collections.OrderedDict[bytes, Ability] = collections.OrderedDict()
        self.absent: set[Function] = set()
        self.submitted: dict[bytes, ServerJob] = {}
        self.assigned: dict[bytes, ServerJob] = {}
        self.excepted: bytes = b""
        self.outbox: list[bytes] = []
        self.bulky: bool = False
        self.dirty: bool = False
        self.late: bool = False
        self.closing: bool = False

    def __repr__(self) -> str:
        name = self.client_id.decode(errors="replace")
        kind = type(self).__name__
        return f"<gear.{kind} 0x{id(self):x} name: {name} host: {self.host} port: {self.port}>"
