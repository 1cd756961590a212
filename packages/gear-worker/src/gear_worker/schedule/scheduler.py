"""`Scheduler`: hands the jobs of an app's schedule to a server, before they are due."""

import asyncio
import builtins
import contextlib
import functools
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from gear_wire.errors import ConfigurationError, ConnectionError, GearmanError
from gear_wire.functions.app import App
from gear_wire.jobs import BaseJob
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.client import AsyncBaseClient, AsyncLink
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_worker.schedule.plan import Holder, Plan
from gear_worker.schedule.session import ScheduleSession
from gear_worker.schedule.times import times_of

PATIENCE: Final = 30.0
"""Seconds for a server to answer. A server that knows no jobs for later never does."""
SETTLE: Final = 3.0
"""Seconds for which servers that are not connected yet are waited for, at the start."""
RETRY: Final = 5.0
"""Seconds after which a job that could not be handed over is tried again."""
LONGEST: Final = 60.0
"""Seconds between two looks at the clock, which may be set."""


class Scheduler(AsyncBaseClient):
    """Hands the jobs of an app's schedule to a server, before they are due.

    Any number of them may run for one app. All use the same server: of those that are connected,
    the first in the order of their names.

    Args:
        app: The app.
        client_id: How this scheduler introduces itself to servers and names itself in logs.
        heartbeat: Seconds without traffic after which a server is asked for an echo.

    Raises:
        ConfigurationError: A cron expression cannot be read.
    """

    _kind = "Scheduler"

    def __init__(
        self, app: App, client_id: str | bytes = "scheduler", *, heartbeat: float | None = 60.0
    ) -> None:
        super().__init__(client_id, heartbeat=heartbeat)
        self._app = app
        self._plans = [Plan(entry, times_of(entry)) for entry in app.schedule]

    def _new_session(self, link: AsyncLink) -> ScheduleSession:
        return ScheduleSession(self.client_id)

    async def run(self) -> None:
        """Hand over job after job, until it is cancelled or closed."""
        settled = time.time() + SETTLE
        begun = False
        while not self._closing:
            changed = self._changed
            now = time.time()
            moment = now + LONGEST
            links = sorted(self.links, key=lambda link: (link.host, link.port))
            if not begun and self._roster.inactive and now < settled:
                moment = settled
            elif links:
                for plan in self._plans:
                    if not begun:
                        plan.begin(now, _holder(links[0]))
                    done = await self._look_after(plan, links, now)
                    wake = plan.wake(now, _holder(links[0])) if done else now + RETRY
                    moment = min(moment, wake)
                begun = True
            try:
                async with asyncio.timeout(max(0.0, moment - time.time())):
                    await changed.wait()
            except builtins.TimeoutError:
                continue

    async def _look_after(self, plan: Plan, links: Sequence[AsyncLink], now: float) -> bool:
        """Hand over what is wanted now; False when something prevented it.

        Args:
            plan: An entry of the schedule.
            links: The servers that are connected; the first is given the jobs.
            now: The time.
        """
        name = plan.entry.function
        link, *others = links
        holder = _holder(link)
        try:
            plan.forget_past(now, holder)
            await self._count(plan, link, holder, now)
            for due in plan.wanted(now, holder, [_holder(other) for other in others]):
                keeper = await self._keeper(plan, others, due)
                if keeper is None:
                    await self._hand_over(plan, link, due)
                    self.log.debug("Handed over %s, due at %s", name, _shown(due))
                plan.held[due] = _holder(keeper or link)
            return True
        except ConnectionError as error:
            self.log.warning("Could not hand over %s: %s", name, error)
        except GearmanError as error:
            self.log.error("Could not hand over %s to %r: %s", name, link, error)
        return False

    async def _count(self, plan: Plan, link: AsyncLink, holder: Holder, now: float) -> None:
        """Forget the jobs that have begun or ended; see whether one waits for too long."""
        crowded = False
        for due in plan.overdue(now, holder):
            if await self._waits(link, plan.entry.unique(due)):
                crowded = True
            else:
                del plan.held[due]
        if crowded and not plan.crowded:
            self.log.warning(
                "%s is left out until the job due at %s has found a worker",
                plan.entry.function, _shown(min(plan.held)),
            )  # fmt: skip
        plan.crowded = crowded

    async def _waits(self, link: AsyncLink, unique: str) -> bool:
        """Ask whether a job still waits for a worker."""
        session, answer = self._question(link)
        session.ask(unique.encode(), answer.settle)
        return await self._answered(link, answer)

    async def _keeper(self, plan: Plan, others: Sequence[AsyncLink], due: int) -> AsyncLink | None:
        """Return which other server has a job already, as one that took over for a while may."""
        for other in others:
            with contextlib.suppress(GearmanError):
                if await self._waits(other, plan.entry.unique(due)):
                    return other
        return None

    async def _hand_over(self, plan: Plan, link: AsyncLink, due: int) -> None:
        function = self._app.functions[plan.entry.function]
        job = BaseJob(function.name, function.encode(), plan.entry.unique(due))
        session, answer = self._question(link)
        session.hand_over(job, due, answer.settle)
        await self._answered(link, answer)

    def _question(self, link: AsyncLink) -> "tuple[ScheduleSession, Answer]":
        session = link.session
        if not isinstance(session, ScheduleSession):
            raise link.lost_before("the question")
        return session, Answer()

    async def _answered(self, link: AsyncLink, answer: "Answer") -> bool:
        link.send_queued()
        async with within(Deadline(PATIENCE), "no answer from %r", link):
            return await answer.future


class Answer:
    """What a server answers, once it does."""

    def __init__(self) -> None:
        self.future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def settle(self, answer: bool | GearmanError) -> None:
        """Note it, unless nobody waits any more."""
        if self.future.done():
            return
        if isinstance(answer, GearmanError):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


def _holder(link: AsyncLink) -> Holder:
    return Holder((link.host, link.port), id(link.session))


def _shown(due: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due))


@contextlib.asynccontextmanager
async def scheduling(
    app: App,
    addresses: Iterable[ServerAddress],
    client_id: str | None = None,
    heartbeat: float | None = None,
) -> AsyncIterator[Scheduler]:
    """Keep an app's schedule on this loop while the block lasts.

    Args:
        app: The app.
        addresses: The servers.
        client_id: As for `Scheduler`; the name of the host if None.
        heartbeat: As for `Scheduler`.

    Raises:
        ConfigurationError: The app has no schedule, or a cron expression cannot be read.
    """
    if not app.schedule:
        raise ConfigurationError("the app has no schedule: no function of it has @app.every")
    async with Scheduler(app, client_id or socket.gethostname(), heartbeat=heartbeat) as scheduler:
        for address in addresses:
            tls = address.tls
            files = (None, None, None) if tls is None else (tls.key, tls.cert, tls.ca)
            scheduler.add_server(address.host, address.port, *files)
        task = asyncio.create_task(scheduler.run())
        task.add_done_callback(functools.partial(_complain, scheduler.log))
        try:
            yield scheduler
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _complain(log: logging.Logger, task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.critical("The schedule is kept no longer", exc_info=error)
