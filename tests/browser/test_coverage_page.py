"""The coverage picture in a real browser; skipped where there is no Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from logferry.collect.windows import windows
from logferry.coverage.page import page, render
from logferry.ledger.status import Outcome, SeriesCoverage, WindowCoverage

if TYPE_CHECKING:
    from pathlib import Path

    from logferry.models.request import Every

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
LONG = "AVeryLongNameWithoutAnyPlaceToBreakIt" * 6

MEASURE = """
<script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument
  const box = element => element.getBoundingClientRect()
  const cells = [...page.querySelectorAll("g")].map(box)
  const style = (selector, name) => frame.contentWindow.getComputedStyle(page.querySelector(selector))[name]
  document.body.dataset.found = JSON.stringify({
    width: page.documentElement.scrollWidth,
    beyond: [...page.querySelectorAll("*")].filter(one => box(one).right > frame.clientWidth + .5).length,
    cells: cells.length,
    smallest: Math.min(...cells.map(cell => cell.width)),
    rows: page.querySelectorAll("[role=row]").length,
    failed: style(".failed rect", "fill"),
    ground: style(".logferry", "backgroundColor"),
  })
})
</script>
"""


def coverage(every: Every, count: int, name: str) -> SeriesCoverage:
    found = windows(every, ZoneInfo("Europe/London"), NOW, lookback=count)
    kinds = list(Outcome)
    told = [
        WindowCoverage(window, kinds[place // 9 % len(kinds)] if place % 9 == 0 else Outcome.LANDED, LONG)
        for place, window in enumerate(found)
    ]
    series = {"source": "spark-log-csv", "connection": "acme", "target": {"service": name}, "filters": {}}
    return SeriesCoverage(series, every, told)


EVERYTHING = [
    coverage("day", 365, "Motor"),
    coverage("hour", 120, LONG),
    coverage("hour", 9_000, "Home"),
    coverage("week", 60, "Life"),
    coverage("month", 30, "Travel"),
]


def look(folder: Path, text: str, width: int) -> dict[str, Any]:
    """Lay a page out in a frame of this width and measure it."""
    frame = f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{html.escape(text)}"></iframe>'
    (folder / "outer.html").write_text(f"<body>{frame}{MEASURE}")
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",  # containers have no user namespaces; the page is our own
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=2000",
        "--dump-dom",
        f"file://{folder / 'outer.html'}",
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout  # noqa: S603
    found = re.search(r'data-found="([^"]*)"', dom)
    assert found, dom[-2_000:]
    measured: dict[str, Any] = json.loads(html.unescape(found[1]))
    return measured


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_leaves_the_frame(tmp_path: Path, width: int) -> None:
    # Given series of every kind, with names that cannot be broken
    # When the page is shown on a telephone, a tablet, a desk
    found = look(tmp_path, page(EVERYTHING), width)
    # Then nothing reaches beyond it, and every cell can still be hit with a finger's tip or a pointer
    assert (found["width"], found["beyond"]) == (width, 0)
    assert found["cells"] > 900
    assert found["smallest"] >= 8
    assert found["rows"] > 30


@pytest.mark.parametrize(
    ("theme", "failed", "ground"),
    [
        ("light", "rgb(200, 50, 60)", "rgb(255, 255, 255)"),
        ("dark", "rgb(242, 102, 109)", "rgb(15, 23, 34)"),
    ],
)
def test_a_dashboards_theme_reaches_the_cells(tmp_path: Path, theme: str, failed: str, ground: str) -> None:
    # Given a widget as CloudWatch gets it
    text = render([coverage("day", 90, "Motor")], theme)  # type: ignore[arg-type]
    # When a browser applies its style
    found = look(tmp_path, text, 588)
    # Then the cells and the ground are the theme's
    assert (found["failed"], found["ground"]) == (failed, ground)
