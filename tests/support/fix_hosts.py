"""A host of its own for programs of a test, which can be lost: a network namespace of Linux."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from support.fix_peers import require_program

NETWORK = "10.213.77"
"""A network that is hopefully nobody's."""


class Host:
    """A network namespace, and a cable to it.

    Attributes:
        address: Its address.
        gateway: Our address at the other end of the cable.
        network: The same, with the length of the network's prefix.
        prefix: What starts a program there.
    """

    address = f"{NETWORK}.2"
    gateway = f"{NETWORK}.1"
    network = f"{NETWORK}.1/30"

    def __init__(self) -> None:
        self._name = f"gear-{os.getpid()}"
        self._end, far_end = f"gear{os.getpid()}", f"gearf{os.getpid()}"
        self._ip = require_program("ip", "iproute2")
        self.prefix = (self._ip, "netns", "exec", self._name)
        try:
            self._run("netns", "add", self._name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"a network namespace cannot be made: {error.stderr.decode().strip()}")
        try:
            self._run("link", "add", self._end, "type", "veth",
                      "peer", "name", far_end, "netns", self._name)  # fmt: skip
            for place, end, address in (
                ((), self._end, self.gateway), (("-n", self._name), far_end, self.address),
            ):  # fmt: skip
                self._run(*place, "addr", "add", f"{address}/30", "dev", end)
                self._run(*place, "link", "set", end, "up")
        except BaseException:
            self.remove()
            raise

    def _run(self, *words: str) -> None:
        subprocess.run([self._ip, *words], check=True, capture_output=True)

    def lose(self) -> None:
        """Cut the cable: what is sent from now on is lost, and nobody is told."""
        self._run("link", "set", self._end, "down")

    def remove(self) -> None:
        """Remove it, and the cable with it."""
        self._run("netns", "delete", self._name)


@pytest.fixture
def host() -> Iterator[Host]:
    """A host that can be lost; without the right to make one, the test is skipped."""
    host = Host()
    yield host
    host.remove()
