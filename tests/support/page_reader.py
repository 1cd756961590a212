"""Somebody who reads the live page of a server, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


class Reader:
    """Somebody with a browser, who notes what is wrong.

    Attributes:
        page: The page.
        complaints: Errors and warnings of its console.
        requests: The addresses of all requests.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self._forgiven: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, port: int, place: str = "") -> Page:
        """Open the page of a server on this machine, at a place such as ``#/workers``."""
        self.page.goto(f"http://127.0.0.1:{port}/{place}", wait_until="domcontentloaded")
        return self.page

    def forgive(self, words: str) -> None:
        """Expect complaints that say these words: there must be one at the end."""
        self._forgiven.append(words)

    def check(self) -> None:
        """Check that nothing was wrong, and that no other host was asked for anything."""
        for words in self._forgiven:
            assert any(words in complaint for complaint in self.complaints), words
        left = [each for each in self.complaints if not self._is_forgiven(each)]
        assert not left, left
        assert {urlsplit(request).hostname for request in self.requests} <= {"127.0.0.1"}

    def _is_forgiven(self, complaint: str) -> bool:
        return any(words in complaint for words in self._forgiven)
