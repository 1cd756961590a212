"""What a run found, as a table and as JSON."""

import statistics
import tomllib
from pathlib import Path

from benchmarks.contest import Result, Series

FLOORS = Path(__file__).parent / "floors.toml"

Floors = dict[str, dict[str, float]]
"""By the key of a measure: the least ratio to each peer, or the most that ours may be."""


def read_floors() -> Floors:
    """Return what the figures should reach at least."""
    return {
        key: {name: float(value) for name, value in floors.items()}
        for key, floors in tomllib.loads(FLOORS.read_text(encoding="utf-8")).items()
    }


def met(result: Result, floors: Floors) -> dict[str, bool | None]:
    """Return which floors of a measure are met, by name; None where a figure is missing."""
    answers: dict[str, bool | None] = {}
    ours = result.best(next(iter(result.series)))
    for name, floor in floors.get(result.measure.key, {}).items():
        if name == "most":
            answers[name] = None if ours is None else ours.median <= floor
        elif name in result.series:
            ratio = result.ratio(name)
            answers[name] = None if ratio is None else ratio >= floor
    return answers


def as_json(results: list[Result], floors: Floors) -> list[dict[str, object]]:
    """Return the results as what JSON can hold."""
    return [
        {
            "question": result.question,
            "measure": result.measure.key,
            "title": result.measure.title,
            "unit": result.measure.unit,
            "higher_is_better": result.measure.higher_is_better,
            "figures": {
                name: None if best is None else best.median
                for name, best in ((name, result.best(name)) for name in result.series)
            },
            "ratios": {name: result.ratio(name) for name in list(result.series)[1:]},
            "floors": floors.get(result.measure.key, {}),
            "met": met(result, floors),
            "series": {
                name: [vars(series) for series in all_series]
                for name, all_series in result.series.items()
            },
        }
        for result in results
    ]


def as_table(results: list[Result], floors: Floors) -> str:
    """Return a line for each measure and entrant, with ratio, floor and whether it is met."""
    lines = [f"{'':24}{'figure':>14}{'':10}{'cost':>10}{'ratio':>10}{'floor':>8}  {'':8}how"]
    question = None
    for result in results:
        if result.question != question:
            lines.append("")
        question = result.question
        lines.append(f"{result.measure.key:10}{result.measure.title}")
        answers = met(result, floors)
        limits = floors.get(result.measure.key, {})
        for index, name in enumerate(result.series):
            lines.append(_line(result, name, limits, answers, first=index == 0))
    return "\n".join(lines)


def _line(
    result: Result, name: str, limits: dict[str, float], answers: dict[str, bool | None],
    *, first: bool,
) -> str:  # fmt: skip
    best = result.best(name)
    if best is None:
        failures = [failure for series in result.series[name] for failure in series.failures]
        return f"{'':12}{name:12}{'failed':>14} {failures[0] if failures else ''}"
    ratio = None if first else result.ratio(name)
    limit = "most" if first else name
    floor = limits.get(limit)
    verdict = {True: "met", False: "NOT met", None: ""}[answers.get(limit)]
    sign = "≤" if first else "≥"
    return (
        f"{'':12}{name:12}{best.median:>14,.1f} {result.measure.unit:9}"
        f"{f'{statistics.median(best.costs):,.1f} µs' if best.costs else '':>10}"
        f"{'' if ratio is None else f'{ratio:,.2f} x':>10}"
        f"{'' if floor is None else f'{sign} {floor:g}':>8}  {verdict:8}{_how(best)}"
    ).rstrip()


def _how(series: Series) -> str:
    spread = f"{min(series.figures):,.0f} to {max(series.figures):,.0f}"
    return " ".join(word for word in (series.placement, series.variant, f"({spread})") if word)
