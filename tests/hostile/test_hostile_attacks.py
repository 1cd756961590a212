"""All attacks of `hatch run attacks`, small and one after another, on one geard with its defaults.

How fast the innocent are meanwhile, only the benchmark can say; here they are served at all.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.attacks.kinds import ATTACKS
from benchmarks.attacks.programs import Pair, Program
from benchmarks.servers import TLSFiles

from support.certificates import Authority
from support.geard_program import HOST, TIMEOUT, Geard

DIVISOR = 50
"""Of all counts of the attacks."""
PREPARING = 10.0
SECONDS = 0.3
IN_FLIGHT = 8
MOST_MEMORY = 1 << 20
"""Kibibytes."""
PLAIN = [name for name, attack in ATTACKS.items() if not attack.tls]
OVER_TLS = [name for name, attack in ATTACKS.items() if attack.tls]


def attack(port: int, name: str) -> Iterator[None]:
    """Yield when an attack is prepared, and return when it is over."""
    with Program("attacker", name, port, DIVISOR, PREPARING, SECONDS) as attacker:
        assert attacker.line() == "ready", attacker.end()
        yield
        attacker.order("strike")
        assert attacker.process.wait(TIMEOUT) == 0, attacker.end()


def wait_until_served(pair: Pair, name: str) -> None:
    """Wait until more jobs came back than were on their way: an attack may be over at once."""
    deadline = time.monotonic() + TIMEOUT
    jobs = pair.counted().jobs
    while jobs <= IN_FLIGHT:
        assert time.monotonic() < deadline, f"{name}: {jobs} jobs"
        pair.begin()
        time.sleep(0.02)  # the pair tells only what it has counted until now
        jobs += pair.counted().jobs


def serve_beside(geard: Geard, names: list[str], tls: TLSFiles | None) -> None:
    """Have a client and a worker at work beside attacks, one after another."""
    with Pair(geard.port, "innocent", IN_FLIGHT, tls) as pair:
        for name in names:
            for _ in attack(geard.port, name):
                pair.begin()
            wait_until_served(pair, name)
        fate = pair.fate()
    assert (fate.lost, fate.wrong, fate.refused, fate.broken) == (0, 0, 0, "")
    assert geard.peak_memory() < MOST_MEMORY
    assert "Traceback" not in geard.stop()


@pytest.mark.timeout(300)
def test_the_innocent_are_served_beside_every_attack(tmp_path: Path) -> None:
    with Geard(tmp_path) as geard:
        serve_beside(geard, PLAIN, None)


def test_the_innocent_are_served_beside_attacks_on_tls(tmp_path: Path) -> None:
    files = Authority(tmp_path / "authority").issue(HOST)
    tls = TLSFiles(Path(files.ca), Path(files.cert), Path(files.key))
    options = ("--ssl-ca", files.ca, "--ssl-cert", files.cert, "--ssl-key", files.key)
    with Geard(tmp_path, *options) as geard:
        serve_beside(geard, OVER_TLS, tls)
