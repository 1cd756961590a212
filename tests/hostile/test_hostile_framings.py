"""Framings that no honest peer sends: each is answered or cut off, and harms nobody else."""

import itertools
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gear_wire.codec import encode
from gear_wire.enums import PacketType
from gear_wire.framing import HEADER
from gear_wire.packets import EchoReq
from support.geard_program import TIMEOUT, Geard, receive, send

MIB = 1 << 20
MAGICS = {b"\0REQ": "request", b"\0RES": "response"}
TYPES = [0, *PacketType, 5, max(PacketType) + 1, 255, 1 << 31, (1 << 32) - 1]
FIELDS = (b"", b"a", b"a\0b", b"a\0b\0c", b"a\0" * 6, b"\0" * 3, b"\xff" * 40)
PROBE = b"is it still there"
ECHO = encode(EchoReq(PROBE))


def header(magic: bytes, kind: int, size: int) -> bytes:
    return magic + kind.to_bytes(4) + size.to_bytes(4)


def whole_packets() -> Iterator[bytes]:
    """Return packets of every type, and of none, with arguments that rarely fit."""
    for magic, kind, body in itertools.product(MAGICS, TYPES, FIELDS):
        yield header(magic, kind, len(body)) + body


def beginnings() -> Iterator[bytes]:
    """Return what breaks off: every length of a header, and promises of data that never comes."""
    for length in range(1, HEADER.size):
        yield ECHO[:length]
    for size in (1, MIB, 256 * MIB, 256 * MIB + 1, (1 << 32) - 1):
        yield header(b"\0REQ", PacketType.ECHO_REQ, size)
        yield header(b"\0REQ", PacketType.SUBMIT_JOB, size) + b"f\0u\0data"
        yield header(b"\0REQ", 77, size)


def no_packets() -> Iterator[bytes]:
    """Return what is no packet: other magics, and text of all kinds."""
    for magic in (b"\0REX", b"\0\0\0\0", b"\0req", b"\0", b"\0R\0R"):
        yield magic + header(b"", PacketType.ECHO_REQ, 0)
    for line in (b"", b" ", b"\t", b"\r", b"status\0", b"\xff\xfe", b"status " * 1000, b"x" * 9000):
        yield line + b"\n"
        yield line + b"\r\n" + ECHO
        yield ECHO + line


GROUPS = {"whole": whole_packets, "beginnings": beginnings, "no packets": no_packets}


def read_to_its_end(sock: socket.socket) -> None:
    """Ask a connection whether it lives, if it still does, and wait until the server closes it."""
    try:
        sock.sendall(b"\n" + ECHO)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except OSError:
        pass  # it was cut off


def serves(bystander: socket.socket, data: bytes) -> None:
    send(bystander, EchoReq(data))
    assert receive(bystander) == (PacketType.ECHO_RES, data)


@pytest.mark.parametrize("group", GROUPS)
def test_every_framing_is_answered_or_cut_off_and_harms_nobody(tmp_path: Path, group: str) -> None:
    with Geard(tmp_path) as geard, geard.connect() as bystander:
        serves(bystander, b"before")
        before = geard.descriptors()
        for framing in GROUPS[group]():
            with geard.connect() as hostile:
                hostile.sendall(framing)
                read_to_its_end(hostile)
            serves(bystander, framing)
        geard.wait_until_descriptors(before)
        assert geard.memory() < 150 << 10
        assert "Traceback" not in geard.stop()
        assert "Traceback" not in geard.errors


def test_a_packet_that_comes_byte_by_byte_is_a_packet(tmp_path: Path) -> None:
    with Geard(tmp_path) as geard, geard.connect() as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in ECHO:
            slow.sendall(bytes([byte]))
        assert receive(slow) == (PacketType.ECHO_RES, PROBE)


def test_what_follows_a_wrong_packet_is_read(tmp_path: Path) -> None:
    """A packet with too few arguments is refused by itself; the stream stays in step."""
    wrong = header(b"\0REQ", PacketType.SUBMIT_JOB, 1) + b"f"
    with Geard(tmp_path) as geard, geard.connect() as peer:
        peer.settimeout(TIMEOUT)
        peer.sendall(wrong * 50 + ECHO)
        with peer.makefile("rb") as file:
            kinds = []
            for _ in range(51):
                key, size = HEADER.unpack(file.read(HEADER.size))
                file.read(size)
                kinds.append(key & 0xFFFFFFFF)
        assert kinds == [PacketType.ERROR] * 50 + [PacketType.ECHO_RES]


def test_random_bytes_harm_nobody(tmp_path: Path) -> None:
    noise = random.Random(4730)
    with Geard(tmp_path) as geard, geard.connect() as bystander:
        for _ in range(200):
            start = noise.choice([b"", b"\0REQ", b"\0RES", b"\0REQ\0\0\0", b"\n", ECHO])
            with geard.connect() as hostile:
                hostile.sendall(start + noise.randbytes(noise.randrange(400)))
                read_to_its_end(hostile)
            serves(bystander, b"me")
        assert geard.memory() < 150 << 10
        assert "Traceback" not in geard.stop()
