"""What the bulk commands say about a run, in words. Pure functions."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import attrs

from linq_async.bulk import Counts, Pacing, Preview, Progress, Wait
from linq_async.cli.render import printable

_REASONS = {
    "rate_limited": "the server received too many requests",
    "line_paused": "the server does not pass its messages on",
    "daily_cap": "its daily cap is reached",
    "second_pass": "then messages whose fate is unknown are sent again, under the same keys",
}
_HALF_A_DAY = 43_200


def duration(seconds: float) -> str:
    """Return a time for people: ``40 s``, ``12 min``, ``3 h 5 min`` or ``4 days 2 h``."""
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


def local_time(seconds: float, *, with_date: bool = True) -> str:
    """Return a time since 1970 in the time zone of this machine."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S" if with_date else "%H:%M:%S")


def wait_line(wait: Wait) -> str:
    """Return which line waits, until when, and why."""
    who = "all lines wait" if wait.sender is None else f"{printable(wait.sender)} waits"
    until = local_time(wait.until, with_date=wait.seconds > _HALF_A_DAY)
    return f"{who} until {until} ({duration(wait.seconds)}): {_REASONS[wait.reason]}"


def share_line(counts: Counts) -> str:
    """Return how many rows are done."""
    done = counts.total - counts.left
    return f"{done:,} of {counts.total:,} ({done * 100 // max(counts.total, 1)}%)"


def progress_line(progress: Progress) -> str:
    """Return failures, rate and the time left."""
    counts, left = progress.counts, progress.seconds_left
    parts = [f"{counts.failed:,} failed", f"{counts.unknown:,} unknown", f"{progress.rate:,.1f}/s"]
    if left:
        parts.append(f"about {duration(left)} left")
    return ", ".join(parts)


def skipped_text(duplicates: int, suppressed: int) -> str:
    """Return how many rows are skipped and why, in parentheses; nothing if none are."""
    parts = {"duplicates": duplicates, "suppressed": suppressed}
    shown = ", ".join([f"{name}: {count:,}" for name, count in parts.items() if count])
    return f" ({shown})" if shown else ""


def counts_line(counts: Counts) -> str:
    """Return how many rows are in each state, without those that are 0."""
    shown = {**attrs.asdict(counts), "pending": counts.left}
    names = {"sent": "sent", "failed": "failed", "unknown": "unknown", "skipped": "skipped", "pending": "left"}
    return ", ".join([f"{shown[name]:,} {label}" for name, label in names.items() if shown[name] or name == "sent"])


def progress_to_dict(progress: Progress) -> dict[str, Any]:
    """Return the state of a run, ready for JSON."""
    return {
        "counts": attrs.asdict(progress.counts),
        "rate": round(progress.rate, 3),
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left, 3),
        "waits": [wait_to_dict(wait) for wait in progress.waits],
    }


def wait_to_dict(wait: Wait) -> dict[str, Any]:
    """Return a wait, ready for JSON."""
    seconds = round(wait.seconds, 3)
    return {"sender": wait.sender, "reason": wait.reason, "seconds": seconds, "until": utc_time(wait.until)}


def utc_time(seconds: float | None) -> str | None:
    """Return a time since 1970 in ISO 8601 and UTC, for programs."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def preview_lines(found: Preview, pacing: Pacing, limit: int | None) -> list[str]:
    """Return what a campaign would send, and how long it would take."""
    lines = [f"{found.messages:,} of {found.rows:,} rows to send{skipped_text(found.duplicates, found.suppressed)}"]
    if limit is not None:
        lines.append(f"--limit sends the first {limit:,} of them")
    lines += [f"  {sender:<17}{count:>9,}" for sender, count in sorted(found.per_line.items())]
    pace = "as fast as possible" if pacing.per_line is None else f"at {pacing.per_line:g} a second for each line"
    lines.append(f"{pace}: about {duration(found.seconds(pacing))}" if pacing.per_line or pacing.daily_cap else pace)
    total = sum(size * count for size, count in found.segments.items())
    sizes = ", ".join([f"{count:,} of {size}" for size, count in found.segments.items()])
    lines.append(f"as SMS: {total:,} segments ({sizes})")
    if found.unicode:
        lines.append(f"  {found.unicode:,} are not in GSM-7: 70 characters a segment, not 160")
    for message in found.first:
        lines.append(f"row {message.number}: {message.sender} to {message.recipient}")
        lines.append(f"  {printable(message.text)}")
    return [*lines, "Nothing was sent or stored."]


def preview_to_dict(found: Preview, pacing: Pacing) -> dict[str, Any]:
    """Return what a campaign would send, ready for JSON."""
    names = ("number", "recipient", "row_id", "sender", "text")
    return {
        "rows": found.rows,
        "messages": found.messages,
        "duplicates": found.duplicates,
        "suppressed": found.suppressed,
        "per_line": found.per_line,
        "seconds": found.seconds(pacing),
        "segments": {str(size): count for size, count in found.segments.items()},
        "unicode": found.unicode,
        "first": [{name: getattr(message, name) for name in names} for message in found.first],
    }
