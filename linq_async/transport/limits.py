"""What holds a call back before it is sent: the pace of its limit group, a pause after a 429, a connection slot."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from linq_async.config import RetryPolicy, Settings
from linq_async.errors import Outcome, RateLimitError
from linq_async.timing import Timing
from linq_async.transport.session import Pool
from linq_async.wire.request import LimitGroup

MAX_PAUSE = 3_600.0
"""Seconds: no Retry-After pauses a group for longer, so that one wrong answer cannot silence a client for days."""

logger: logging.Logger = logging.getLogger("linq_async")


class Turn:
    """The place of a call in the queue of a pacer."""

    def __init__(self, pacer: Pacer, *, is_retry: bool) -> None:
        self._pacer = pacer
        self._sleeping: asyncio.Future[None] | None = None
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.is_retry = is_retry

    def remaining(self, now: float) -> float:
        """Return the seconds until the call may start, as far as that is known; 0 if it may start now."""
        return self._pacer.wait_of(self, now)

    def take(self, now: float) -> None:
        """Start the call: the next one may start an interval later."""
        self._pacer.defer(now)

    async def sleep(self, timing: Timing, pool: Pool, seconds: float) -> None:
        """Sleep, or until this becomes the first in the queue. Raises ClientStateError if the client is closed."""
        self._sleeping = asyncio.ensure_future(timing.sleep(seconds))
        await pool.wait(self._sleeping)

    def wake(self) -> None:
        """End the sleep of the call."""
        if self._sleeping is not None:
            self._sleeping.cancel()


class Pacer:
    """Lets one call of a limit group start per interval, first come, first served. It is not bound to a loop."""

    def __init__(self, group: LimitGroup) -> None:
        self._interval = group.interval
        self._next_start = -math.inf
        self._queue: list[Turn] = []

    def defer(self, now: float) -> None:
        """Let no call start within an interval from now."""
        self._next_start = max(self._next_start, now + self._interval)

    @contextmanager
    def turn(self, *, is_retry: bool) -> Generator[Turn]:
        """Hold a place in the queue: at its end, or for a retry before all calls that are not retries."""
        turn = Turn(self, is_retry=is_retry)
        queue = self._queue = [other for other in self._queue if not other.loop.is_closed()]
        queue.insert(sum(other.is_retry for other in queue) if is_retry else len(queue), turn)
        try:
            yield turn
        finally:
            if turn in self._queue:  # it is gone if its loop was closed before it
                self._queue.remove(turn)
            if self._queue:
                self._queue[0].wake()

    def wait_of(self, turn: Turn, now: float) -> float:
        """Return the seconds until a turn comes if those before it start as soon as they may."""
        place = self._queue.index(turn)
        return max(self._next_start + self._interval * place - now, self._interval if place else 0.0)


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

    async def acquire(self, pool: Pool, group: LimitGroup, operation: str) -> None:
        """Wait for the end of the group's pause, for a turn at its pace, and for a connection slot.

        Raises:
            RateLimitError: If the pause outlasts what the retry policy allows.
            ClientStateError: If the client is closed meanwhile.
        """
        if not (group.interval or self._limits.paused_until):
            await pool.slots.acquire()
            if not (pool.closed or self._limits.paused_until):  # the common case
                return
            pool.slots.release()
            pool.check_open()
        logged = False
        with self._turn(group) as turn:
            while True:
                wait = self._wait_for_pause(group)
                if wait and not may_wait(self._settings.retry, wait):
                    remaining = self.pause_remaining(group)
                    message = f"{operation}: held back: the server asked to wait {remaining:.1f} s more"
                    raise RateLimitError(message, status=429, outcome=Outcome.NOT_SENT, retry_after=remaining)
                pace = turn.remaining(self._timing.clock()) if turn else 0.0
                if pace and not logged:
                    logger.info("%s: waits %.1f s for its turn", group.name, pace)
                    logged = True
                if wait or pace:
                    await self._sleep(pool, turn, max(wait, pace))
                    continue
                await pool.slots.acquire()
                if not pool.closed and not self._wait(group, turn):
                    break
                pool.slots.release()
                pool.check_open()
            if turn:
                turn.take(self._timing.clock())

    def release(self, pool: Pool, group: LimitGroup) -> None:
        """Give the connection slot back."""
        pool.slots.release()
        if group.interval:
            self._pacer(group).defer(self._timing.clock())  # the server may count from its answer

    async def sleep_before_retry(self, pool: Pool, group: LimitGroup, seconds: float, started: float) -> None:
        """Sleep, and longer until the group is not paused and has a turn.

        Raises:
            HeldBackError: If that takes longer than what is left of the call, which ``started`` at that time.
            ClientStateError: If the client is closed meanwhile.
        """
        with self._turn(group, is_retry=True) as turn:
            if turn:
                turn.take(self._timing.clock())  # from now on, this attempt is the next of its group
            await pool.sleep(self._timing, seconds)
            while wait := self._wait(group, turn):
                pace = turn.remaining(self._timing.clock()) if turn else 0.0
                if not may_wait(self._settings.retry, self._timing.clock() - started + wait):
                    raise HeldBackError(max(self.pause_remaining(group), pace))
                await self._sleep(pool, turn, wait)
            if turn:
                turn.take(self._timing.clock())

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

    def _wait_for_pause(self, group: LimitGroup) -> float:
        """Return the seconds to wait for the end of a pause, with jitter; 0 if there is none."""
        remaining = self.pause_remaining(group)
        return remaining + jitter(remaining, self._timing.random()) if remaining else 0.0

    def _wait(self, group: LimitGroup, turn: Turn | None) -> float:
        """Return the seconds until a call may be sent, as far as that is known; 0 if it may be sent now."""
        return max(self._wait_for_pause(group), turn.remaining(self._timing.clock()) if turn else 0.0)

    async def _sleep(self, pool: Pool, turn: Turn | None, seconds: float) -> None:
        await (pool.sleep(self._timing, seconds) if turn is None else turn.sleep(self._timing, pool, seconds))

    def _turn(self, group: LimitGroup, *, is_retry: bool = False) -> AbstractContextManager[Turn | None]:
        """Return the turn of a call; None if its group has no pace."""
        return self._pacer(group).turn(is_retry=is_retry) if group.interval else nullcontext()

    def _pacer(self, group: LimitGroup) -> Pacer:
        return self._limits.pacers.setdefault((self._settings.token, group.name), Pacer(group))


class HeldBackError(Exception):
    """A call that has failed would have to wait longer for its next attempt than it may take."""

    def __init__(self, remaining: float) -> None:
        super().__init__()
        self.remaining = remaining
        """Seconds until the next attempt could be sent."""


def may_wait(policy: RetryPolicy, seconds: float) -> bool:
    """Return whether a call may wait for this long in total. A call with a single attempt never waits."""
    return policy.max_attempts > 1 and seconds < policy.max_elapsed


def jitter(seconds: float, random: float) -> float:
    """Return up to a quarter of a pause, but not more than a second, so that waiting calls do not all wake at once.

    ``random`` is drawn from 0 to 1.
    """
    return random * min(1.0, seconds / 4)
