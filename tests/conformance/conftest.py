"""Fixtures of the conformance suite."""

from collections.abc import Iterator

import pytest

from .conversation import Conversation
from .daemons import Servers
from .scenarios import Scenario


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers that scenarios share."""
    servers = Servers(tmp_path_factory.mktemp("servers"))
    yield servers
    servers.stop()


@pytest.fixture
def conversation(scenario: Scenario, kind: str, servers: Servers) -> Iterator[Conversation]:
    """A conversation with the server of a scenario."""
    with servers.borrow(kind, scenario.options, scenario.alone) as server:
        conversation = Conversation(server)
        yield conversation
        conversation.close()
