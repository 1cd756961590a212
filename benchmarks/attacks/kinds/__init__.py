"""All attacks, by their names."""

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.kinds import (
    connections,
    floods,
    functions,
    jobs,
    memory,
    nonsense,
    text,
    tls,
    workers,
)

ATTACKS: dict[str, Attack] = {
    attack.name: attack
    for module in (memory, floods, text, jobs, functions, workers, connections, nonsense, tls)
    for attack in module.ATTACKS
}
