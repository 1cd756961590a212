"""Latch: opened once, waited for by one thread."""

import threading

from gear_client.latch import Latch
from gear_wire.link.deadline import Deadline


def test_it_is_closed_until_it_is_opened() -> None:
    latch = Latch()
    assert not latch.wait(Deadline(0))
    assert not latch.wait(Deadline(0.01))
    assert not latch.wait(Deadline(-1))
    latch.open()
    assert latch.wait(Deadline(None))


def test_who_waits_is_let_go() -> None:
    latch = Latch()
    timer = threading.Timer(0.02, latch.open)
    timer.start()
    assert latch.wait(Deadline(10))
    timer.join()
