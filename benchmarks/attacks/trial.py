"""Tries attacks on a server, and measures how the innocent pair is served meanwhile."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.programs import Fate, Pair, Program, Service, neighbours
from benchmarks.servers import Address, Command, Server, TLSFiles, running

IN_FLIGHT = 8
NEIGHBOURS_IN_FLIGHT = 256
SETTLE = 0.2
"""Seconds from when someone arrives or leaves until measuring begins."""
LEAST_PREPARATION = 1.0
"""Seconds that a preparation must take for its rate to count."""
MOST_ADDRESS_SPACE = 6 << 30
"""Bytes of address space that a server may take: less than would bring the machine down."""


@dataclass(frozen=True)
class Outcome:
    """What a trial found.

    Attributes:
        undisturbed: How the pair was served alone.
        neighbour: And beside as many busy neighbours as there are attackers.
        phases: And while the attackers prepared themselves, and while they struck.
        fate: What became of the pair's jobs.
        peak: The most bytes of memory that the server had.
        survived: Whether the server is there after all.
    """

    undisturbed: Service
    neighbour: Service
    phases: tuple[Service, ...]
    fate: Fate
    peak: int
    survived: bool

    @property
    def disturbed(self) -> float:
        """Jobs per second in the worse phase."""
        return min(phase.rate for phase in self.phases)

    @property
    def worst(self) -> float:
        """The longest wait in any phase, in seconds."""
        return max(phase.worst for phase in self.phases)

    @property
    def ratio(self) -> float:
        """What the pair keeps of its jobs per second beside a neighbour."""
        return self.disturbed / self.neighbour.rate if self.neighbour.jobs else 0.0


@dataclass(frozen=True)
class Trial:
    """How attacks are tried.

    Attributes:
        command: Starts the server.
        seconds: Measured time of each part.
        preparing: The most seconds that attackers may take to prepare themselves.
        divisor: Of all counts of the attacks.
        server_core: The core of the server; None for any.
        tls: The files for attacks on TLS.
    """

    command: Command
    seconds: float
    preparing: float
    divisor: int
    server_core: int | None
    tls: TLSFiles | None

    def run(self, attacks: Sequence[Attack]) -> Outcome:
        """Try attacks, all at once, on a server that is just started.

        Raises:
            ServerError: It does not start.
        """
        tls = self.tls if any(attack.tls for attack in attacks) else None
        with (
            running(self._bounded, self.server_core, tls) as server,
            Pair(server.port, "innocent", IN_FLIGHT, tls) as pair,
        ):
            pair.begin()
            pair.counted()  # it answers once it is at work
            undisturbed = self._serve(pair)
            with neighbours(server.port, len(attacks), NEIGHBOURS_IN_FLIGHT, tls):
                neighbour = self._serve(pair)
            phases = self._attack(server, pair, attacks)
            fate = pair.fate()
            survived = server.process.poll() is None
            peak = server.peak_memory() if survived else 0
        return Outcome(undisturbed, neighbour, phases, fate, peak, survived)

    def _bounded(self, address: Address) -> list[str]:
        return ["prlimit", f"--as={MOST_ADDRESS_SPACE}", *self.command(address)]

    def _serve(self, pair: Pair) -> Service:
        time.sleep(SETTLE)
        pair.begin()
        time.sleep(self.seconds)
        return pair.counted()

    def _attack(self, server: Server, pair: Pair, attacks: Sequence[Attack]) -> tuple[Service, ...]:
        words = (server.port, self.divisor, self.preparing, self.seconds)
        with contextlib.ExitStack() as stack:
            pair.begin()
            attackers = [
                stack.enter_context(Program("attacker", attack.name, *words)) for attack in attacks
            ]
            for attacker in attackers:
                attacker.line()
            preparation = pair.counted()
            pair.begin()
            for attacker in attackers:
                attacker.order("strike")
            time.sleep(self.seconds)
            strike = pair.counted()
            for attacker in attackers:
                attacker.end()
        if preparation.seconds < LEAST_PREPARATION:
            return (strike,)
        return (preparation, strike)
