"""What goes wrong in a world, and how often."""

import functools
from typing import Final

import msgspec

from gear_server.settings import UNLIMITED, ServerSettings
from simulation.chance import Chance

FAULTS: Final = (
    "delays",
    "cuts",
    "slow readers",
    "client crashes",
    "worker crashes",
    "worker leaves",
    "server crashes",
    "server shutdowns",
    "server stalls",
    "disk failures",
    "slow disks",
    "database cuts",
    "clock jumps",
    "cancellations",
    "impatience",
    "limits",
    "changing abilities",
    "strangers",
)

_geard = functools.partial(
    ServerSettings, cancel_running=True, tell_cancelled=True, tell_abandoned=True
)
_SETTINGS: Final = [
    _geard(job_retries=UNLIMITED),
    _geard(job_retries=UNLIMITED, worker_wakeup=0),
    _geard(job_retries=UNLIMITED, worker_wakeup=2, max_send_queue=6000),
    _geard(job_retries=UNLIMITED, exceptions=True, max_send_queue=2000),
    _geard(job_retries=3, max_send_queue=6000),
    _geard(job_retries=UNLIMITED, job_timeout=1.0, max_jobs=4),
    _geard(job_retries=UNLIMITED, max_memory=6000, max_registrations=40),
    ServerSettings(),
    ServerSettings(job_retries=2, worker_wakeup=0, max_send_queue=6000),
]


class Weather(msgspec.Struct):
    """The faults of a world: each world has some kinds of them, and none of the others.

    So what happens only while something else does not is seen as well.

    Attributes:
        chance: The randomness of the world.
        faults: The kinds of faults that it has.
        settings: The settings of its servers.
        servers: The number of servers.
        clients: The number of clients.
        workers: The number of workers.
        jobs: The number of jobs.
        span: Seconds in which jobs come and faults happen.
        longest: The most bytes of a payload.
        durable: Whether its servers keep background jobs.
        shared: Whether they keep them together.
        calm: Whether there are no faults any more.
    """

    chance: Chance
    faults: frozenset[str]
    settings: ServerSettings
    servers: int
    clients: int
    workers: int
    jobs: int
    span: float
    longest: int
    durable: bool
    shared: bool
    calm: bool = False

    @classmethod
    def drawn(cls, chance: Chance) -> "Weather":
        """Return the weather of a new world."""
        share = chance.fraction() * 0.7
        weather = cls(
            chance=chance,
            faults=frozenset(fault for fault in FAULTS if chance.happens(share)),
            settings=chance.pick(_SETTINGS),
            servers=1 + chance.below(2),
            clients=1 + chance.below(3),
            workers=1 + chance.below(3),
            jobs=1 + chance.below(24),
            span=chance.between(0.5, 4.0),
            longest=chance.pick([0, 40, 40, 400, 3000]),
            durable=chance.happens(0.5),
            shared=False,
        )
        weather.shared = weather.durable and weather.servers > 1 and chance.happens(0.6)
        return weather

    def __str__(self) -> str:
        numbers = f"{self.servers} servers, {self.clients} clients, {self.workers} workers"
        kept = " that are kept" if self.durable else ""
        kept += " together" if self.shared else ""
        return f"{numbers}, {self.jobs} jobs{kept}; {', '.join(sorted(self.faults)) or 'fair'}"

    def has(self, fault: str) -> bool:
        """Whether a kind of fault may happen now."""
        return not self.calm and fault in self.faults

    def strikes(self, fault: str, probability: float) -> bool:
        """Whether a fault happens on this occasion."""
        return self.has(fault) and self.chance.happens(probability)

    @property
    def may_refuse(self) -> bool:
        """Whether servers may refuse jobs."""
        limited = self.settings.max_jobs < 10 or self.settings.max_memory < 10_000
        if self.durable and self.faults & {"disk failures", "database cuts"}:
            return True
        return limited or bool(self.faults & {"server shutdowns", "limits"})

    def latency(self) -> float:
        """Seconds that some bytes need."""
        if self.strikes("delays", 0.2):
            return self.chance.between(0.0, 0.8)
        return self.chance.between(0.0001, 0.002)
