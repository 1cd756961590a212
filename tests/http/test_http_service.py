"""The HTTP port of a server: that it is there, under the limits of all connections, and ends."""

import urllib.request

import gear
from gear_server.settings import ServerSettings


def test_a_server_serves_http_beside_gearman() -> None:
    with gear.Server(0, host="127.0.0.1", settings=ServerSettings(http="0")) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/healthz") as answer:
            assert answer.read() == b"alive\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/readyz") as answer:
            assert answer.read() == b"ready\n"
