"""One run of a campaign from the command line: what it shows, how it is interrupted, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import attrs

from linq_async.bulk import (
    BulkSender,
    Campaign,
    Counts,
    Journal,
    JournalError,
    Loaded,
    Pacing,
    RecipientFile,
    Stopped,
    Wait,
    preview,
    read_suppressed,
)
from linq_async.bulk.engine import REPLAYED
from linq_async.cli.bulk_display import LineDisplay, display_for
from linq_async.cli.bulk_failure import failure_under_way, failures_shown, show_failure
from linq_async.cli.bulk_report import run_of
from linq_async.cli.bulk_texts import counts_line, preview_lines, preview_to_dict
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.render import discard_unwritable, printable, show, show_json, write_error
from linq_async.cli.runtime import handle_signal, run
from linq_async.client import LinqClient
from linq_async.errors import KeyReusedError

__all__ = ["BulkRun", "Retrying", "Sending", "failures_shown", "suppressed"]

POLL = 0.2
"""Seconds between two looks at the counts."""

_ALREADY = (REPLAYED, KeyReusedError.__name__)

Prepare = Callable[[Journal], Awaitable[Loaded]]


class CountedWarnings(logging.Handler):
    """Counts what the client logs, which is at most a line for each message."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count: int = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a warning."""
        self.count += 1


@attrs.define(kw_only=True, eq=False)
class BulkRun:
    """Sends what a journal holds, once ``prepare`` has loaded it."""

    path: Path
    token: str = attrs.field(repr=False)
    prepare: Prepare
    pacing: Pacing
    concurrency: int
    limit: int | None
    as_json: bool
    display: LineDisplay = attrs.field(init=False)
    sender: BulkSender | None = None
    """The sender, once rows may start."""
    counts: Counts = attrs.field(factory=Counts)
    already: int = 0
    """How many messages the server had before this run, under the keys of its rows."""
    is_interrupted: bool = False
    output_error: OSError | None = None
    """Why the progress could not be written, which ends the run."""
    waits: list[Wait] = attrs.field(factory=list[Wait])
    warnings: CountedWarnings = attrs.field(factory=CountedWarnings)

    def __attrs_post_init__(self) -> None:
        self.display = display_for(as_json=self.as_json)

    def send(self) -> ExitCode:
        """Send, show the end, and return the exit code.

        Raises:
            LinqError: If nothing was sent.
            OSError: If the progress cannot be written.
        """
        started, logger = time.monotonic(), logging.getLogger("linq_async")
        logger.addHandler(self.warnings)
        try:
            run(self._run())
        except Exception as error:  # a bug must not look as if nothing was sent
            if self.sender is None or isinstance(error, OSError):
                raise
            begun = not isinstance(error, JournalError) or bool(self.counts.begun or self.counts.unknown)
            return show_failure(failure_under_way(error, begun=begun), [], as_json=self.as_json)
        except KeyboardInterrupt:
            self.is_interrupted = True
        finally:
            self.display.close()
            logger.removeHandler(self.warnings)
        return self._finish(time.monotonic() - started)

    async def _run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            handle_signal(number, self._interrupt)
        async with LinqClient(self.token, max_connections=self.concurrency) as linq, Journal(self.path) as journal:
            loaded = await self.prepare(journal)
            info = await journal.info()
            self.display.started(info.campaign if info is not None else "", loaded, await journal.counts())
            self.sender = BulkSender(
                linq, journal, concurrency=self.concurrency, pacing=self.pacing, on_wait=self.waits.append
            )
            await self._watch(self.sender)
        if self.output_error is not None:
            raise self.output_error

    async def _watch(self, sender: BulkSender) -> None:
        """Send everything, and show the progress meanwhile."""
        poller = asyncio.create_task(self._poll(sender))
        try:
            async with aclosing(sender.run(limit=self.limit)) as results:
                async for result in results:
                    self.already += result.error in _ALREADY
        finally:
            self.counts = sender.counts
            poller.cancel()
            await asyncio.wait([poller])
        self._update(sender)

    async def _poll(self, sender: BulkSender) -> None:
        while True:
            self._update(sender)
            await asyncio.sleep(POLL)

    def _update(self, sender: BulkSender) -> None:
        """Show the state. A run whose progress nobody can see is stopped."""
        waits, self.waits[:] = list(self.waits), []
        progress = sender.progress()
        try:
            if self.output_error is None and progress.counts.total:  # 0 until the run has counted
                self.display.update(progress, waits, time.monotonic())
        except OSError as error:
            self.output_error = error
            sender.stop("the progress cannot be written")

    def _interrupt(self) -> None:
        """Let the messages under way end. A second signal leaves at once, as does one during the load."""
        if self.is_interrupted or self.sender is None:
            result = "nothing was sent" if self.sender is None else "messages under way are in doubt"
            with contextlib.suppress(OSError):
                self.display.close()
                show(f"Interrupted: {result}.", err=True)
            os._exit(ExitCode.INTERRUPTED)  # a killed run loses nothing, and a load cannot be cancelled
        self.is_interrupted = True
        self.sender.stop("interrupted")

    def _finish(self, seconds: float) -> ExitCode:
        """Show the end of the run. What standard output cannot take goes to standard error."""
        stopped = None if self.sender is None else self.sender.stopped
        code = exit_code(self.counts, is_limited=self.limit is not None, is_interrupted=self.is_interrupted)
        lines = ending(self.counts, stopped, self.path, is_limited=self.limit is not None, already=self.already)
        if self.warnings.count:
            lines.insert(1, f"{self.warnings.count:,} responses do not show the message as it was sent.")
        report = {
            "counts": attrs.asdict(self.counts),
            "warnings": self.warnings.count,
            "already_on_server": self.already,
            "stopped": None if stopped is None else stopped.code,
            "seconds": round(seconds, 3),
            "exit_code": code.value,
        }
        try:
            self.display.finished(report, lines)
        except OSError as error:
            discard_unwritable()
            with contextlib.suppress(OSError):
                for line in [*lines, write_error(error)]:
                    show(line, err=True)
            return ExitCode.SENT if code is ExitCode.OK else code
        return code


