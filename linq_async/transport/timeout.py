"""The time limits of attempts, and the one timer that they share.

A timer for each attempt would cost more than everything else that this package does for a call. Instead, the deadline
of an attempt is a number that moves from phase to phase; one timer sleeps until the earliest of them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from linq_async.config import Timeouts
from linq_async.errors import TimeoutPhase

Phase = Literal["connect"] | TimeoutPhase
"""What an attempt is doing; ``total`` once the whole call has run out of time."""

CHECKS = 4
"""How often the progress of a body is checked within its time limit."""

LATE = 0.05
"""Seconds: a timer that fires this late shows that the loop was busy."""
GRACE = 1.0
"""Seconds: the longest time that a loop that was busy gets to read what has arrived meanwhile."""


class DeadlineTimer:
    """The timeouts that run on one loop, and the timer for the earliest deadline among them."""

    __slots__ = ("_handle", "_loop", "next_check", "running", "time")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.time: Callable[[], float] = loop.time
        self._handle: asyncio.TimerHandle | None = None
        self.running: set[AttemptTimeout] = set()
        self.next_check: float = math.inf
        """When the timer fires next, by the loop's time."""

    def schedule(self, moment: float) -> None:
        """Check the timeouts at this moment, unless they are checked earlier anyway."""
        if moment < self.next_check:
            self.stop()
            self.next_check = moment
            self._handle = self._loop.call_at(moment, self._check)

    def _check(self) -> None:
        self.next_check = math.inf
        now = self._loop.time()
        for timeout in self.running:
            if timeout.deadline <= now:
                timeout.check(now)
        self.schedule(min((timeout.deadline for timeout in self.running if not timeout.expired), default=math.inf))

    def expire_all(self) -> None:
        """End every attempt now, and stop the timer."""
        self.stop()
        for timeout in self.running:
            timeout.expire()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.next_check = math.inf


class AttemptTimeout:
    """Raises TimeoutError in the block that it guards once the current phase has used up its seconds."""

    __slots__ = (
        "_buffer_size",
        "_cancelling",
        "_extra_read_seconds",
        "_graced",
        "_last_progress",
        "_on_stall",
        "_settings",
        "_task",
        "_timer",
        "_total",
        "_total_deadline",
        "_unsent",
        "deadline",
        "expired",
        "phase",
        "seconds",
    )

    def __init__(self, timer: DeadlineTimer, timeouts: Timeouts, remaining: float, extra_read_seconds: float) -> None:
        self._timer = timer
        self._settings = timeouts
        self._total = remaining if timeouts.total is None else min(timeouts.total, remaining)
        self._extra_read_seconds = extra_read_seconds
        self._graced: str | None = None
        self.expired: bool = False

    def watch(self, transport: asyncio.WriteTransport, on_stall: Callable[[float], None]) -> None:
        """Measure the progress of the body by what this transport has not sent yet. Call it before any progress.

        ``on_stall`` is called with the limit in seconds if everything handed over was sent, and nothing followed.
        """
        self._buffer_size: Callable[[], int] = transport.get_write_buffer_size
        self._on_stall = on_stall

    def body_progress(self) -> None:
        """Note that a piece of the body was handed over."""
        self._last_progress = self._timer.time()
        self._graced = None
        self._unsent: int = self._buffer_size()
        self._start("write", self._settings.write, self._last_progress, checks=CHECKS)

    def body_sent(self) -> None:
        """Note that the whole body was sent: the answer is due."""
        read = self._settings.read
        self._start("read", None if read is None else read + self._extra_read_seconds, self._timer.time())

    def _start(self, phase: Phase, seconds: float | None, now: float, checks: int = 1) -> None:
        self.phase: Phase = phase
        seconds = math.inf if seconds is None else seconds
        self.seconds: float = seconds
        deadline = now + seconds / checks
        if deadline > self._total_deadline:
            deadline = self._total_deadline
        self.deadline: float = deadline
        if deadline < self._timer.next_check:
            self._timer.schedule(deadline)

    def check(self, now: float) -> None:
        """Expire, unless the loop was busy, or a large piece of the body is still making progress."""
        late = now - self.deadline
        if late > LATE and self._graced != self.phase:  # the answer may have arrived while the loop was busy
            self._graced, self.deadline = self.phase, now + min(late, GRACE)
            return
        if self.phase == "write" and now < self._total_deadline:
            unsent = self._buffer_size()
            if unsent != self._unsent:
                self._last_progress, self._unsent, self._graced = now, unsent, None
            stalled_at = self._last_progress + self.seconds
            if now < stalled_at:
                self.deadline = min(now + self.seconds / CHECKS, stalled_at, self._total_deadline)
                return
            if not unsent:
                self._on_stall(self.seconds)
        if now >= self._total_deadline:
            self.phase, self.seconds = "total", self._total
        self.expire()

    def expire(self) -> None:
        """Cancel the task, as ``asyncio.timeout`` does; ``__exit__`` turns that into TimeoutError."""
        if not self.expired:
            self.expired = True
            self._task.cancel()

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        now = self._timer.time()
        self._total_deadline = now + self._total
        self._start("connect", self._settings.connect, now)
        self._timer.running.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.running.discard(self)
        # If someone else has cancelled the task as well, it stays cancelled.
        if self.expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from None
