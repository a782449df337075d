"""The clock of a sandbox, which a test can advance."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

LONGEST_SLEEP = 3600.0


class SandboxClock:
    """Gives the time of another clock, and what it was advanced by on top."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._advanced = timedelta()
        self._sleeping: set[asyncio.Event] = set()

    def __call__(self) -> datetime:
        """Return the time."""
        return self._now() + self._advanced

    def advance(self, seconds: float) -> None:
        """Move the time forward, and wake whatever sleeps for it to look again."""
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
