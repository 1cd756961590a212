"""Peers of a world that make no sense, or mean no good."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gear_wire import packets as wire
from gear_wire.codec import encode
from gear_wire.types import FunctionName, Handle, UniqueKey
from simulation.chance import Chance
from simulation.server import Server, ServerLine

if TYPE_CHECKING:
    from simulation.world import World


def _noise(chance: Chance, function: bytes) -> bytes:
    return bytes(chance.below(256) for _ in range(chance.below(60)))


def _huge(chance: Chance, function: bytes) -> bytes:
    return b"\0REQ\0\0\0\x07" + bytes([chance.below(2), chance.below(256), 0, 9]) + b"x" * 200


def _thief(chance: Chance, function: bytes) -> bytes:
    """Take a job, and do nothing."""
    return encode(wire.CanDo(FunctionName(function))) + encode(wire.GrabJobUniq())


def _sleeper(chance: Chance, function: bytes) -> bytes:
    """Be woken, and do nothing."""
    return encode(wire.CanDo(FunctionName(function))) + encode(wire.PreSleep())


def _liar(chance: Chance, function: bytes) -> bytes:
    """End the jobs of others."""
    handles = [Handle(b"H:sim:%d001%d" % (1 + chance.below(2), n)) for n in range(1, 9)]
    return b"".join(encode(wire.WorkComplete(handle, b"a lie")) for handle in handles)


def _flood(chance: Chance, function: bytes) -> bytes:
    return encode(wire.EchoReq(b"flood" * 20)) * 40


def _deserter(chance: Chance, function: bytes) -> bytes:
    """Submit jobs, and wait for none."""
    name, key = FunctionName(function), UniqueKey(chance.pick([b"", b"u"]))
    return encode(wire.SubmitJob(name, key, function + b":0:0:")) * 3


def _nonsense(chance: Chance, function: bytes) -> bytes:
    return chance.pick([b"GET / HTTP/1.1\r\n\r\n", b"\n\n\n", b"maxqueue\n", b"a " * 9 + b"\n"])


_KINDS: Final[list[Callable[[Chance, bytes], bytes]]] = [
    _noise, _huge, _thief, _sleeper, _liar, _flood, _deserter, _nonsense,
]  # fmt: skip


class Stranger:
    """A connection over which something odd is sent, and perhaps nothing read."""

    def __init__(self, world: "World", server: Server) -> None:
        self._world = world
        self._reads = world.chance.happens(0.5)
        self._line = server.accept(self)
        kind = world.chance.pick(_KINDS)
        for _ in range(1 + world.chance.below(3)):
            data = kind(world.chance, world.chance.pick(world.functions))
            world.clock.after(world.chance.between(0.0, 0.3), self._send, data)
        world.clock.after(world.chance.between(0.3, 1.0), self._leave)

    def __str__(self) -> str:
        return "stranger"

    def _send(self, data: bytes) -> None:
        if self._line is not None:
            self._world.trace(self, "sends", data)
            self._line.cable.up.send(data)

    def _leave(self) -> None:
        if self._line is not None:
            self._line.cable.up.end()
            self._line.reset()

    def readable(self, line: ServerLine) -> None:
        if self._reads:
            line.cable.down.read(1 << 20)
            line.drained()

    def lose(self, line: ServerLine) -> None:
        self._line = None
