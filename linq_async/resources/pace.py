"""A line of calls of which one may start every so many seconds."""

from __future__ import annotations

import logging
import math

from linq_async.timing import Timing

logger = logging.getLogger("linq_async")


class Line:
    """Calls that stand in line. Who gives up leaves it, and those behind move up. Belongs to no loop."""

    def __init__(self, operation: str, seconds: float) -> None:
        self._operation = operation
        self._seconds = seconds
        self._opens = -math.inf
        self._tickets: list[object] = []

    def hold(self, now: float) -> None:
        """Let nobody start before the seconds have passed from now."""
        self._opens = max(self._opens, now + self._seconds)

    async def turn(self, timing: Timing, *, again_after: float | None = None) -> None:
        """Wait for a turn, and take it. A call that tries again goes to the head, and rests first."""
        ticket = object()
        earliest = timing.clock() + (again_after or 0.0)
        self._tickets.insert(len(self._tickets) if again_after is None else 0, ticket)
        told = again_after is not None  # the pipeline tells of retries
        try:
            while (wait := max(earliest, self._opening(ticket)) - timing.clock()) > 0:
                if not told:
                    logger.info("%s: waits %.1f s for its turn", self._operation, wait)
                    told = True
                await timing.sleep(wait)
            self.hold(timing.clock())
        finally:
            self._tickets.remove(ticket)

    def _opening(self, ticket: object) -> float:
        return self._opens + self._seconds * self._tickets.index(ticket)


class Lines:
    """The line of each token: what one client and those derived from it share."""

    def __init__(self, operation: str, seconds: float) -> None:
        self._operation = operation
        self._seconds = seconds
        self._by_token: dict[str, Line] = {}

    def of(self, token: str) -> Line:
        """Return the line of a token."""
        return self._by_token.setdefault(token, Line(self._operation, self._seconds))
