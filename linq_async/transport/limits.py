"""What holds a call back before it is sent: the pace of its limit group, a pause after a 429, a connection slot."""

from __future__ import annotations

import logging
import math

from linq_async.config import RetryPolicy, Settings
from linq_async.errors import Outcome, RateLimitError
from linq_async.timing import Timing
from linq_async.transport.session import Pool
from linq_async.wire.request import LimitGroup

MAX_PAUSE = 3_600.0
"""Seconds: no Retry-After pauses a group for longer, so that one wrong answer cannot silence a client for days."""

logger: logging.Logger = logging.getLogger("linq_async")


class Pacer:
    """Lets one call of a limit group start per interval, first come, first served. It is not bound to a loop."""

    def __init__(self, group: LimitGroup) -> None:
        self._group = group
        self._next_start = -math.inf
        self._queue: list[object] = []

    def defer(self, now: float) -> None:
        """Let no call start within an interval from now."""
        self._next_start = max(self._next_start, now + self._group.interval)

    async def acquire(self, timing: Timing, pool: Pool, *, retry_after: float | None = None) -> None:
        """Wait for the next free start, and take it.

        A retry sleeps for ``retry_after`` seconds at the head of the queue. A call that is cancelled leaves the queue,
        and those behind it move up.
        """
        ticket = object()
        clock, interval = timing.clock, self._group.interval
        earliest = clock() + (retry_after or 0.0)
        self._queue.insert(len(self._queue) if retry_after is None else 0, ticket)
        logged = retry_after is not None  # the pipeline logs the wait before a retry
        try:
            while (wait := max(earliest, self._next_start + interval * self._queue.index(ticket)) - clock()) > 0:
                if not logged:
                    logger.info("%s: waits %.1f s for its turn", self._group.name, wait)
                    logged = True
                await pool.sleep(timing, wait)
            self.defer(clock())
        finally:
            self._queue.remove(ticket)


class Limits:
    """What the clients of one transport share: the pauses that the server has asked for, and the pacers.

    Both are kept for each token and limit group. Never printed: the keys hold tokens.
    """

    def __init__(self) -> None:
        self.paused_until: dict[tuple[str, str], float] = {}
        self.pacers: dict[tuple[str, str], Pacer] = {}


class Throttle:
    """Holds back the calls of one client."""

    def __init__(self, limits: Limits, settings: Settings) -> None:
        self._limits = limits
        self._settings = settings
        self._timing = settings.timing

    def must_wait(self, pool: Pool, group: LimitGroup) -> bool:
        """Return whether a call may have to wait. If not, it may take a slot of the pool by itself."""
        return bool(group.interval or self._limits.paused_until) or pool.slots.locked()

    async def acquire(self, pool: Pool, group: LimitGroup, operation: str) -> None:
        """Wait for the group's pace, for the end of its pause, and for a connection slot.

        Raises:
            RateLimitError: If the pause outlasts what the retry policy allows.
            ClientStateError: If the client is closed meanwhile.
        """
        if group.interval:
            await self._pacer(group).acquire(self._timing, pool)
        while True:
            while remaining := self.pause_remaining(group):
                wait = self._wait_out(remaining)
                if wait is None:
                    message = f"{operation}: held back: the server asked to wait {remaining:.1f} s more"
                    raise RateLimitError(message, status=429, outcome=Outcome.NOT_SENT, retry_after=remaining)
                await self._sleep(pool, group, wait)
            await pool.slots.acquire()
            if not pool.closed and not self.pause_remaining(group):
                return
            pool.slots.release()
            pool.check_open()

    def release(self, pool: Pool, group: LimitGroup) -> None:
        """Give the connection slot back."""
        pool.slots.release()
        if group.interval:
            self._pacer(group).defer(self._timing.clock())  # the server may count from its answer

    async def sleep_before_retry(self, pool: Pool, group: LimitGroup, seconds: float, started: float) -> None:
        """Sleep, and longer if the 429 of another call has paused the group meanwhile.

        Raises:
            PausedError: If the pause outlasts what is left of the call, which ``started`` at that time.
            ClientStateError: If the client is closed meanwhile.
        """
        await self._sleep(pool, group, seconds)
        while remaining := self.pause_remaining(group):
            wait = self._wait_out(remaining, self._timing.clock() - started)
            if wait is None:
                raise PausedError(remaining)
            await self._sleep(pool, group, wait)

    def pause(self, group: LimitGroup, seconds: float) -> None:
        """Pause a group, as the server asks; a shorter pause never cuts a longer one."""
        key = (self._settings.token, group.name)
        until = self._timing.clock() + min(seconds, MAX_PAUSE)
        self._limits.paused_until[key] = max(until, self._limits.paused_until.get(key, 0.0))

    def pause_remaining(self, group: LimitGroup) -> float:
        """Return the seconds until the pause of a group ends; 0 if there is none."""
        if not self._limits.paused_until:
            return 0.0
        key = (self._settings.token, group.name)
        remaining = self._limits.paused_until.get(key, 0.0) - self._timing.clock()
        if remaining > 0:
            return remaining
        self._limits.paused_until.pop(key, None)
        return 0.0

    def _wait_out(self, remaining: float, elapsed: float = 0.0) -> float | None:
        """Return the wait for the end of a pause in seconds, or None if the retry policy allows less."""
        wait = remaining + jitter(remaining, self._timing.random())
        return wait if may_wait(self._settings.retry, elapsed + wait) else None

    async def _sleep(self, pool: Pool, group: LimitGroup, seconds: float) -> None:
        """Sleep; in a group with a pace, at the head of the queue."""
        if not group.interval:
            return await pool.sleep(self._timing, seconds)
        pacer = self._pacer(group)
        pacer.defer(self._timing.clock())
        return await pacer.acquire(self._timing, pool, retry_after=seconds)

    def _pacer(self, group: LimitGroup) -> Pacer:
        return self._limits.pacers.setdefault((self._settings.token, group.name), Pacer(group))


class PausedError(Exception):
    """A pause outlasts a call that has failed already."""

    def __init__(self, remaining: float) -> None:
        super().__init__()
        self.remaining = remaining
        """Seconds until the pause ends."""


def may_wait(policy: RetryPolicy, seconds: float) -> bool:
    """Return whether a call may wait for this long in total. A call with a single attempt never waits."""
    return policy.max_attempts > 1 and seconds < policy.max_elapsed


def jitter(seconds: float, random: float) -> float:
    """Return up to a quarter of a pause, but not more than a second, so that waiting calls do not all wake at once.

    ``random`` is drawn from 0 to 1.
    """
    return random * min(1.0, seconds / 4)
