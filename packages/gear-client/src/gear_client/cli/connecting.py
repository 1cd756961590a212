"""The client of a command: it gives up once no server can be reached, where others try again."""

from gear_client.async_client import AsyncClient
from gear_wire.errors import NoConnectedServersError
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.link import AsyncLink
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_wire.link.serverlog import why_unconnected


class CommandClient(AsyncClient):
    """A client whose user waits for it."""

    @property
    def unreachable(self) -> list[AsyncLink]:
        """The servers that are not connected."""
        return self._roster.inactive

    async def reach(
        self, servers: list[ServerAddress], deadline: Deadline, *, every: bool = False
    ) -> None:
        """Connect to servers, each of which is tried once.

        Args:
            servers: The servers.
            deadline: How long to wait for them.
            every: Whether to wait for all of them, and not for one.

        Raises:
            NoConnectedServersError: None can be reached.
            TimeoutError: One was not reached in time.
            ConfigurationError: The files for TLS cannot be used.
        """
        for server in servers:
            files = (None, None, None) if server.tls is None else (
                server.tls.key, server.tls.cert, server.tls.ca
            )  # fmt: skip
            self.add_server(
                server.host, server.port, *files, ssl_check_hostname=server.check_hostname
            )
        async with within(deadline, "no answer from %s", ", ".join(map(str, servers))):
            while self._is_pending(every):
                await self._changed.wait()
        if not self.links:
            why = why_unconnected(link.report for link in self.unreachable)
            raise NoConnectedServersError(f"no server can be reached: {why}")

    def _is_pending(self, every: bool) -> bool:
        untried = any(not link.report.reason for link in self._roster.inactive)
        return untried and (every or not self.links)
