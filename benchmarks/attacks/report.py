"""What the trials found, as a table, and whether it is good enough."""

from dataclasses import dataclass

from benchmarks.attacks.trial import Outcome

LEAST_RATIO = 0.5
"""What the pair keeps at least of its jobs per second beside a neighbour."""
MOST_MEMORY = 1 << 30
"""Bytes of memory that geard may take at most."""
HEAD = (
    f"{'attack':18}{'alone':>9}{'neighbour':>11}{'disturbed':>11}{'ratio':>8}{'worst wait':>12}"
    f"{'refused':>9}{'lost':>6}{'memory':>10}{'gearmand':>12}"
)


@dataclass(frozen=True)
class Row:
    """An attack and what it did.

    Attributes:
        name: Of the attack.
        title: What was done.
        judged: Whether the ratio must meet its floor.
        ours: What it did to geard.
        gearmand: What it did to gearmand; None if that was not tried.
    """

    name: str
    title: str
    judged: bool
    ours: Outcome
    gearmand: Outcome | None

    def faults(self) -> list[str]:
        """Return what is not good enough."""
        outcome = self.ours
        if not outcome.survived:
            return ["geard died"]
        faults = []
        if self.judged and outcome.ratio < LEAST_RATIO:
            faults.append(f"ratio < {LEAST_RATIO}")
        if outcome.fate.broken:
            faults.append(outcome.fate.broken)
        if outcome.fate.lost or outcome.fate.wrong:
            faults.append(f"{outcome.fate.lost} jobs lost, {outcome.fate.wrong} wrong answers")
        if outcome.peak >= MOST_MEMORY:
            faults.append("1 GiB of memory or more")
        return faults


def as_line(row: Row) -> str:
    """Return the line of the table about an attack."""
    ours = row.ours
    line = (
        f"{row.name:18}{ours.undisturbed.rate:9,.0f}{ours.neighbour.rate:11,.0f}"
        f"{ours.disturbed:11,.0f}{ours.ratio:8.2f}{ours.worst * 1e3:9,.0f} ms"
        f"{ours.fate.refused:9}{ours.fate.lost + ours.fate.wrong:6}{ours.peak / 2**20:6,.0f} MiB"
        f"{_compared(row.gearmand):>12}"
    )
    return f"{line}  {', '.join(row.faults())}".rstrip()


def _compared(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if not outcome.survived:
        return "died"
    if outcome.fate.broken or outcome.fate.lost or outcome.fate.wrong:
        return f"{outcome.ratio:.2f}, lost"
    return f"{outcome.ratio:.2f}"


def as_table(rows: list[Row]) -> str:
    """Return the whole table, and what each attack is."""
    titles = [f"{row.name:18}{row.title}" for row in rows]
    return "\n".join([HEAD, *map(as_line, rows), "", *titles])
