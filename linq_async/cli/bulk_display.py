"""How a run is shown while it sends: as a bar on a terminal, as lines, or as JSON Lines.

A display is polled. It costs the run nothing per row.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from typing import Any

import attrs
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from linq_async.bulk import Counts, Loaded, Progress, Wait
from linq_async.bulk.stopping import Stopped
from linq_async.cli.bulk_texts import progress_line, progress_to_dict, share_line, skipped_text, wait_line, wait_to_dict
from linq_async.cli.console import PlainConsole
from linq_async.cli.render import printable, show, show_json

LINE_EVERY = 10.0
"""Seconds between two lines without a terminal."""
JSON_EVERY = 1.0
BAR = 40
"""Characters of the bar."""


class LineDisplay:
    """Writes a line to standard error every 10 seconds, and at each change."""

    def __init__(self) -> None:
        self._stopped: Stopped | None = None
        self._latest = -math.inf

    def started(self, campaign: str, loaded: Loaded, counts: Counts) -> None:
        """Show what is to be sent."""
        skipped = skipped_text(loaded.duplicates, loaded.suppressed)
        show(f"{printable(campaign)}: {counts.left:,} of {loaded.rows:,} rows to send{skipped}", err=True)
        if loaded.resumed:
            show("The journal has this run already: it goes on with the rest.", err=True)

    def update(self, progress: Progress, waits: Iterable[Wait], now: float) -> None:
        """Show the state at a time. ``waits`` are those that have begun since the last update."""
        for wait in waits:
            self.waiting(wait)
        if progress.stopped is not None and self._stopped is None:
            self._stopped = progress.stopped
            self.stopping(progress.stopped)
        if now - self._latest >= self.interval:
            self._latest = now
            self.show_progress(progress)

    @property
    def interval(self) -> float:
        """Seconds between two calls of ``show_progress``."""
        return LINE_EVERY

    def waiting(self, wait: Wait) -> None:
        """Show a wait that has begun."""
        show(wait_line(wait), err=True)

    def stopping(self, stopped: Stopped) -> None:
        """Show why no more messages start."""
        hint = " Ctrl-C leaves at once." if stopped.code == "requested" else ""
        show(f"Stopping: {printable(stopped.message)}. Messages under way end first.{hint}", err=True)

    def show_progress(self, progress: Progress) -> None:
        """Show the state."""
        show(f"{share_line(progress.counts)}: {progress_line(progress)}", err=True)

    def finished(self, report: dict[str, Any], lines: list[str]) -> None:
        """Show the end of the run on standard output."""
        for line in lines:
            show(line)

    def close(self) -> None:
        """Leave the terminal as it was."""


class LiveDisplay(LineDisplay):
    """Draws a bar with the counts and the waits on a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._marks = "━─" if console.encoding.startswith("utf") else "#-"
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    @property
    def interval(self) -> float:
        """Drawn at each update."""
        return 0.0

    def waiting(self, wait: Wait) -> None:
        """Nothing: the waits are drawn as long as they last."""

    def stopping(self, stopped: Stopped) -> None:
        """Show why no more messages start, above the bar."""
        self.close()
        super().stopping(stopped)

    def show_progress(self, progress: Progress) -> None:
        """Draw the state."""
        self._live.start()
        self._live.update(drawn(progress, self._marks), refresh=True)

    def close(self) -> None:
        """Remove the bar, and show the cursor."""
        with contextlib.suppress(OSError):
            self._live.stop()


def drawn(progress: Progress, marks: str) -> Group:
    """Return what a terminal shows of a run. The bar of rich shows no end without colours."""
    counts = progress.counts
    style = "red" if counts.failed else "yellow" if counts.unknown else "green"
    done = (counts.total - counts.left) * BAR // max(counts.total, 1)
    return Group(
        Text(share_line(counts), style="bold"),
        Text.assemble((marks[0] * done, style), (marks[1] * (BAR - done), "dim")),
        Text(progress_line(progress)),
        *[Text(wait_line(wait), style="yellow") for wait in progress.waits],
    )


class JsonDisplay(LineDisplay):
    """Writes an event in each line of standard output."""

    @property
    def interval(self) -> float:
        """An event ``progress`` each second."""
        return JSON_EVERY

    def started(self, campaign: str, loaded: Loaded, counts: Counts) -> None:
        """Write the event ``started``."""
        self._write("started", campaign=campaign, **attrs.asdict(loaded), counts=attrs.asdict(counts))

    def waiting(self, wait: Wait) -> None:
        """Write the event ``line_paused``; its ``sender`` is null if all lines wait."""
        self._write("line_paused", **wait_to_dict(wait))

    def stopping(self, stopped: Stopped) -> None:
        """Write the event ``stopped``."""
        self._write("stopped", **attrs.asdict(stopped))

    def show_progress(self, progress: Progress) -> None:
        """Write the event ``progress``."""
        self._write("progress", **progress_to_dict(progress))

    def finished(self, report: dict[str, Any], lines: list[str]) -> None:
        """Write the event ``finished``."""
        self._write("finished", **report)

    def _write(self, event: str, **fields: Any) -> None:
        show_json({"event": event, **fields}, indent=None)


def display_for(*, as_json: bool) -> LineDisplay:
    """Return the display for the terminal, or for JSON."""
    if as_json:
        return JsonDisplay()
    console = PlainConsole(stderr=True)
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else LineDisplay()
