"""The HTTP port of a server: that it is there, under the limits of all connections, and ends."""

import urllib.request
from pathlib import Path

import pytest

import gear
from gear_server.settings import ServerSettings
from support.geard_program import Geard

OPEN = "may see, submit and cancel jobs over HTTP"


def test_a_server_serves_http_beside_gearman() -> None:
    with gear.Server(0, host="127.0.0.1", settings=ServerSettings(http="0")) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/healthz") as answer:
            assert answer.read() == b"alive\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/readyz") as answer:
            assert answer.read() == b"ready\n"


@pytest.mark.parametrize(
    ("address", "token", "warned"), [(":0", False, True), (":0", True, False), ("0", False, False)]
)
def test_who_lets_in_everybody_is_warned(
    address: str, token: bool, warned: bool, tmp_path: Path
) -> None:
    options = ["--listen", "127.0.0.1", "--http", address]
    if token:
        file = tmp_path / "token"
        file.write_text("a-token-of-thirty-two-letters-or-more\n")
        file.chmod(0o600)
        options += ["--http-token-file", str(file)]
    with Geard(tmp_path, *options) as geard:
        geard.wait_for_log("Serving HTTP on")
        geard.stop()
        assert (OPEN in geard.log.read_text()) == warned
