"""Rules of packets that are refused: of no known type, or for want of a right."""

import logging
from typing import TYPE_CHECKING, Final

from gear_server.engine.rights import PACKETS, Right
from gear_server.engine.state import Peer
from gear_wire.enums import Magic
from gear_wire.framing import Frame
from gear_wire.table import frame_key

if TYPE_CHECKING:
    from gear_server.engine.engine import Engine, Rule

_ON_FUNCTIONS: Final = (Right.REGISTER, Right.INVOKE)


def refuse(engine: "Engine", peer: Peer, frame: Frame, now: float) -> None:
    """Close a connection that sent a packet of no known type, as gearmand does."""
    engine.offences.log(
        now, logging.WARNING, "%r sent a packet of unknown type %s", peer, frame.type
    )
    engine.close(peer)


def guarded(rules: dict[int, "Rule"]) -> dict[int, "Rule"]:
    """Return rules that look whether a peer may use the function that a packet names first."""
    rights = {frame_key(Magic.REQ, number): right for number, right in PACKETS.items()}
    return {
        key: _guard(rule, rights[key]) if rights.get(key) in _ON_FUNCTIONS else rule
        for key, rule in rules.items()
    }


def _guard(rule: "Rule", right: Right) -> "Rule":
    denied = f"Permission denied to {right.value} ".encode()

    def guarded(engine: "Engine", peer: Peer, frame: Frame, now: float) -> None:
        name = frame.body.partition(b"\0")[0]
        if not engine.takes_function(peer, name):
            return  # not even matched with a pattern: it may be as long as a packet
        if engine.access is None or engine.access.may_use(peer, right, name, now):
            rule(engine, peer, frame, now)
        else:
            engine.send_error(peer, b"PERMISSION_DENIED", denied + name)

    return guarded
