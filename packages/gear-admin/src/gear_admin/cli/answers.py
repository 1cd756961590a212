"""Asks all servers at once, each the same, and none longer than the others have time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

import msgspec

from gear_admin.async_client import AsyncAdminClient
from gear_wire.cli.exits import Exit, describe, exit_of
from gear_wire.errors import GearmanError
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline

Result = TypeVar("Result")
Question = Callable[[AsyncAdminClient], Awaitable[Result]]


class Answers(msgspec.Struct, Generic[Result], frozen=True):
    """What all servers said.

    Attributes:
        results: Those that answered, in the order of the command line, each with its answer.
        errors: The others, with what went wrong.
    """

    results: list[tuple[ServerAddress, Result]]
    errors: list[tuple[ServerAddress, Exception]]

    @property
    def worst(self) -> Exit:
        """The exit code for the errors; `Exit.OK` without any."""
        return max((exit_of(error) for _, error in self.errors), default=Exit.OK)

    def complaints(self) -> Iterable[str]:
        """Return a line for each error that names its server."""
        for server, error in self.errors:
            text = describe(error)
            yield text if str(server) in text else f"{server}: {text}"


def client_of(server: ServerAddress) -> AsyncAdminClient:
    """Return a client for a server, which sets its callers no limit of time.

    Raises:
        ConfigurationError: The files of TLS cannot be used.
    """
    key, cert, ca = (
        (None, None, None) if (tls := server.tls) is None else (tls.key, tls.cert, tls.ca)
    )
    return AsyncAdminClient(server.host, server.port, key, cert, ca, timeout=None)


async def ask_all(
    servers: Sequence[ServerAddress], deadline: Deadline, question: Question[Result]
) -> Answers[Result]:
    """Ask all servers at the same time, over a connection each that is closed afterwards.

    Args:
        servers: Whom to ask.
        deadline: When whoever has not answered counts as silent.
        question: Asks one of them.
    """

    async def ask(server: ServerAddress) -> Result:
        async with within(deadline, "no answer from %s", server), client_of(server) as client:
            return await question(client)

    tasks = [asyncio.create_task(ask(server)) for server in servers]
    answers = Answers[Result]([], [])
    for server, task in zip(servers, tasks, strict=True):
        try:
            answers.results.append((server, await task))
        except (GearmanError, OSError) as error:
            answers.errors.append((server, error))
    return answers
