"""Who can do what and who sleeps; waking them is in `engine`."""

from __future__ import annotations

import msgspec

from gear_server.engine.peers import Peer
from gear_server.engine.queues import Function


class Ability(msgspec.Struct):
    """A function that a worker registered.

    Attributes:
        function: The function.
        timeout: Seconds that its jobs may run; 0 for no limit.
    """

    function: Function
    timeout: float = 0.0


def register(peer: Peer, function: Function, timeout: float) -> None:
    """Note that a worker can do a function; again only changes the time-out."""
    known = peer.abilities.get(function.name)
    if known is not None:
        known.timeout = timeout
        return
    peer.abilities[function.name] = Ability(function, timeout)
    peer.absent.add(function)
    function.workers += 1
    if peer.sleeping:
        fall_asleep(peer)


def unregister(peer: Peer, name: bytes) -> Function | None:
    """Note that a worker can no longer do a function; None when it never could."""
    ability = peer.abilities.pop(name, None)
    if ability is None:
        return None
    function = ability.function
    function.workers -= 1
    function.sleepers.pop(peer, None)
    peer.absent.discard(function)
    return function


def fall_asleep(peer: Peer) -> None:
    """Note that a worker waits for a NOOP.

    A worker stays on the lists of its functions' sleepers while it is awake; only a search for a
    sleeper that meets it there takes it off that one list, and the next sleep puts it back there
    alone. So a job costs the same whether its worker can do ten functions or ten thousand.
    """
    peer.sleeping = True
    for function in peer.absent:
        function.sleepers[peer] = None
    peer.absent.clear()


def wake_up(peer: Peer) -> None:
    """Note that a worker is awake."""
    peer.sleeping = False


def next_sleeper(function: Function) -> Peer | None:
    """Take the worker that has waited longest for this function off its list, and return it."""
    sleepers = function.sleepers
    while sleepers:
        peer, _ = sleepers.popitem(last=False)
        peer.absent.add(function)
        if peer.sleeping:
            return peer
    return None
