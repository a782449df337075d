"""One line: when its next message may start. Each line has one feeder, so the turns of a line come one by one."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from linq_async.bulk.journal import Journal
from linq_async.bulk.pacing import DAY, Pacing, next_start
from linq_async.bulk.progress import Waits
from linq_async.timing import Timing

FIRST_HOLD = 60.0
"""Seconds: how long a line is held after a result that says its messages are not passed on. Doubled each time."""
LONGEST_HOLD = 900.0


class Line:
    """The pace, the daily cap and the pauses of one line."""

    def __init__(
        self,
        sender: str,
        journal: Journal,
        pacing: Pacing,
        timing: Timing,
        waits: Waits,
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self.sender = sender
        self.rows: int = 0
        """How many rows of the current pass have not had their turn."""
        self._journal = journal
        self._pacing = pacing
        self._timing = timing
        self._waits = waits
        self._written = written
        self._previous = -math.inf
        self._hold = FIRST_HOLD
        self._allowed = 0
        """How many more messages the daily cap allows, as far as was counted."""
        self._used = 0

    async def turn(self, *, is_new: bool) -> None:
        """Wait until the next row may start. A row that has begun before, and is not new, has been counted already."""
        timing, pacing = self._timing, self._pacing
        start = next_start(timing.clock(), self._previous, pacing.gap, timing.random(), pacing.jitter)
        while True:
            if is_new and pacing.daily_cap is not None and not self._allowed:
                await self._count(pacing.daily_cap)
            wait = max(start - timing.clock(), self._waits.remaining(self.sender))
            if wait <= 0:
                break
            await timing.sleep(wait)
        self._previous = max(start, timing.clock())
        self.rows -= 1
        if is_new and pacing.daily_cap is not None:
            self._allowed -= 1

    async def _count(self, cap: int) -> None:
        """Count in the journal how many messages the cap allows. If none, hold the line until it allows one."""
        await self._written()
        now = self._journal.clock()
        self._used, first = await self._journal.begun_since(self.sender, now - DAY)
        self._allowed = max(cap - self._used, 0)
        if not self._allowed and first is not None:
            self._waits.hold(self.sender, "daily_cap", first + DAY - now)

    def note(self, delivery_status: str | None) -> None:
        """Take the delivery status of a sent message. Hold the line if the server did not pass the message on."""
        if delivery_status not in ("rate_limit_exceeded", "paused"):
            self._hold = FIRST_HOLD
            return
        if not self._waits.remaining(self.sender):  # not once for each of the messages under way
            self._waits.hold(self.sender, "line_paused", self._hold)
            self._hold = min(2 * self._hold, LONGEST_HOLD)

    @property
    def seconds_left(self) -> float:
        """About how long the rest of the pass takes at the pace."""
        return self._waits.remaining(self.sender) + self._pacing.seconds_for(self.rows, self._used)
