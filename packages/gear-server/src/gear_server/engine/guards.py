"""Rules of packets that are refused: of no known type, or for want of a right."""

import logging
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from gear_server.engine.access import Access
from gear_server.engine.rights import PACKETS, Right
from gear_server.engine.state import Peer
from gear_wire.enums import Magic
from gear_wire.framing import Frame
from gear_wire.loglimit import LogLimit
from gear_wire.table import frame_key


class Guarded(Protocol):
    """The server, as far as what guards it knows it."""

    offences: LogLimit
    access: Access | None
    packets: dict[int, int]
    unknown: Callable[..., None]
    send_error: Callable[[Peer, bytes, bytes], None]

    def takes_function(self, peer: Peer, name: bytes) -> bool:
        """Return whether a function may have a name; answer the connection if not."""

    def close(self, peer: Peer) -> None:
        """Close a connection once its outbox is sent."""


Server = TypeVar("Server", bound=Guarded)
_Rule = Callable[[Server, Peer, Frame, float], None]
_ON_FUNCTIONS: Final = (Right.REGISTER, Right.INVOKE)


def take_unknown(engine: Guarded, peer: Peer, frame: Frame, now: float) -> None:
    """Handle a packet of no known type, without counting it: a peer chooses its number."""
    del engine.packets[frame.key]
    engine.unknown(engine, peer, frame, now)


def refuse(engine: Guarded, peer: Peer, frame: Frame, now: float) -> None:
    """Close a connection that sent a packet of no known type, as gearmand does."""
    engine.offences.log(
        now, logging.WARNING, "%r sent a packet of unknown type %s", peer, frame.type
    )
    engine.close(peer)


def guarded(rules: dict[int, _Rule[Server]]) -> dict[int, _Rule[Server]]:
    """Return rules that look whether a peer may use the function that a packet names first."""
    rights = {frame_key(Magic.REQ, number): right for number, right in PACKETS.items()}
    return {
        key: _guard(rule, rights[key]) if rights.get(key) in _ON_FUNCTIONS else rule
        for key, rule in rules.items()
    }


def _guard(rule: _Rule[Server], right: Right) -> _Rule[Server]:
    denied = f"Permission denied to {right.value} ".encode()

    def guarded(engine: Server, peer: Peer, frame: Frame, now: float) -> None:
        name = frame.body.partition(b"\0")[0]
        if not engine.takes_function(peer, name):
            return  # not even matched with a pattern: it may be as long as a packet
        if engine.access is None or engine.access.may_use(peer, right, name, now):
            rule(engine, peer, frame, now)
        else:
            engine.send_error(peer, b"PERMISSION_DENIED", denied + name)

    return guarded
