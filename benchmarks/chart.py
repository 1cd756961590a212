"""Draws how many times better ours is than each peer: bars on a log scale, as SVG."""

import math
from xml.sax.saxutils import escape

from benchmarks.contest import Result
from benchmarks.report import Floors

COLOURS = {
    "gearmand": "#2f6f9f",
    "gearmand-1": "#8db7d6",
    "gear016": "#d08a2e",
    "python3-gearman": "#7a9a3a",
}
NAMES = {"gear016": "gear 0.16", "gearmand-1": "gearmand --threads 1"}
OTHER = "#8a6fb0"
LEFT, RIGHT, WIDTH = 300, 70, 940
TOP, ROW, BAR, GAP = 76, 14, 10, 12
LEAST, MOST = 0.1, 10_000.0
FONT = "font-family='system-ui, sans-serif' font-size='12'"


def draw(results: list[Result], floors: Floors) -> str:
    """Return the chart of the measures that are compared."""
    rows = [result for result in results if any(result.ratio(name) for name in result.others)]
    parts: list[str] = []
    question = None
    y = float(TOP)
    for result in rows:
        if result.question != question:
            question = result.question
            y += GAP
            heading = f"{question.number}. {question.title}"
            parts.append(_text(16, y + 4, heading, "#222", "font-weight='bold'"))
            y += ROW
        parts += _measure(y, result, floors.get(result.measure.key, {}))
        y += ROW * sum(1 for name in result.others if result.ratio(name)) + GAP / 2
    seen = list(dict.fromkeys(name for result in rows for name in result.others))
    body = [*_axis(y), *parts, *_legend(seen)]
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {y + 12:.0f}' {FONT} "
        f"role='img' aria-label='How many times better gear is than its peers'>\n"
        f"<rect width='100%' height='100%' fill='#fff'/>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _measure(y: float, result: Result, floors: dict[str, float]) -> list[str]:
    """Return the label of a measure and a bar for each peer, from y on downwards."""
    ratios = {name: ratio for name in result.others if (ratio := result.ratio(name))}
    unit = "" if result.measure.unit == "jobs/s" else f", {result.measure.unit}"
    middle = y + len(ratios) * ROW / 2 + 4
    parts = [_text(LEFT - 12, middle, result.measure.title + unit, "#222", "text-anchor='end'")]
    for index, (name, ratio) in enumerate(ratios.items()):
        parts += _bar(y + index * ROW, name, ratio, floors)
    return parts


def _x(ratio: float) -> float:
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _bar(y: float, name: str, ratio: float, floors: dict[str, float]) -> list[str]:
    """Return the bar of a ratio, from 1 on to either side, its number and its floor."""
    start, end = sorted((_x(1.0), _x(ratio)))
    bar = (
        f"<rect x='{start:.1f}' y='{y + (ROW - BAR) / 2:.1f}' width='{max(end - start, 1):.1f}' "
        f"height='{BAR}' fill='{COLOURS.get(name, OTHER)}'/>"
    )
    number = f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"
    parts = [bar]
    if name in floors:
        x = _x(floors[name])
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{y}' y2='{y + ROW}' stroke='#c0392b' "
            "stroke-width='2'/>"
        )
        end = max(end, x)
    return [*parts, _text(end + 5, y + ROW / 2 + 4, number, "#222")]


def _axis(bottom: float) -> list[str]:
    parts = []
    decades = range(round(math.log10(LEAST)), round(math.log10(MOST)) + 1)
    for ratio in (10.0**power for power in decades):
        x = _x(ratio)
        colour = "#555" if ratio == 1.0 else "#ddd"
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP - 8}' y2='{bottom}' "
                     f"stroke='{colour}'/>")  # fmt: skip
        parts.append(_text(x, TOP - 14, f"{ratio:,g} x", "#555", "text-anchor='middle'"))
    return parts


def _legend(names: list[str]) -> list[str]:
    parts = [_text(16, 24, "How many times better gear is than", "#222")]
    x = 250.0
    for name in names:
        parts.append(
            f"<rect x='{x}' y='14' width='12' height='12' fill='{COLOURS.get(name, OTHER)}'/>"
        )
        parts.append(_text(x + 17, 24, NAMES.get(name, name), "#222"))
        x += 40 + 7 * len(NAMES.get(name, name))
    parts.append(f"<line x1='{x}' x2='{x}' y1='13' y2='27' stroke='#c0392b' stroke-width='2'/>")
    return [*parts, _text(x + 8, 24, "what it should be at least", "#222")]


def _text(x: float, y: float, words: str, colour: str, style: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' fill='{colour}' {style}>{escape(words)}</text>"
