"""The coverage of series as HTML: legend, calendars, and a table of what needs a look.

One text for CloudWatch's custom widget and for a page of its own: no script, no outside file, nothing that
leaves its frame from 360 px on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from logferry.coverage.calendar import blocks, swatch
from logferry.ledger.status import Outcome, count_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logferry.ledger.status import SeriesCoverage, WindowCoverage
    from logferry.models.request import Every

Theme = Literal["light", "dark", "auto"]

SERIES_DRAWN = 50
BLOCKS_DRAWN = 24
"""Calendars a series: two years of months; older windows are counted in the table and not drawn."""
TROUBLES_LISTED = 12

MEANINGS = {
    Outcome.LANDED: "it is in the bucket, whole",
    Outcome.EMPTY: "it is in the bucket, and the vendor had nothing for that time",
    Outcome.SUSPECT: "it is in the bucket, but may not be everything: look at it",
    Outcome.EARLY: "it is in the bucket, but was asked for before its time was over: it is asked for again",
    Outcome.CUT: "the vendor's limit was reached: it is there once its parts are",
    Outcome.IN_PROGRESS: "it is being exported now",
    Outcome.MISSING: "nobody ever asked for it: the next collection does",
    Outcome.FAILED: "it failed: the next collection tries again",
    Outcome.GIVEN_UP: "it failed as often as it may: only a person starts it again",
}
"""What each word means, for who rests a pointer on it."""
CERTAIN = {Outcome.LANDED, Outcome.EMPTY}

_HEADS = ("Window", "Outcome", "What is known")

_COLOURS = {
    "light": {
        "ink": "#16191f", "quiet": "#5f6b7a", "line": "#d5dbe1", "ground": "#ffffff", "card": "#f7f9fa",
        "landed": "#1a7f52", "suspect": "#985c04", "progress": "#2a6fc9", "failed": "#c8323c",
        "given": "#6f3a9c", "mark": "#ffffff",
    },
    "dark": {
        "ink": "#e3e6ea", "quiet": "#a3adb9", "line": "#3a4553", "ground": "#0f1722", "card": "#17212e",
        "landed": "#37b27c", "suspect": "#e0a03a", "progress": "#5d9ff0", "failed": "#f2666d",
        "given": "#b98ae0", "mark": "#0f1722",
    },
}  # fmt: skip

_STYLE = """
.logferry{{font:13px/1.45 system-ui,"Amazon Ember",Helvetica,Arial,sans-serif;color:{ink};\
background:{ground};padding:12px;box-sizing:border-box;max-width:100%;overflow-wrap:anywhere}}
.logferry h2{{font-size:15px;line-height:1.3;margin:0;color:{ink};font-weight:600}}
.logferry p{{margin:2px 0 0;color:{quiet}}}
.logferry section{{background:{card};border:1px solid {line};border-radius:8px;padding:12px;margin:12px 0 0}}
.logferry .share{{margin-left:8px;color:{quiet}}}
.logferry .legend{{display:flex;flex-wrap:wrap;gap:4px 16px;color:{quiet};margin:8px 0 0;\
padding:0;list-style:none}}
.logferry .legend li{{display:flex;align-items:center;gap:6px;margin:0}}
.logferry .calendars{{display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start;margin:12px 0 0}}
.logferry svg.calendar{{max-width:100%;height:auto;display:block}}
.logferry svg.swatch{{flex:none}}
.logferry text{{font:10px system-ui,"Amazon Ember",Helvetica,Arial,sans-serif;fill:{quiet}}}
.logferry text.name{{font-size:11px;font-weight:600;fill:{ink}}}
.logferry text.head{{text-anchor:middle;font-size:9px}}
.logferry text.on,.logferry text.off{{font-size:10px;font-weight:600;text-anchor:middle;\
pointer-events:none;fill:{mark}}}
.logferry text.off{{fill:{ink}}}
.logferry g path,.logferry g circle{{fill:none;stroke:{mark};stroke-width:1.7;stroke-linecap:round}}
.logferry g rect{{stroke-width:1.5}}
.logferry .landed rect{{fill:{landed};stroke:{landed}}}
.logferry .empty rect{{fill:none;stroke:{landed}}}
.logferry .empty path{{stroke:{landed}}}
.logferry .cut rect{{fill:none;stroke:{suspect}}}
.logferry .cut path{{stroke:{suspect}}}
.logferry .early rect,.logferry .suspect rect{{fill:{suspect};stroke:{suspect}}}
.logferry .in-progress rect{{fill:{progress};stroke:{progress}}}
.logferry .missing rect{{fill:none;stroke:{quiet};stroke-dasharray:2.5 2.2}}
.logferry .failed rect{{fill:{failed};stroke:{failed}}}
.logferry .given-up rect{{fill:{given};stroke:{given}}}
.logferry table{{display:block;font:inherit;width:100%;margin:12px 0 0;background:none;border:0}}
.logferry thead,.logferry tbody{{display:block}}
.logferry tr{{display:flex;flex-wrap:wrap;gap:0 16px;padding:4px 0;border-top:1px solid {line};\
background:none}}
.logferry thead tr{{border-top:0}}
.logferry th,.logferry td{{font:inherit;text-align:left;padding:0;border:0;color:{ink};background:none;\
flex:0 0 84px}}
.logferry thead th{{color:{quiet}}}
.logferry th:first-child{{flex:0 0 190px}}
.logferry td:last-child,.logferry thead th:last-child{{flex:1 1 240px;color:{quiet}}}
"""


def render(
    found: Sequence[SeriesCoverage],
    theme: Theme = "auto",
    as_of: datetime | None = None,
    zone: str = "UTC",
    most: int = SERIES_DRAWN,
) -> str:
    """Return the coverage of series as HTML.

    Args:
        found: The series, drawn in this order.
        theme: `auto` follows the reader's own light or dark.
        as_of: When the ledger was read; now by default.
        zone: The IANA time zone whose calendar the windows follow.
        most: How many series are drawn; the others are counted.

    """
    seen = (as_of or datetime.now(UTC)).astimezone(ZoneInfo(zone))
    everything = [window.outcome for series in found for window in series.windows]
    windows = "1 window" if len(everything) == 1 else f"{len(everything):,} windows"
    parts = [f"<style>{_style(theme)}</style>", '<div class="logferry">', "<h2>Coverage</h2>"]
    parts.append(f"<p>{len(found):,} series, {windows}: {count_words(everything)}.</p>")
    parts.append(f"<p>As of {seen.day} {seen:%b %Y, %H:%M} {escape(zone)}.</p>")
    parts.append(_legend())
    parts.extend(map(_section, found[:most]))
    if len(found) > most:
        parts.append(f"<p>{len(found) - most:,} more series are counted above and not drawn.</p>")
    return "".join([*parts, "</div>"])


def page(found: Sequence[SeriesCoverage], as_of: datetime | None = None, zone: str = "UTC") -> str:
    """Return the coverage as a page of its own; the arguments are those of `render`."""
    drawn = render(found, "auto", as_of, zone)
    style = "body{margin:0}@media(prefers-color-scheme:dark){body{background:#0f1722}}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Logferry coverage</title><style>{style}</style></head><body>{drawn}</body></html>\n"
    )


def _style(theme: Theme) -> str:
    if theme != "auto":
        return _STYLE.format(**_COLOURS[theme])
    dark = _STYLE.format(**_COLOURS["dark"])
    return _STYLE.format(**_COLOURS["light"]) + f"@media(prefers-color-scheme:dark){{{dark}}}"


def _legend() -> str:
    items = "".join(
        f'<li title="{escape(MEANINGS[outcome])}">{swatch(outcome)}{outcome}</li>' for outcome in Outcome
    )
    return f'<ul class="legend">{items}</ul>'


def _section(found: SeriesCoverage) -> str:
    series = found.series
    named = [
        value if isinstance(value, str) else _pair(name, value) for name, value in series["target"].items()
    ]
    what = " / ".join(named) or series["source"]
    where = [series["source"], series["connection"], f"every {found.every}"]
    where += [_pair(name, value) for name, value in series["filters"].items()]
    drawn = blocks(found.windows, found.every)
    pictures = "".join(block.draw() for block in drawn[-BLOCKS_DRAWN:])
    left_out = sum(map(len, (cell for block in drawn[:-BLOCKS_DRAWN] for cell in block.cells.values())))
    earlier = f"<p>{left_out:,} earlier windows are counted and not drawn.</p>" if left_out else ""
    return (
        f'<section><h2>{escape(what)}<span class="share">{_share(found.windows)}</span></h2>'
        f"<p>{escape(' · '.join(where))}</p>"
        f"<p>{count_words(window.outcome for window in found.windows)}</p>"
        f'<div class="calendars">{pictures}</div>{earlier}{_troubles(found.windows, found.every)}</section>'
    )


def _pair(name: str, value: object) -> str:
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"


def _share(windows: Sequence[WindowCoverage]) -> str:
    """Return the share of windows that are whole for certain, in percent, 100 only when all are."""
    if not windows:
        return "-"
    return f"{100 * sum(window.outcome in CERTAIN for window in windows) // len(windows)} %"


def _troubles(windows: Sequence[WindowCoverage], every: Every) -> str:
    """List what needs a look, neighbours of one kind as one row, the newest first."""
    runs = list(_runs(windows))[::-1]
    if not runs:
        return ""
    rows = "".join(_row(run, every) for run in runs[:TROUBLES_LISTED])
    more = len(runs) - TROUBLES_LISTED
    rest = f"<p>{more:,} more such spans; a collection's report lists every window.</p>" if more > 0 else ""
    heads = "".join(f'<th scope="col" role="columnheader">{head}</th>' for head in _HEADS)
    return (
        f'<table role="table"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table>{rest}'
    )


def _runs(windows: Sequence[WindowCoverage]) -> Iterator[list[WindowCoverage]]:
    for (outcome, _), group in groupby(windows, key=lambda window: (window.outcome, window.note)):
        if outcome not in {Outcome.LANDED, Outcome.EMPTY}:
            yield list(group)


def _row(run: Sequence[WindowCoverage], every: Every) -> str:
    # The roles say again what the tags do: a row that wraps on narrow screens is a flex box, no table row.
    note = run[0].note or ("never asked for" if run[0].outcome is Outcome.MISSING else "")
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{_span(run, every)}</th>'
        f'<td role="cell">{run[0].outcome}</td><td role="cell">{escape(note)}</td></tr>'
    )


def _span(run: Sequence[WindowCoverage], every: Every) -> str:
    """Name a span as people do: days with their last day, hours with their end."""
    start, end = run[0].window.start, run[-1].window.end
    if every == "hour":
        return (
            f"{start:%Y-%m-%d %H:%M} to {end:{'%H:%M' if end.date() == start.date() else '%Y-%m-%d %H:%M'}}"
        )
    last = (end - timedelta(microseconds=1)).date()
    return f"{start.date()}" + (f" to {last}" if last != start.date() else "")
