"""What a server counts, seen from outside, with the line that it logs."""

import logging
import socket

import pytest

from gear_server import Server
from gear_wire.codec import encode
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import BasePacket, CanDo, GrabJob, SubmitJobBg
from gear_wire.types import FunctionName, UniqueKey

WAIT = 20
NAME = FunctionName(b"f")


def say(sock: socket.socket, *packets: BasePacket) -> None:
    """Send packets, the last of which is answered, and wait for the answer."""
    sock.sendall(b"".join(encode(packet) for packet in packets))
    reader = FrameReader()
    while not any(isinstance(event, Frame) for event in reader.feed(sock.recv(4096))):
        pass


def test_a_background_job_that_may_not_be_tried_again_ends_with_a_line_and_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "gear.Server")
    server = Server(0, host="127.0.0.1")
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, WAIT) as client:
        say(client, SubmitJobBg(NAME, UniqueKey(b""), b"x"))
        with socket.create_connection(address, WAIT) as worker:
            say(worker, CanDo(NAME), GrabJob())
            before = server.counters
        assert server.waitFor(lambda: server.counters.exhausted == 1, WAIT)
    assert (before.submitted, before.exhausted) == (1, 0)
    assert (server.total_jobs, server.counters.completed) == (0, 0)
    assert "no attempts left after 1" in caplog.text
    server.shutdown()
