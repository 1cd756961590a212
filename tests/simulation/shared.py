"""A store that the servers of a world share: what PostgreSQL does for several geards."""

from collections import Counter

from gear_server.queue.store import Batch, StoredJob, StoredLimits, StoreError
from simulation.clock import Clock
from support.memory_store import MemoryStore

NUMBERS = 1 << 40
"""Numbers of jobs that a node has."""
INTERVAL = 0.5
"""Seconds between looks for nodes without a server."""
LOOKS = 3
ALONE = (LOOKS - 1) * INTERVAL
"""Seconds that pass at least between the end of a session and a takeover."""
LEASE = 2.0
"""Seconds after which a server that says nothing counts as frozen; longer than a takeover takes."""


class Node:
    """One start of a server, as the database has it.

    Attributes:
        number: Its number.
        held: Whether the session of its server is there, and holds its lock.
        adopter: The node that has its jobs now; None for itself.
        seen: When it was heard of.
    """

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.held = True
        self.adopter: Node | None = None
        self.seen = now

    @property
    def owner(self) -> "Node":
        """The node that has its jobs."""
        return self if self.adopter is None else self.adopter.owner


class Database:
    """What all servers of a world keep together.

    Attributes:
        store: The jobs.
        nodes: All nodes.
        adopted: How often jobs of a handle were taken over.
    """

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.nodes: list[Node] = []
        self.adopted: Counter[bytes] = Counter()
        self._nodes: dict[int, Node] = {}

    def join(self, now: float) -> Node:
        """Return the node of a server that starts."""
        node = Node(len(self.nodes) + 1, now)
        self.nodes.append(node)
        return node

    def write(self, node: Node, batch: Batch) -> None:
        """Write a batch of a node."""
        self.store.keep(batch)
        for job in batch.added:
            self._nodes[job.number] = node

    def owner(self, number: int) -> Node | None:
        """Return the node that has a job; None if it is not there."""
        return self._nodes[number].owner if number in self.store.jobs else None

    def adopt(self, dead: Node, heir: Node) -> list[StoredJob]:
        """Give the jobs of a node to another one; returns them."""
        mine = [job for number, job in self.store.jobs.items() if self.owner(number) is dead]
        dead.adopter = heir
        self.adopted.update(job.handle for job in mine)
        return mine


class Session:
    """A server's way to the database, which may be cut.

    Args:
        database: The database.
        clock: The clock of the world.
        limits: The limits of ``maxqueue`` that this server has kept.

    Attributes:
        node: The node that the server is now.
        sure_until: When others may take over its jobs at the earliest.
        away_until: When a session that was cut can be made anew.
        error: What the next write raises, if anything.
        half: Whether a write that fails is down all the same.
    """

    name = "shared store"

    def __init__(self, database: Database, clock: Clock, limits: dict[bytes, StoredLimits]) -> None:
        self.database = database
        self.limits = limits
        self.error: BaseException | None = None
        self.half = False
        self.away_until = 0.0
        self._clock = clock
        self._written: Batch | None = None
        self._unseen: Counter[Node] = Counter()
        self.node = database.join(clock.now)
        self.sure_until = 0.0
        self._note_seen()

    @property
    def reserved(self) -> int:
        return self.node.number * NUMBERS

    def _note_seen(self) -> None:
        self.node.seen = self._clock.now
        self.sure_until = self._clock.now + LEASE

    # Its life

    def cut(self, seconds: float) -> None:
        """Lose the session, and find no way to the database for a while."""
        self.node.held = False
        self.away_until = self._clock.now + seconds

    def is_lost(self) -> bool:
        """Return whether the session is lost, which is noticed now."""
        if not self.node.held:
            self.sure_until = min(self.sure_until, self.node.seen + ALONE)
        return not self.node.held

    def renew(self, batch: Batch | None) -> bool | None:
        """Make the session anew.

        Args:
            batch: The batch on its way, if there is one.

        Returns:
            None if the jobs are still this server's. If others have them, and it is a new node:
            whether the batch on its way is down.
        """
        if self.node.adopter is None:
            self.node.held = True
            self._note_seen()
            return None
        self.node = self.database.join(self._clock.now)
        self._unseen.clear()
        self._note_seen()
        return batch is not None and batch is self._written

    def look(self, looks: int = LOOKS) -> list[StoredJob]:
        """Show that the server lives; returns the jobs of those that do not."""
        self._note_seen()
        jobs: list[StoredJob] = []
        for node in self.database.nodes:
            if node.adopter is not None or node is self.node:
                continue
            if node.held:
                node.held = node.seen >= self._clock.now - LEASE
                self._unseen[node] = 0
                continue
            self._unseen[node] += 1
            heard_of = node.seen > self._clock.now - ALONE
            if self._unseen[node] >= (LOOKS if heard_of else looks):
                jobs += self.database.adopt(node, self.node)
        return jobs

    # Writing

    def write(self, batch: Batch) -> None:
        if self.error is not None or not self.node.held:
            if self.half and self.node.held:
                self.keep(batch)
            raise self.error or StoreError("the database is away")
        self.keep(batch)
        self._note_seen()

    def keep(self, batch: Batch) -> None:
        """Write a batch, unless it is down already."""
        if batch is self._written or not self.node.held:
            return
        self._written = batch
        self.database.write(self.node, batch)
        for name, limits in batch.limits.items():
            if limits is None:
                self.limits.pop(name, None)
            else:
                self.limits[name] = limits
