"""``linq-async bulk status`` and ``report``: what a journal says about its run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import attrs
import typer

from linq_async.bulk import (
    Counts,
    Journal,
    JournalError,
    JournalInUseError,
    RunInfo,
    State,
    Timeline,
    csv_header,
    csv_line,
    row_to_dict,
    svg,
)
from linq_async.cli.bulk_failure import failures_shown
from linq_async.cli.bulk_texts import counts_line, duration, local_time, utc_time
from linq_async.cli.render import aligned, printable, show, show_json
from linq_async.cli.runtime import run

__all__ = ["failures_shown", "run_of", "show_report", "show_status"]


async def run_of(journal: Journal) -> RunInfo:
    """Return the run of a journal.

    Raises:
        JournalError: If it has none.
    """
    info = await journal.info()
    if info is None:
        raise JournalError("the journal has no run, because no file was loaded completely")
    return info


def show_status(path: Path, *, as_json: bool) -> None:
    """Show how far a run is, or that a running send uses the journal."""
    try:
        info, counts, _ = run(_read(path))
    except JournalInUseError:
        if as_json:
            show_json({"in_use": True})
        else:
            show("in use by a running send")
        return
    if not as_json:
        for line in _status_lines(info, counts):
            show(line)
        return
    times = {name: utc_time(getattr(info, name)) for name in ("loaded", "finished")}
    show_json({"in_use": False, "campaign": info.campaign, **times, "counts": attrs.asdict(counts)})


def show_report(path: Path, svg_file: Path | None, *, as_csv: bool, as_json: bool) -> None:
    """Show every row as CSV or JSON Lines, or a summary with the causes of failures. Draw a chart into a file."""
    if svg_file is not None and svg_file.exists() and svg_file.samefile(path):
        raise typer.BadParameter("--svg must not be the journal itself")
    if as_csv or as_json:
        run(_show_rows(path, as_csv=as_csv))
    info, counts, timeline = run(_read(path))
    if not as_csv and not as_json:
        for line in [*_status_lines(info, counts), *_cause_lines(timeline)]:
            show(line)
    if svg_file is not None:
        try:
            svg_file.write_text(svg(timeline, counts, info.campaign), encoding="utf-8")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise typer.BadParameter(f"--svg cannot be written: {reason}") from None


async def _read(path: Path) -> tuple[RunInfo, Counts, Timeline | None]:
    async with Journal(path) as journal:
        return await run_of(journal), await journal.counts(), await journal.timeline()


async def _show_rows(path: Path, *, as_csv: bool) -> None:
    async with Journal(path) as journal:
        await run_of(journal)
        if as_csv:
            show(csv_header().removesuffix("\n"))
        async for row in journal.rows():
            show(csv_line(row).removesuffix("\n") if as_csv else json.dumps(row_to_dict(row)))


def _status_lines(info: RunInfo, counts: Counts) -> list[str]:
    finished = "no" if info.finished is None else local_time(info.finished)
    pairs = [("campaign", info.campaign), ("loaded", local_time(info.loaded)), ("finished", finished)]
    return [counts_line(counts), *aligned([*pairs])]


def _cause_lines(timeline: Timeline | None) -> list[str]:
    """Return how long the run took, and how often each cause failed."""
    if timeline is None:
        return []
    causes = Counter[tuple[State, str]]()
    for one in timeline.slices:
        if one.state is not State.SENT:
            causes[one.state, one.cause] += one.count
    found = [f"  {state.label:<12}{count:,} {printable(cause)}" for (state, cause), count in causes.most_common()]
    return [*aligned([("took", duration(timeline.seconds * timeline.buckets))]), *found]
