"""Signals as events."""

import os
import signal
import threading

from gear_server.geard.signals import DONE, Signals


def test_signals_come_in_their_order() -> None:
    before = signal.getsignal(signal.SIGUSR2), signal.getsignal(signal.SIGHUP)
    with Signals([signal.SIGUSR2, signal.SIGHUP]) as signals:
        arriving = iter(signals)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert next(arriving) == signal.SIGUSR2
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGUSR2)
        # Two that are pending at once come in the order of the system.
        assert {next(arriving), next(arriving)} == {signal.SIGHUP, signal.SIGUSR2}
    assert (signal.getsignal(signal.SIGUSR2), signal.getsignal(signal.SIGHUP)) == before


def test_a_thread_can_add_an_event() -> None:
    with Signals([signal.SIGUSR2]) as signals:
        thread = threading.Thread(target=signals.done)
        thread.start()
        assert next(iter(signals)) == DONE
        thread.join()
    signals.done()  # when nobody waits any more


def test_a_signal_that_another_thread_gets_is_an_event() -> None:
    released = threading.Event()
    with Signals([signal.SIGUSR2]) as signals:
        thread = threading.Thread(target=released.wait)
        thread.start()
        assert thread.ident is not None
        signal.pthread_kill(thread.ident, signal.SIGUSR2)
        assert next(iter(signals)) == signal.SIGUSR2
        released.set()
        thread.join()
