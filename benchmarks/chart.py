"""Draws how many times better ours is than its peers, a group a question, as SVG.

The table has every measure and every peer. The chart has what a newcomer asks: the first measure
of each question that is compared, beside gearmand as it comes and gear 0.16.
"""

import math
from xml.sax.saxutils import escape

from benchmarks.contest import Result

PEERS = {"gearmand": "gearmand", "gear016": "gear 0.16"}
WIDTH, LEFT, RIGHT = 740, 284, 60
TOP, BAR, GROUP, BOTTOM = 96, 13, 48, 14
LEAST, MOST = 0.4, 1_000.0
TICKS = (1, 10, 100, 1_000)
# An image cannot see which theme its page has: it follows the reader's system, as pages do.
STYLE = """
svg { font: 13px system-ui, sans-serif; }
.ground { fill: #fff; } text { fill: #222; } .small { font-size: 11.5px; fill: #666; }
.title { font-weight: 600; } .axis { stroke: #ddd; } .even { stroke: #777; }
.gearmand { fill: #2f6f9f; } .gear016 { fill: #c98a2b; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #131416; } text { fill: #e3e3e6; } .small { fill: #a3a3a8; }
  .axis { stroke: #34353a; } .even { stroke: #8c8d93; }
  .gearmand { fill: #6fb1e0; } .gear016 { fill: #e0a94f; }
}
"""


def draw(results: list[Result]) -> str:
    """Return the chart of the measures that it shows."""
    rows = _shown(results)
    bottom = TOP + GROUP * len(rows)
    body = [*_legend(), *_axis(bottom)]
    for index, result in enumerate(rows):
        body += _group(TOP + GROUP * index, result)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {bottom + BOTTOM}' "
        f"width='{WIDTH}' role='img' "
        "aria-label='How many times better gear is than gearmand and gear 0.16'>\n"
        f"<style>{STYLE}</style>\n<rect class='ground' width='100%' height='100%'/>\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _shown(results: list[Result]) -> list[Result]:
    first: dict[int, Result] = {}
    for result in results:
        if _ratios(result):
            first.setdefault(result.question.number, result)
    return list(first.values())


def _ratios(result: Result) -> dict[str, float]:
    return {name: ratio for name in PEERS if (ratio := result.ratio(name))}


def _group(y: float, result: Result) -> list[str]:
    """Return a question's title and measure, and a bar for each peer, from y on downwards."""
    ratios = _ratios(result)
    end = f"x='{LEFT - 14}' text-anchor='end'"
    parts = [
        f"<text class='title' {end} y='{y + 18}'>{escape(_title(result))}</text>",
        f"<text class='small' {end} y='{y + 34}'>{escape(result.measure.title)}</text>",
    ]
    top = y + (GROUP - BAR * len(ratios)) / 2
    for index, (name, ratio) in enumerate(ratios.items()):
        parts += _bar(top + BAR * index, name, ratio)
    return parts


def _title(result: Result) -> str:
    return result.question.title[0].upper() + result.question.title[1:]


def _x(ratio: float) -> float:
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _bar(y: float, name: str, ratio: float) -> list[str]:
    """Return the bar of a ratio, from 1 on to either side, and its number."""
    start, end = sorted((_x(1.0), _x(ratio)))
    number = f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"
    return [
        f"<rect class='{name}' x='{start:.1f}' y='{y + 1:.1f}' width='{max(end - start, 1):.1f}' "
        f"height='{BAR - 2}'/>",
        f"<text class='small' x='{end + 5:.1f}' y='{y + BAR - 2.5:.1f}'>{number} &#215;</text>",
    ]


def _axis(bottom: float) -> list[str]:
    parts = []
    for ratio in TICKS:
        x, kind = _x(ratio), "even" if ratio == 1 else "axis"
        parts.append(
            f"<line class='{kind}' x1='{x:.1f}' x2='{x:.1f}' y1='{TOP - 8}' y2='{bottom}'/>"
        )
        label = "equal" if ratio == 1 else f"{ratio:,g} &#215;"
        parts.append(
            f"<text class='small' x='{x:.1f}' y='{TOP - 14}' text-anchor='middle'>{label}</text>"
        )
    return parts


def _legend() -> list[str]:
    parts = ["<text class='title' x='16' y='27'>How many times better gear is than</text>"]
    x = LEFT + 16
    for name, title in PEERS.items():
        parts.append(f"<rect class='{name}' x='{x}' y='16' width='13' height='13' rx='2'/>")
        parts.append(f"<text x='{x + 19}' y='27'>{title}</text>")
        x += 50 + 7 * len(title)
    note = "Bars to the right of “equal”: gear is ahead. Each line is ten times the one before."
    return [*parts, f"<text class='small' x='16' y='50'>{note}</text>"]
