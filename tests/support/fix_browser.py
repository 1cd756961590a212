"""Debian's chromium, which reads the live page of a server as people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from support.fix_peers import require_program
from support.page_reader import Reader

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

PATIENCE = 30_000
"""Milliseconds that a busy machine may take to show something."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser, for all tests of a module."""
    from playwright.sync_api import expect, sync_playwright

    program = require_program("chromium", "chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # Chromium has no sandbox for root, and Docker gives it little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(
            executable_path=program, args=arguments, timeout=PATIENCE
        )
        yield browser
        browser.close()


@pytest.fixture
def make_reader(browser: Browser) -> Iterator[Callable[..., Reader]]:
    """Makes readers, by the options of a browser's context: all is checked at the end."""
    made: list[tuple[BrowserContext, Reader]] = []

    def make(**options: Any) -> Reader:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        context.set_default_timeout(PATIENCE)
        made.append((context, Reader(context)))
        return made[-1][1]

    yield make
    for context, _ in made:
        context.close()
    for _, reader in made:
        reader.check()


@pytest.fixture
def reader(make_reader: Callable[..., Reader]) -> Reader:
    """A reader at a desk."""
    return make_reader(viewport={"width": 1280, "height": 800})
