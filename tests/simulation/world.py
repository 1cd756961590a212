"""A world: programs, servers and what befalls them, all decided by one seed."""

from collections.abc import Callable, Sequence
from typing import Final

from gear_server.engine.engine import Engine
from simulation.book import Book
from simulation.chance import Chance
from simulation.client import Client
from simulation.clock import Clock
from simulation.operator import Operator
from simulation.program import Program
from simulation.server import Server
from simulation.shared import Database
from simulation.stranger import Stranger
from simulation.trace import Print, Trace
from simulation.weather import Weather
from simulation.worker import Worker
from support.engine_audit import audit

LIMIT: Final = 30.0
"""Seconds in which all jobs have ended once nothing goes wrong any more."""
STEP: Final = 0.5
REST: Final = 1.0
QUIET: Final = 400
"""Calls in a second of rest: an operator asks, and workers look again."""
AUDIT_EVERY: Final = 4
FUNCTIONS: Final = (b"f", b"g", b"h")


class World:
    """Everything, from the first event to the last.

    Args:
        seed: Decides all that happens.
        engine_type: The class of the servers' engines.
        audit_every: After how many turns of a server its state is checked.
        print_line: Takes a line about each event; None if nobody wants them.

    Attributes:
        clock: Its time.
        chance: Its randomness.
        weather: What goes wrong.
        book: What was promised.
        database: What the servers keep together, if they do.
        functions: The functions of its jobs.
        servers: The servers.
        clients: The clients.
        workers: The workers.
    """

    def __init__(
        self,
        seed: int,
        engine_type: type[Engine] = Engine,
        audit_every: int = AUDIT_EVERY,
        print_line: Print | None = None,
    ) -> None:
        self.engine_type = engine_type
        self.audit_every = audit_every
        self.clock = Clock()
        self.trace = Trace(self.clock, print_line)
        self.chance = Chance(seed)
        self.weather = Weather.drawn(self.chance)
        self.trace("world", "has", self.weather)
        self.book = Book()
        self.database = Database()
        self.functions: Sequence[bytes] = FUNCTIONS[: 1 + self.chance.below(3)]
        self._number = 0
        self.servers = [Server(self, 1 + n) for n in range(self.weather.servers)]
        self.clients = [self._new_client() for _ in range(self.weather.clients)]
        self.workers = [Worker(self, self.next_number()) for _ in range(self.weather.workers)]
        self._operators = [Operator(self, self.next_number())]

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def _new_client(self) -> Client:
        tasks = -(-self.weather.jobs // self.weather.clients)
        return Client(self, self.next_number(), tasks)

    @property
    def programs(self) -> list[Program]:
        return [*self.clients, *self.workers, *self._operators]

    # From beginning to end

    def run(self) -> None:
        """Let everything happen.

        Raises:
            AssertionError: Something was not as it must be.
        """
        for fault in sorted(self.weather.faults & _FAULTS.keys()):
            for _ in range(1 + self.chance.below(3)):
                moment = self.chance.between(0.0, self.weather.span)
                self.clock.at(moment, _FAULTS[fault], self)
        self.clock.run_until(self.weather.span)
        self._calm_down()
        self._settle()
        self._check()
        self._close()

    def _calm_down(self) -> None:
        self.trace("world", "is calm")
        self.weather.calm = True
        for server in self.servers:
            server.set_clock(0.0)

    def _settle(self) -> None:
        end = self.clock.now + LIMIT
        calls = None
        # A client that reconnects late may still submit something while all seems to rest.
        while calls is None or not self._settled:
            while not self._settled:
                assert self.clock.now < end, f"not done in time: {self._unfinished}"
                self.clock.run_until(self.clock.now + STEP)
            before = self.clock.calls
            self.clock.run_until(self.clock.now + REST)
            calls = self.clock.calls - before
        assert calls <= QUIET, f"{calls} things happen though there is nothing to do"

    @property
    def _settled(self) -> bool:
        busy = any(client.busy for client in self.clients)
        return not busy and all(server.idle for server in self.servers)

    @property
    def _unfinished(self) -> list[object]:
        jobs = [job for server in self.servers for job in server.host.engine.jobs]
        return [*jobs, *(task for client in self.clients for task in client.unfinished)]

    def _check(self) -> None:
        self.book.check()
        for client in self.clients:
            client.check()
        for server in self.servers:
            audit(server.host.engine)

    def _close(self) -> None:
        """End all programs, and see that nothing is left of them."""
        for program in self.programs:
            program.end()
        self.clock.run_until(self.clock.now + REST)
        for server in self.servers:
            engine = server.host.engine
            audit(engine)
            assert not engine.peers, f"connections are left: {list(engine.peers)}"
            assert not engine.jobs, f"jobs are left: {list(engine.jobs)}"
            assert engine.deadline is None, "a timer is left"
            assert not server.disk.jobs, f"jobs are kept: {list(server.disk.jobs)}"
        kept = list(self.database.store.jobs)
        assert not kept, f"jobs are kept: {kept}"

    # What befalls it

    def end_client(self) -> None:
        """End a client, with all that it waits for, and have another one come."""
        place = self.chance.below(len(self.clients))
        self.clients[place].end()
        self.clients[place] = self._new_client()

    def end_worker(self) -> None:
        worker = self.chance.pick(self.workers)
        worker.end()
        self.replace_worker(worker)

    def replace_worker(self, worker: Worker) -> None:
        """Have another worker come for one that has ended."""
        self.workers[self.workers.index(worker)] = Worker(self, self.next_number())

    def cut(self) -> None:
        self.chance.pick(self.chance.pick(self.programs).links).cut()

    def pause(self) -> None:
        link = self.chance.pick(self.chance.pick(self.programs).links)
        link.pause(self.chance.between(0.1, 1.5))

    def crash(self) -> None:
        server = self.chance.pick(self.servers)
        if server.up:
            server.crash()

    def shut_down(self) -> None:
        server = self.chance.pick(self.servers)
        if server.up:
            server.drain()

    def stall(self) -> None:
        self.chance.pick(self.servers).stall(self.chance.between(0.1, 3.0))

    def cut_off(self) -> None:
        self.chance.pick(self.servers).cut_off(self.chance.between(0.0, 4.0))

    def set_clock(self) -> None:
        skew = self.chance.pick([-3600.0, -2.0, 2.0, 3600.0])
        self.chance.pick(self.servers).set_clock(skew)

    def invite(self) -> None:
        Stranger(self, self.chance.pick(self.servers))


_FAULTS: Final[dict[str, Callable[[World], None]]] = {
    "cuts": World.cut,
    "slow readers": World.pause,
    "client crashes": World.end_client,
    "worker crashes": World.end_worker,
    "worker leaves": lambda world: world.chance.pick(world.workers).drain(),
    "server crashes": World.crash,
    "server shutdowns": World.shut_down,
    "server stalls": World.stall,
    "database cuts": World.cut_off,
    "clock jumps": World.set_clock,
    "changing abilities": lambda world: world.chance.pick(world.workers).change_abilities(),
    "strangers": World.invite,
}
