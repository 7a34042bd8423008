"""Draws docs/performance.svg from docs/performance.json: how far each figure is from its goal.

    .venv/bin/python bench/plot.py

A bar is a figure divided by its goal, so the line at 1 is every goal at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parent.parent / "docs"
LABEL, CHART, ROW, HEIGHT = 310, 430, 46, 15
MOST = 20.0
"""Goals; a longer bar is cut there, and its figure says how long it is."""

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937 } .small { font-size: 11px; fill: #6b7280 }
.before { fill: #cbd5e1 } .after { fill: #2563eb } line { stroke: #dc2626; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .small { fill: #9ca3af } .before { fill: #475569 } .after { fill: #60a5fa }
}
</style>"""


class Figure(TypedDict):
    """One measured thing."""

    name: str
    unit: str
    goal: float
    before: float
    after: float


def bar(y: float, figure: Figure, when: str, value: float) -> str:
    """One bar with its figure."""
    width = CHART * min(value / figure["goal"], MOST) / MOST
    return (
        f'<rect class="{when}" x="{LABEL}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}"/>'
        f'<text class="small" x="{LABEL + width + 5:.0f}" y="{y + 12:.0f}">'
        f"{value:g}{escape(figure['unit'])}</text>"
    )


def picture(figures: list[Figure]) -> str:
    """The whole SVG."""
    height = ROW * len(figures) + 50
    goal = LABEL + CHART / MOST
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="830" height="{height}" role="img">',
        "<title>What streams cost, before and after, as multiples of the goals</title>",
        STYLE,
        f'<line x1="{goal:.0f}" y1="18" x2="{goal:.0f}" y2="{height - 26}"/>',
        f'<text class="small" x="{goal - 10:.0f}" y="13">goal</text>',
    ]
    for number, figure in enumerate(figures):
        y = 24 + ROW * number
        told = f"{figure['name']} (goal {figure['goal']:g}{figure['unit']})"
        parts.append(f'<text x="{LABEL - 10}" y="{y + 20}" text-anchor="end">{escape(told)}</text>')
        parts.append(bar(y, figure, "before", figure["before"]))
        parts.append(bar(y + HEIGHT + 2, figure, "after", figure["after"]))
    y = height - 16
    parts.append(
        f'<rect class="before" x="{LABEL}" y="{y}" width="10" height="10"/>'
        f'<text class="small" x="{LABEL + 15}" y="{y + 9}">before</text>'
        f'<rect class="after" x="{LABEL + 70}" y="{y}" width="10" height="10"/>'
        f'<text class="small" x="{LABEL + 85}" y="{y + 9}">after</text></svg>\n'
    )
    return "\n".join(parts)


def main() -> None:
    """Writes the picture."""
    figures: list[Figure] = json.loads((DOCS / "performance.json").read_text())["figures"]
    (DOCS / "performance.svg").write_text(picture(figures))


if __name__ == "__main__":
    main()
