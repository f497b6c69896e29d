"""Bars as SVG: plain text, readable on a light and on a dark page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, LABELS, VALUES = 760, 230, 70
ROW, TOP, GAP = 26, 56, 50
STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px } .head { fill: #57606a }
  .bar { fill: #b6bec9 } .ours { fill: #0a7d55 } .mark { stroke: #cf222e; stroke-dasharray: 4 3 }
  .limit { fill: #cf222e; font-size: 12px }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .head { fill: #9da7b3 }
    .bar { fill: #4a535f } .ours { fill: #2fbf8b } .mark { stroke: #ff7b72 } .limit { fill: #ff7b72 }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: its length, and what is written behind it."""

    name: str
    length: float
    text: str
    ours: bool = False


def picture(title: str, panels: Sequence[tuple[str, Sequence[Bar], float | None]]) -> str:
    """Draw panels of bars below one another: each has a heading, and perhaps a mark across its bars."""
    at, drawn = TOP, []
    for heading, bars, mark in panels:
        drawn += panel(at, heading, bars, mark)
        at += ROW * len(bars) + GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at}" role="img">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            f'<text class="title" x="0" y="18">{escape(title)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )


def panel(top: int, heading: str, bars: Sequence[Bar], mark: float | None) -> list[str]:
    """Draw one panel."""
    unit = (WIDTH - LABELS - VALUES) / max(bar.length for bar in bars)
    lines = [f'<text class="head" x="0" y="{top - 8}">{escape(heading)}</text>']
    for place, bar in enumerate(bars):
        y = top + place * ROW
        width = max(1.0, bar.length * unit)
        lines += [
            f'<text x="0" y="{y + 16}">{escape(bar.name)}</text>',
            f'<rect class="{"ours" if bar.ours else "bar"}" x="{LABELS}" y="{y + 3}" rx="2"',
            f'  width="{width:.1f}" height="{ROW - 8}"/>',
            f'<text x="{LABELS + width + 6:.1f}" y="{y + 16}">{escape(bar.text)}</text>',
        ]
    if mark:
        x = LABELS + mark * unit
        lines += [
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + ROW * len(bars)}"/>',
            f'<text class="limit" x="{x + 4:.1f}" y="{top + ROW * len(bars) + 12}">limit {mark:.2f}</text>',
        ]
    return lines
