"""Queued jobs, in a list per function and precedence; `scheduler` decides who gets them."""

import collections
import itertools
from collections.abc import Callable
from typing import Final

from gear_server.engine.state import NO_LIMIT, Function, JobQueue, Peer, Search, ServerJob
from gear_server.engine.tally import Tally
from gear_wire.enums import Precedence

BY_PRECEDENCE: Final = (Precedence.HIGH, Precedence.NORMAL, Precedence.LOW)
"""The order in which jobs are handed out."""
IDLE_FUNCTIONS: Final = 1000
"""Functions without jobs and workers that are remembered: what watches a server looks for their
rows of zeros."""
SHORT: Final = 16
"""Functions through which a search goes one by one, before it looks at what it knows."""


class Queues:
    """All functions, and those with queued jobs in the order of their turns.

    Args:
        max_functions: How many functions there may be.
        max_queue: How many jobs a function may have, unless it is given limits of its own.
        timeout: Seconds for which jobs may run, unless their function is given its own; 0 for ever.
        logs: Returns whether the jobs of a new function are logged.

    Attributes:
        functions: Every function by name.
        ready: The functions with queued jobs, by precedence, each with the change that put it last.
        changes: How often a function was put last in `ready`.
        waiting: The number of queued jobs.
        aside: Jobs that were taken out of their queues for now, and count as none of the others.
        forgotten: What had happened to the jobs of functions that are not known any more, or never
            were: a submission for one function too many was refused.
        newest: The number of the newest job, queued or not, which ends its handle.
        short: See `SHORT`.
    """

    def __init__(
        self,
        max_functions: int = NO_LIMIT,
        max_queue: int = NO_LIMIT,
        timeout: float = 0.0,
        logs: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._max_functions = max_functions
        self._max_queue = max_queue
        self._timeout = timeout
        self._logs = logs
        self._idle: collections.OrderedDict[Function, None] = collections.OrderedDict()
        self.functions: dict[bytes, Function] = {}
        self.ready: tuple[collections.OrderedDict[Function, int], ...] = tuple(
            collections.OrderedDict() for _ in Precedence
        )
        self.changes: int = 0
        self.waiting: int = 0
        self.aside: JobQueue = JobQueue()
        self.forgotten: Tally = Tally()
        self.newest: int = 0
        self.short: int = SHORT

    def function(self, name: bytes) -> Function | None:
        """Return a function; a new one is created, unless there are too many: then None."""
        function = self.functions.get(name)
        if function is None and (len(self.functions) < self._max_functions or self._make_room()):
            function = self._create(name)
        return function

    def of_store(self, name: bytes) -> Function:
        """Return a function of which a store keeps something, however many there are."""
        return self.functions.get(name) or self._create(name)

    def _create(self, name: bytes) -> Function:
        function = self.functions[name] = Function(name, self._max_queue, self._timeout)
        if self._logs is not None:
            function.logged = self._logs(name)
        return function

    def keep(self, name: bytes) -> Function | None:
        """Return a function, as `function` does, that stays until it is dropped."""
        function = self.function(name)
        if function is not None:
            function.kept = True
        return function

    def drop(self, function: Function) -> None:
        """Forget a function, which must have neither jobs nor workers."""
        self._idle.pop(function, None)
        self._remove(function)

    def settle(self, function: Function) -> None:
        """Note that a function has no more jobs and workers; too many such are forgotten.

        Those that are used again stay among the idle ones until it would be their turn: so nothing
        is done for them when a job comes.
        """
        self._idle[function] = None
        self._idle.move_to_end(function)
        if len(self._idle) > IDLE_FUNCTIONS:
            self._forget()

    def _forget(self) -> bool:
        function, _ = self._idle.popitem(last=False)
        if function.idle:
            self._remove(function)
        return function.idle

    def _remove(self, function: Function) -> None:
        del self.functions[function.name]
        self.forgotten.add(function.tally)

    def _make_room(self) -> bool:
        while self._idle:
            if self._forget():
                return True
        return False

    def append(self, job: ServerJob) -> None:
        """Append a job to the queue of its function and precedence."""
        queue = job.function.queues[job.precedence]
        last = queue.last
        job.queue = queue
        job.previous = last
        if last is None:
            queue.first = job
            self.changes += 1
            self.ready[job.precedence][job.function] = self.changes
        else:
            last.next = job
        queue.last = job
        queue.count += 1
        self.waiting += 1

    def remove(self, job: ServerJob) -> None:
        """Remove a job from its queue; no effect if it is not queued."""
        queue = job.queue
        if queue is None:
            return
        before, after = job.previous, job.next
        if before is None:
            queue.first = after
        else:
            before.next = after
        if after is None:
            queue.last = before
        else:
            after.previous = before
        if queue.mark is job:
            queue.mark = before
        job.previous = job.next = job.queue = None
        queue.count -= 1
        if queue is self.aside:
            job.function.aside -= 1
            return
        self.waiting -= 1
        if queue.first is None:
            self.ready[job.precedence].pop(job.function, None)

    def set_aside(self, job: ServerJob) -> None:
        """Take a queued job out of its queue, until `put_back` is called."""
        self.remove(job)
        queue = self.aside
        job.queue, job.previous = queue, queue.last
        if queue.last is None:
            queue.first = job
        else:
            queue.last.next = job
        queue.last = job
        queue.count += 1
        job.function.aside += 1

    def put_back(self) -> Function | None:
        """Put the job that was set aside last before all others of its queue.

        Returns:
            Its function; None if no job is set aside.
        """
        job = self.aside.last
        if job is None:
            return None
        self.remove(job)
        function = job.function
        queue = function.queues[job.precedence]
        first = queue.first
        job.queue, job.next = queue, first
        if first is None:
            queue.last = job
            self.changes += 1
            self.ready[job.precedence][function] = self.changes
        else:
            first.previous = job
        queue.first = job
        queue.count += 1
        self.waiting += 1
        return function

    def choose(self, peer: Peer) -> ServerJob | None:
        """Return the next job for a worker; None if there is none.

        Precedence counts first, over all of the worker's functions; then functions take turns;
        within a function, jobs are in order. The search goes through the functions with jobs or
        those of the worker, whichever are fewer; if both are many, see `_search`.
        """
        abilities = peer.abilities
        for precedence in BY_PRECEDENCE:
            ready = self.ready[precedence]
            if not ready:
                continue
            if len(ready) > self.short and len(abilities) > self.short:
                job = self._search(peer, precedence)
                if job is not None:
                    return job
            elif len(ready) <= len(abilities):
                for function in ready:
                    if function.name in abilities:
                        return function.queues[precedence].first
            else:
                for ability in abilities.values():
                    queue = ability.function.queues[precedence]
                    if queue.count:
                        return queue.first
        return None

    def _search(self, peer: Peer, precedence: Precedence) -> ServerJob | None:
        """Return the next job of one precedence, where worker and server have many functions.

        The worker keeps the functions that it has found, and looks only at those with jobs since.
        So a search costs no more steps than there were changes since the last one, and never more
        than the worker has functions.
        """
        ready = self.ready[precedence]
        abilities = peer.abilities
        for function in itertools.islice(ready, self.short):
            if function.name in abilities:
                return function.queues[precedence].first
        search = peer.searches.get(precedence)
        if search is None:
            search = peer.searches[precedence] = Search()
        found = search.found
        if self.changes - search.seen > len(abilities):
            found.clear()
            for ability in abilities.values():
                if ability.function.queues[precedence].count:
                    found[ability.function] = None
        else:
            fresh = itertools.takewhile(lambda item: item[1] > search.seen, reversed(ready.items()))
            for function, _ in reversed(list(fresh)):
                if function.name in abilities:
                    found[function] = None
                    found.move_to_end(function)
        search.seen = self.changes
        while found:
            function = next(iter(found))
            queue = function.queues[precedence]
            if queue.count:
                return queue.first
            del found[function]
        return None

    def served(self, job: ServerJob, peer: Peer) -> None:
        """End the turn of a job's function, as a worker gets the job."""
        function = job.function
        ready = self.ready[job.precedence]
        if function in ready:
            self.changes += 1
            ready[function] = self.changes
            ready.move_to_end(function)
        if function.name in peer.abilities:
            peer.abilities.move_to_end(function.name)
        if peer.searches:
            search = peer.searches.get(job.precedence)
            if search is not None and function in search.found:
                search.found.move_to_end(function)
