"""Asks a server over HTTP, as programs without a library for it do."""

import http.client
import re
import ssl
from collections.abc import Mapping
from typing import Any

import msgspec

from support.geard_program import Geard


class Answer:
    """What a server has answered.

    Attributes:
        status: The status.
        headers: The headers, by their names in lower case.
        body: The body.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status: int = status
        self.headers: dict[str, str] = {name.lower(): value for name, value in headers.items()}
        self.body: bytes = body

    def json(self) -> Any:
        """Return what the body says."""
        return msgspec.json.decode(self.body)

    def detail(self, status: int) -> str:
        """Return what a problem is, whose status is as given."""
        assert self.status == status, (self.status, self.body)
        assert self.headers["content-type"].startswith("application/problem+json")
        problem = self.json()
        assert problem["status"] == status
        return str(problem["detail"])


def ask(
    port: int,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request to this machine, and return the answer."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        if context is None
        else http.client.HTTPSConnection("localhost", port, timeout=30, context=context)
    )
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def http_port_of(geard: Geard) -> int:
    """Return the port on which a geard serves HTTP, by its log."""
    geard.wait_for_log("Serving HTTP on")
    found = re.search(r"Serving HTTP on \S+ port (\d+)", geard.log.read_text())
    assert found is not None
    return int(found[1])
