"""Attacks on a server with TLS."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.kinds.connections import silent
from benchmarks.attacks.target import Line, Target
from benchmarks.servers import HOST

HELLO = bytes.fromhex("1603010200010001fc0303")
"""The beginning of a handshake."""
STALLED = 1_000


def stalled(target: Target) -> Iterator[None]:
    """Begin 1,000 handshakes and go no further."""
    with contextlib.ExitStack() as stack:
        with target.as_far_as_possible():
            for line in target.lines(target.count(STALLED), stack):
                with contextlib.suppress(OSError):
                    line.send(HELLO)
        yield
        target.rest()


def refused(target: Target) -> Iterator[None]:
    """Present no certificate, again and again."""
    yield
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    while True:
        target.left()
        with contextlib.suppress(OSError):
            plain = socket.create_connection((HOST, target.port), target.left())
            with plain, context.wrap_socket(plain) as sock:
                sock.recv(1)


def plain(target: Target) -> Iterator[None]:
    """Speak plain Gearman to a server with TLS."""
    yield

    def speak(line: Line) -> None:
        line.flood(b"status\n" * 100)

    target.again_and_again(speak)


ATTACKS = (
    Attack("tls-silent", "TLS: 5,000 connections that say nothing", silent, tls=True),
    Attack("tls-stalled", "TLS: 1,000 handshakes begun and not ended", stalled, tls=True),
    Attack("tls-refused", "TLS: handshakes without a certificate", refused, tls=True),
    Attack("tls-plain", "TLS: plain Gearman instead", plain, tls=True),
)
