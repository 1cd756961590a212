"""The addresses of a host, in the order in which they are tried; `threads` and `aio` try them."""

import itertools
import socket
from collections.abc import Iterable
from typing import Final, NamedTuple

from gear_wire.errors import ConnectionError
from gear_wire.link.inherited import let_go_when_forked
from gear_wire.link.tls import describe

STAGGER: Final = 0.25
"""Seconds after which the next address is tried too, as RFC 8305 recommends."""

Where = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class Candidate(NamedTuple):
    """One address of a host.

    Attributes:
        family: As `socket.socket` takes it, like the next two.
        kind: Likewise.
        protocol: Likewise.
        where: What a socket connects to.
    """

    family: int
    kind: int
    protocol: int
    where: Where

    def socket(self) -> socket.socket:
        """Return a socket that can connect to it, and never blocks."""
        sock = socket.socket(self.family, self.kind, self.protocol)
        let_go_when_forked(sock)
        sock.setblocking(False)
        return sock


def in_order(found: Iterable[tuple[int, int, int, str, Where]]) -> list[Candidate]:
    """Return what ``getaddrinfo`` has found with families in turn, beginning with the first one."""
    candidates = [Candidate(family, kind, proto, at) for family, kind, proto, _, at in found]
    families = dict.fromkeys(each.family for each in candidates)
    queues = [[each for each in candidates if each.family == family] for family in families]
    return [each for row in itertools.zip_longest(*queues) for each in row if each]


def all_failed(errors: Iterable[Exception]) -> ConnectionError:
    """Return the exception for a host none of whose addresses can be reached, with the reasons."""
    reasons = dict.fromkeys(map(describe, errors))
    return ConnectionError("; ".join(reasons) or "it has no address")
