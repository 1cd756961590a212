"""Attacks with very many connections."""

import contextlib
import socket
from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.target import Target
from benchmarks.servers import HOST

SILENT = 5_000


def silent(target: Target) -> Iterator[None]:
    """Open 5,000 connections and say nothing."""
    with contextlib.ExitStack() as stack:
        with target.as_far_as_possible():
            target.lines(target.count(SILENT), stack)
        yield
        target.rest()


def churn(target: Target) -> Iterator[None]:
    """Connect and close, again and again."""
    yield
    while True:
        target.left()
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, target.port), target.left()).close()


ATTACKS = (
    Attack("silent", "5,000 connections that say nothing", silent),
    Attack("churn", "connections opened and closed, again and again", churn),
)
