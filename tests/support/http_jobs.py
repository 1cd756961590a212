"""Requests for jobs over HTTP whose answers are waited for meanwhile."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from typing import Self

import msgspec

from support.http_asking import Answer

WAIT = 30.0


class Request:
    """A request that has been sent; a context manager that closes its connection.

    Args:
        port: The port of a server on this machine.
        path: The path.
        body: The body; bytes in parts are sent in chunks.
        method: The method.
        headers: Headers.
        context: For TLS; None for plaintext.
    """

    def __init__(
        self,
        port: int,
        path: str,
        body: bytes | Iterator[bytes] = b"",
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.connection: http.client.HTTPConnection = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
            if context is None
            else http.client.HTTPSConnection("localhost", port, timeout=WAIT, context=context)
        )
        self.connection.request(
            method, path, body, dict(headers or {}), encode_chunked=not isinstance(body, bytes)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def answer(self) -> Answer:
        """Wait for the answer."""
        response = self.connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())


def next_event(response: http.client.HTTPResponse) -> tuple[str, dict[str, object]]:
    """Return the name and the data of the next event."""
    lines: list[str] = []
    while line := response.readline().decode().rstrip("\n"):
        lines.append(line)
    fields = dict(line.split(": ", 1) for line in lines)
    return fields["event"], msgspec.json.decode(fields["data"])
