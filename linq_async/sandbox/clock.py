"""The clock of a sandbox, which a test can advance."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

LONGEST_SLEEP = 3600.0
LONGEST_ADVANCE = 1e10
"""Seconds that it can be advanced by in all: some 300 years, after which times of the API would become unusual."""


class SandboxClock:
    """Gives the time of another clock, and what it was advanced by on top."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._advanced = timedelta()
        self._sleeping: set[asyncio.Event] = set()

    def __call__(self) -> datetime:
        """Return the time."""
        return self._now() + self._advanced

    @property
    def advanced(self) -> float:
        """Seconds by which it was advanced."""
        return self._advanced.total_seconds()

    def advance(self, seconds: float) -> None:
        """Move the time forward, and wake whatever sleeps for it to look again.

        Raises:
            ValueError: If it would be too far in the future.
        """
        if self.advanced + seconds > LONGEST_ADVANCE:
            raise ValueError(f"seconds must not be over {LONGEST_ADVANCE:.0f} in all")
        self._advanced += timedelta(seconds=seconds)
        for woken in self._sleeping:
            woken.set()

    async def sleep_until(self, moment: datetime) -> None:
        """Sleep until a moment of this clock."""
        while (seconds := (moment - self()).total_seconds()) > 0:
            woken = asyncio.Event()
            self._sleeping.add(woken)
            try:
                await asyncio.wait_for(woken.wait(), min(seconds, LONGEST_SLEEP))
            except TimeoutError:
                continue
            finally:
                self._sleeping.remove(woken)