@attrs.frozen(kw_only=True)
class Sending:
    """What ``bulk send`` sends."""

    campaign: Campaign
    recipients: RecipientFile
    suppressed: frozenset[str] = attrs.field(repr=False)

    async def load(self, journal: Journal) -> Loaded:
        """Store all rows in a journal, or compare them with those in it."""
        return await journal.load(self.campaign, self.recipients, suppressed=self.suppressed)

    def show_preview(self, pacing: Pacing, limit: int | None, *, as_json: bool) -> None:
        """Show what would be sent."""
        found = preview(self.campaign, self.recipients, suppressed=self.suppressed)
        if as_json:
            show_json({"event": "dry_run", **preview_to_dict(found, pacing)}, indent=None)
            return
        for line in preview_lines(found, pacing, limit):
            show(line)


@attrs.frozen
class Retrying:
    """What ``bulk retry`` sends again."""

    suppressed: frozenset[str] = attrs.field(repr=False)

    async def load(self, journal: Journal) -> Loaded:
        """Give the failed rows of a journal new keys."""
        await run_of(journal)
        await journal.retry()
        await journal.suppress(self.suppressed)
        return Loaded((await journal.counts()).total, resumed=True)


def suppressed(path: Path | None, encoding: str) -> frozenset[str]:
    """Return the numbers that must not be texted."""
    return frozenset() if path is None else read_suppressed(path, encoding)


def exit_code(counts: Counts, *, is_limited: bool, is_interrupted: bool) -> ExitCode:
    """Return the exit code of a run."""
    if is_interrupted:
        return ExitCode.INTERRUPTED
    if counts.unknown or counts.begun:
        return ExitCode.UNKNOWN
    if counts.failed or (counts.pending and not is_limited):
        return ExitCode.FAILED
    return ExitCode.OK


def ending(counts: Counts, stopped: Stopped | None, path: Path, *, is_limited: bool, already: int = 0) -> list[str]:
    """Return the last lines of a run: the counts, and what to do next."""
    lines, name = [counts_line(counts)], printable(path)
    if stopped is not None:
        lines.append(f"Stopped: {printable(stopped.message)}.")
    if already:
        lines.append(f"Rows whose message the server had before this run, under the same keys: {already:,}.")
        lines.append("A new campaign needs a new name: --campaign NEW --journal NEW")
    if counts.failed:
        lines.append(f"Failed messages were not sent, for certain. To send them again: linq-async bulk retry {name}")
    if counts.unknown:
        lines.append(f"Unknown messages may have been sent. To list them: linq-async bulk report {name} --csv")
    if counts.left:
        lines.append(f"To send the rest, run the same command again{' without --limit' if is_limited else ''}.")
    return lines
