"""What a display of a run shows: counts, rate, waits, and the time that is left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import attrs

from linq_async.bulk.rows import Counts
from linq_async.bulk.stopping import Stopped

WaitReason = Literal["rate_limited", "line_paused", "daily_cap", "second_pass"]
"""Why nothing is sent for a while: a 429; a message that the server did not pass on; the daily cap of a line; or the
time before rows whose fate is unknown are sent again, under the same keys."""

WINDOW = 10.0
"""Seconds over which the displayed rate is measured."""


@attrs.frozen
class Wait:
    """A wait of one line, or of all."""

    sender: str | None = attrs.field(repr=False)
    """The line; None for all lines."""
    reason: WaitReason
    """Why."""
    seconds: float
    """How long it still takes."""
    until: float
    """When it ends, in seconds since 1970."""


@attrs.frozen
class Progress:
    """The state of a run at one moment."""

    counts: Counts
    """The rows in each state, as they are on disk."""
    rate: float
    """Results a second, over the last 10 seconds."""
    waits: tuple[Wait, ...]
    """The current waits. Empty if messages are being sent at the pace."""
    seconds_left: float | None
    """About how long the rest takes at the pace, or without one at the rate; None as long as that is unknown."""
    stopped: Stopped | None
    """Why the run is stopping before its end; None if it is not."""


class Waits:
    """The waits of a run, by line."""

    def __init__(
        self, clock: Callable[[], float], wall: Callable[[], float], on_wait: Callable[[Wait], None] | None
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._on_wait = on_wait
        self._ends: dict[str | None, tuple[float, WaitReason]] = {}

    def hold(self, sender: str | None, reason: WaitReason, seconds: float) -> None:
        """Let a line wait, or all lines. A shorter wait never cuts a longer one."""
        end = self._clock() + seconds
        if end <= self._ends.get(sender, (0.0, reason))[0]:
            return
        is_new = self.remaining(sender) <= 0
        self._ends[sender] = (end, reason)
        if is_new and self._on_wait is not None:
            self._on_wait(Wait(sender, reason, seconds, self._wall() + seconds))

    def remaining(self, sender: str | None) -> float:
        """Return the seconds until a line may go on."""
        if not self._ends:
            return 0.0
        ends = [self._ends[one][0] for one in (None, sender) if one in self._ends]
        return max(0.0, max(ends, default=0.0) - self._clock())

    def current(self) -> tuple[Wait, ...]:
        """Return the waits that have not ended."""
        now, wall = self._clock(), self._wall()
        return tuple(
            Wait(sender, reason, end - now, wall + end - now)
            for sender, (end, reason) in self._ends.items()
            if end > now
        )


class Meter:
    """Measures a rate. ``count`` is the number of results so far."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque([(clock(), 0)])
        self.count: int = 0

    def add(self, count: int) -> None:
        """Count results."""
        self.count += count
        now = self._clock()
        if now - self._samples[-1][0] >= 0.2:
            self._samples.append((now, self.count))
            while now - self._samples[0][0] > WINDOW:
                self._samples.popleft()

    @property
    def rate(self) -> float:
        """Results a second over the last seconds."""
        start, before = self._samples[0]
        elapsed = self._clock() - start
        return (self.count - before) / elapsed if elapsed > 0 else 0.0

    @property
    def latest(self) -> float:
        """Results a second between the last two samples; 0 before there are two."""
        if len(self._samples) < 2:
            return 0.0
        (start, before), (end, after) = self._samples[-2], self._samples[-1]
        return (after - before) / (end - start)
