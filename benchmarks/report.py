"""What a run found, as a table and as JSON."""

import statistics
import tomllib
from pathlib import Path

from benchmarks.contest import Result, Series

FLOORS = Path(__file__).parent / "floors.toml"

Floors = dict[str, dict[str, float]]
"""By the key of a measure: the least ratio to each peer, or the most or least that ours may be."""
_SIGNS = {"most": "≤", "least": "≥"}
"""Floors of our own figure, and how they are written."""


def read_floors() -> Floors:
    """Return what the figures should reach at least."""
    return {
        key: {name: float(value) for name, value in floors.items()}
        for key, floors in tomllib.loads(FLOORS.read_text(encoding="utf-8")).items()
    }


def met(result: Result, floors: Floors) -> dict[str, bool | None]:
    """Return which floors of a measure are met, by name; None where a figure is missing."""
    answers: dict[str, bool | None] = {}
    ours = result.best(result.ours)
    for name, floor in floors.get(result.measure.key, {}).items():
        if name in _SIGNS:
            answers[name] = None if ours is None else _holds(name, ours.median, floor)
        elif name in result.series:
            ratio = result.ratio(name)
            answers[name] = None if ratio is None else ratio >= floor
    return answers


def _holds(name: str, figure: float, floor: float) -> bool:
    return figure <= floor if name == "most" else figure >= floor


def as_json(results: list[Result], floors: Floors) -> list[dict[str, object]]:
    """Return the results as what JSON can hold."""
    return [
        {
            "question": result.question.number,
            "measure": result.measure.key,
            "title": result.measure.title,
            "unit": result.measure.unit,
            "higher_is_better": result.measure.higher_is_better,
            "figures": {
                name: None if best is None else best.median
                for name, best in ((name, result.best(name)) for name in result.series)
            },
            "ratios": {name: result.ratio(name) for name in result.others},
            "floors": floors.get(result.measure.key, {}),
            "met": met(result, floors),
            "series": {
                name: [vars(series) for series in all_series]
                for name, all_series in result.series.items()
            },
        }
        for result in results
    ]


def as_lines(found: dict[str, object]) -> str:
    """Return what was measured, on what and how, in lines for people."""
    lines = []
    for key, value in found.items():
        entries = value.items() if isinstance(value, dict) else [("", value)]
        for name, entry in entries:
            words = entry.values() if isinstance(entry, dict) else [entry]
            lines.append(f"{f'{key} {name}':24}" + ", ".join(str(word) for word in words))
    return "\n".join(lines)


def as_table(results: list[Result], floors: Floors) -> str:
    """Return a line for each measure and entrant, with ratio, floor and whether it is met."""
    lines = [
        f"{'':28}{'figure':>14}{'':10}{'cost':>10}{'load':>6}{'ratio':>11}{'floor':>8}  {'':8}how"
    ]
    question = None
    for result in results:
        if result.question != question:
            question = result.question
            lines += ["", f"{question.number}. {question.title}"]
        lines.append(f"    {result.measure.key:24}{result.measure.title}")
        answers = met(result, floors)
        limits = floors.get(result.measure.key, {})
        for name in result.series:
            lines.append(_line(result, name, limits, answers, first=name == result.ours))
    return "\n".join(lines)


def _line(
    result: Result, name: str, limits: dict[str, float], answers: dict[str, bool | None],
    *, first: bool,
) -> str:  # fmt: skip
    best = result.best(name)
    failures = result.failures(name)
    if best is None:
        return f"{'':8}{name:20}{'failed':>14} {failures[0] if failures else ''}"
    ratio = None if first else result.ratio(name)
    limit = next((own for own in _SIGNS if own in limits), "") if first else name
    floor = limits.get(limit)
    verdict = {True: "met", False: "NOT met", None: ""}[answers.get(limit)]
    sign = _SIGNS.get(limit, "≥")
    return (
        f"{'':8}{name:20}{_number(best.median):>14} {result.measure.unit:9}"
        f"{f'{statistics.median(best.costs):,.1f} µs' if best.costs else '':>10}"
        f"{f'{statistics.median(best.loads):.0%}' if best.loads else '':>6}"
        f"{'' if ratio is None else f'{_number(ratio)} x':>11}"
        f"{'' if floor is None else f'{sign} {floor:g}':>8}  {verdict:8}"
        f"{_how(best)}{f' FAILED {len(failures)} times: {failures[0]}' if failures else ''}"
    ).rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def _how(series: Series) -> str:
    spread = f"{_number(min(series.figures))} to {_number(max(series.figures))}"
    return " ".join(word for word in (series.placement, series.variant, f"({spread})") if word)
