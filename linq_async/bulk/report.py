"""The report of a run: rows as CSV and JSON, and a chart over time. Pure functions."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import attrs

from linq_async.bulk.records import Timeline
from linq_async.bulk.rows import Counts, RowResult, State

COLUMNS: tuple[str, ...] = tuple(field.name for field in attrs.fields(RowResult))
"""The columns of a report, in order."""

_FORMULA = ("=", "+", "-", "@")
# XML has no word for them, and a terminal obeys some of them.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_NUMBER = re.compile(r"\+\d+", re.ASCII)
_COLOURS = {State.SENT: "#2e9e5b", State.UNKNOWN: "#e0a100", State.FAILED: "#d0402b"}


def row_to_dict(row: RowResult) -> dict[str, Any]:
    """Return a row of the report, ready for JSON. Times are in ISO 8601 and UTC."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return {**values, "state": row.state.label, "begun": _time(row.begun), "ended": _time(row.ended)}


def csv_header() -> str:
    """Return the first line of a CSV report."""
    return _csv_line(COLUMNS)


def csv_line(row: RowResult) -> str:
    r"""Return a line of a CSV report.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, and control characters become
    escapes such as ``\x1b``. Phone numbers stay as they are.
    """
    return _csv_line([_cell(value) for value in row_to_dict(row).values()])


def svg(timeline: Timeline | None, counts: Counts, title: str) -> str:
    """Return a chart: sent, failed and unknown rows over time, and how often each cause failed."""
    causes, name = Counter[tuple[State, str]](), escape(_visible(title))
    for one in timeline.slices if timeline is not None else ():
        if one.state is not State.SENT:
            causes[one.state, one.cause] += one.count
    height = 300 + 22 * len(causes)
    styles = " ".join(f".{state.label} {{ fill: {colour} }}" for state, colour in _COLOURS.items())
    size = f'width="760" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 760 {height}" font-family="sans-serif">',
        f"  <title>{name}</title>",
        f"  <style>text {{ font-size: 13px }} .note {{ fill: #666666 }} {styles}</style>",
        f'  <rect {size} fill="#ffffff"/>',
        f'  <text x="20" y="28" font-weight="bold">{name}</text>',
        *_legend(counts),
        *(_bars(timeline) if timeline is not None else ()),
        *_causes(causes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(counts: Counts) -> Iterator[str]:
    shown = {State.SENT: counts.sent, State.FAILED: counts.failed, State.UNKNOWN: counts.unknown}
    for place, (state, count) in enumerate(shown.items()):
        x = 20 + 150 * place
        yield f'  <rect x="{x}" y="42" width="12" height="12" class="{state.label}"/>'
        yield f'  <text x="{x + 18}" y="53">{count:,} {state.label}</text>'
    yield f'  <text x="470" y="53" class="note">{counts.skipped:,} skipped, {counts.left:,} left</text>'


def _bars(timeline: Timeline) -> Iterator[str]:
    """Draw the results of each stretch of time on top of each other, 720 wide and 180 high."""
    stacked = Counter[tuple[int, State]]()
    for one in timeline.slices:
        stacked[one.bucket, one.state] += one.count
    totals = {bucket: sum(stacked[bucket, state] for state in _COLOURS) for bucket, _ in sorted(stacked)}
    highest, width = max(totals.values()), 720 / timeline.buckets
    yield f'  <text x="20" y="78" class="note">{highest:,} in {timeline.seconds:.3g} s</text>'
    for bucket in totals:
        x, y = 20 + bucket * width, 265.0
        for state in _COLOURS:
            tall = 180 * stacked[bucket, state] / highest
            y -= tall
            if tall:
                size = f'width="{width:.1f}" height="{tall:.1f}"'
                yield f'  <rect x="{x:.1f}" y="{y:.1f}" {size} class="{state.label}"/>'
    end = timeline.start + timeline.seconds * timeline.buckets
    yield '  <line x1="20" y1="265.5" x2="740" y2="265.5" stroke="#666666"/>'
    yield f'  <text x="20" y="284" class="note">{_time(timeline.start)}</text>'
    yield f'  <text x="740" y="284" class="note" text-anchor="end">{_time(end)}</text>'


def _causes(causes: Counter[tuple[State, str]]) -> Iterator[str]:
    """Draw a bar for each cause, the most frequent first."""
    most = max(causes.values(), default=1)
    for place, ((state, cause), count) in enumerate(causes.most_common()):
        y = 300 + 22 * place
        yield f'  <rect x="260" y="{y}" width="{380 * count / most:.1f}" height="14" class="{state.label}"/>'
        yield f'  <text x="252" y="{y + 12}" text-anchor="end">{escape(_visible(cause))}</text>'
        yield f'  <text x="{266 + 380 * count / most:.1f}" y="{y + 12}">{count:,} {state.label}</text>'


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _cell(value: Any) -> str:
    text = "" if value is None else _visible(str(value))
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()
