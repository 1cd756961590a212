"""What a process forked from this one inherits, and must let go of."""

import os
import weakref
from collections.abc import Callable, Iterable
from typing import Protocol


class Open(Protocol):
    """A socket or a selector."""

    def fileno(self) -> int:
        """Return its descriptor; negative when it is closed."""


_open: weakref.WeakSet[Open] = weakref.WeakSet()
_methods: dict[int, Callable[[], None]] = {}


def let_go_when_forked(*opened: Open) -> None:
    """Have sockets or selectors taken from whichever child this process forks, and left alone here.

    The child's descriptor is made one of the null device: so the child holds no connection, cannot
    write to it or shut it down, and closes nothing else when it drops what it inherited.

    Args:
        opened: What is open; it is not kept alive.
    """
    _open.update(opened)


def call_when_forked(method: Callable[[], object]) -> None:
    """Have a method called in whichever child this process forks, where no other thread runs.

    What is to be let go is gone by then.

    Args:
        method: A bound method, the only one of its object, which is not kept alive.
    """
    owner: object = getattr(method, "__self__")  # noqa: B009  # callables in general have none
    function: Callable[[object], object] = getattr(method, "__func__")  # noqa: B009
    number, methods = id(owner), _methods
    # Not a WeakMethod: when the interpreter ends, its callback may find itself gone, and says so.
    reference = weakref.ref(owner, lambda _: methods.pop(number, None))

    def call() -> None:
        alive = reference()
        if alive is not None:
            function(alive)

    _methods[number] = call


def let_go(descriptors: Iterable[int]) -> None:
    """Make descriptors of a forked child ones of the null device; negative ones are no descriptors.

    Args:
        descriptors: The descriptors, which the parent has as well and uses further.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        for descriptor in descriptors:
            if descriptor >= 0:
                os.dup2(null, descriptor, inheritable=False)
    finally:
        os.close(null)


def _begin_child() -> None:
    descriptors = [_descriptor(opened) for opened in _open]
    _open.clear()
    let_go(descriptors)
    for call in list(_methods.values()):
        call()


def _descriptor(opened: Open) -> int:
    try:
        return opened.fileno()
    except ValueError:  # a selector that is closed
        return -1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
