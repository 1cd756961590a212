"""`Intake`: the worker below a runner; it gives each job away as soon as it comes."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gear_wire.errors import TimeoutError
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.link import AsyncLink
from gear_wire.link.deadline import CLOSE_TIMEOUT, Deadline
from gear_wire.link.serverlog import why_unconnected
from gear_wire.packets import BasePacket
from gear_worker.async_job import AsyncWorkerJob
from gear_worker.async_worker import AsyncWorker
from gear_worker.functions import FunctionRecord
from gear_worker.runner.lanes import FunctionLane
from gear_worker.session import GRAB_PATIENCE, WorkerSession

MOST_GRABS: Final = 16
"""How many jobs a server that has many is asked for at once, if there are as many free places."""


class Intake(AsyncWorker):
    """Asks for as many jobs as there are free places, and hands each over when it comes.

    There is no task, future or queue between a packet and the place that takes its job.

    Args:
        client_id: How it introduces itself; the name of the host if None.
        heartbeat: As for `AsyncWorker`.
        on_job: Takes a job.
    """

    _kind = "Runner"

    def __init__(
        self,
        client_id: str | None,
        heartbeat: float | None,
        on_job: Callable[[AsyncWorkerJob], object],
    ) -> None:
        super().__init__(client_id, heartbeat=heartbeat)
        self._assignments.most_grabs = MOST_GRABS
        self._on_job = on_job
        self._lanes: list[FunctionLane | None] = []
        self._lane_of: dict[AsyncLink, FunctionLane | None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._retiring: dict[AsyncLink, set[bytes]] = {}
        self._closings: set[asyncio.Task[None]] = set()

    def open(
        self,
        addresses: Iterable[ServerAddress],
        records: Iterable[FunctionRecord],
        lanes: Mapping[bytes, FunctionLane],
    ) -> None:
        """Begin to connect to servers.

        Args:
            addresses: The servers.
            records: The functions without limits, which share a connection to each server.
            lanes: The others, by name.
        """
        self._assignments.replace(records)
        self._lanes = [*lanes.values()]
        if self._assignments.functions:
            self._lanes.insert(0, None)
        for address in addresses:
            for lane in self._lanes:
                self._connect(address, lane)
        self._tick()

    def _connect(self, address: ServerAddress, lane: FunctionLane | None) -> None:
        self._check_open()
        link = AsyncLink(address, self.log, self._home, self._events(), self._heartbeat)
        self._lane_of[link] = lane
        self._roster.add(link)
        link.start()

    def _new_session(self, link: AsyncLink) -> WorkerSession[AsyncWorkerJob]:
        lane = self._lane_of[link]
        return WorkerSession(self.client_id, self._assignments, link.related_jobs, lane=lane)

    def servers(self) -> dict[str, bool]:
        """Return whether each server is connected, over all of its connections."""
        found: dict[str, bool] = {}
        for link in self._lane_of:
            host = f"[{link.host}]" if ":" in link.host else link.host
            name = f"{host}:{link.port}"
            found[name] = found.get(name, True) and link.connected
        return found

    async def wait_for_all(self, timeout: float | None) -> None:
        """Wait until all servers are connected; raises TimeoutError if one is not in time."""
        if not await self._wait_until(lambda: all(self.servers().values()), Deadline(timeout)):
            why = why_unconnected(link.report for link in self._roster.inactive)
            raise TimeoutError(f"not all servers were connected in {timeout} s: {why}")

    # Jobs

    def want(self, places: int) -> None:
        """Have so many jobs asked for at the most."""
        self._assignments.want(places)
        self._send_queued()

    def _applied(self, link: AsyncLink, packet: BasePacket, result: object) -> None:
        if isinstance(result, AsyncWorkerJob):
            self._on_job(self._assignments.jobs.popleft())

    def _tick(self) -> None:
        """Do what time demands, see `Assignments.tick`; again and again until it is closed."""
        self._assignments.tick(time.monotonic())
        self._send_queued()
        self._timer = asyncio.get_running_loop().call_later(GRAB_PATIENCE, self._tick)

    # Leaving

    async def last_jobs(self) -> None:
        """Ask for no more jobs, and wait for those that a server may have given already."""
        self._assignments.drain(self._announce)
        await self._wait_until(lambda: not self._assignments.coming, Deadline(GRAB_PATIENCE))

    def give_back(self, job: AsyncWorkerJob) -> None:
        """Have a job's server give it to another worker, or to this one again.

        Only the end of its connection does that. So another one takes its place, and it is closed
        when no other job of it runs.

        Args:
            job: A job that was not reported as ended.
        """
        link = job.connection
        if not (job.open and isinstance(link, AsyncLink) and job.handle is not None):
            return  # taken back already
        returned = self._retiring.setdefault(link, set())
        returned.add(job.handle)
        if isinstance(link.session, WorkerSession) and not link.session.retired:
            link.session.retired = True
            self._connect(link.address, self._lane_of[link])
        self.noticed_end()

    def noticed_end(self) -> None:
        """Close the connections whose other jobs have ended; call it when a job has."""
        for link, returned in [*self._retiring.items()]:
            if link.related_jobs.keys() <= returned:
                del self._retiring[link], self._lane_of[link]
                task = asyncio.get_running_loop().create_task(self._close_link(link))
                self._closings.add(task)
                task.add_done_callback(self._closings.discard)

    async def _close_link(self, link: AsyncLink) -> None:
        await link.close(Deadline(CLOSE_TIMEOUT))
        self._roster.inactive.remove(link)

    def _lost(self, link: AsyncLink) -> None:
        super()._lost(link)
        if link in self._retiring:
            link.related_jobs.clear()
            self.noticed_end()

    def _on_closing(self) -> None:
        super()._on_closing()
        if self._timer is not None:
            self._timer.cancel()
