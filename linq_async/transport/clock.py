"""The clocks of attempts, and the one timer that they share.

A timer for each attempt costs more than all else that a call needs of this package. Here an attempt's limit is a
number, which moves as the attempt goes from phase to phase; one timer sleeps until the earliest, and looks again.
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

LOOKS = 4
"""How often, within the seconds that a body may stand still, somebody looks whether it does."""

LATE = 0.05
"""Seconds: a timer that fires so late shows that the loop was busy."""
SPARE = 1.0
"""Seconds, at the most, in which a loop that was busy may read what came meanwhile."""


class Watch:
    """The clocks that run on one loop, and the timer for the earliest limit among them."""

    __slots__ = ("_handle", "_loop", "clocks", "next_look", "time")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.time = loop.time
        self._handle: asyncio.TimerHandle | None = None
        self.clocks: set[AttemptClock] = set()
        self.next_look = math.inf
        """When the timer fires next, by the loop's time."""

    def look_at(self, moment: float) -> None:
        """Look at the clocks at this moment, if nothing makes us look earlier."""
        if moment < self.next_look:
            self.stop()
            self.next_look = moment
            self._handle = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        self.next_look = math.inf
        now = self._loop.time()
        for clock in self.clocks:
            if clock.limit <= now:
                clock.look(now)
        self.look_at(min((clock.limit for clock in self.clocks if not clock.expired), default=math.inf))

    def expire_all(self) -> None:
        """End every attempt now, and stop the timer."""
        self.stop()
        for clock in self.clocks:
            clock.expire()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.next_look = math.inf


class AttemptClock:
    """Ends the block that it guards by TimeoutError, once the phase that it is in has used up its seconds."""

    __slots__ = (
        "_buffered",
        "_cancelling",
        "_deadline",
        "_extra_read_seconds",
        "_moved",
        "_spared",
        "_stands_still",
        "_task",
        "_timeouts",
        "_total",
        "_unsent",
        "_watch",
        "expired",
        "limit",
        "phase",
        "seconds",
    )

    def __init__(self, watch: Watch, timeouts: Timeouts, remaining: float, extra_read_seconds: float) -> None:
        self._watch = watch
        self._timeouts = timeouts
        self._total = remaining if timeouts.total is None else min(timeouts.total, remaining)
        self._extra_read_seconds = extra_read_seconds
        self._buffered: Callable[[], int] = _nothing
        self._stands_still: Callable[[float], None] = _no_matter
        self._spared: str | None = None
        self.expired = False

    def watch_over(self, transport: asyncio.WriteTransport, stands_still: Callable[[float], None]) -> None:
        """Ask this transport how much of the body was handed over and has not left yet.

        ``stands_still`` is called, with the limit, if all that was handed over has left, and nothing followed.
        """
        self._buffered = transport.get_write_buffer_size
        self._stands_still = stands_still

    def body_moves(self) -> None:
        """Note that the body is going out, and that it has just made progress."""
        self._moved = self._watch.time()
        self._spared = None
        self._unsent: int = self._buffered()
        self._enter("write", self._timeouts.write, self._moved, looks=LOOKS)

    def body_is_out(self) -> None:
        """Note that the body has left, so that the answer is due."""
        read = self._timeouts.read
        self._enter("read", None if read is None else read + self._extra_read_seconds, self._watch.time())

    def _enter(self, phase: Phase, seconds: float | None, now: float, looks: int = 1) -> None:
        self.phase: Phase = phase
        self.seconds = seconds = math.inf if seconds is None else seconds
        limit = now + seconds / looks
        self.limit = limit = limit if limit < self._deadline else self._deadline  # noqa: FURB136  # min() is slow here
        if limit < self._watch.next_look:
            self._watch.look_at(limit)

    def look(self, now: float) -> None:
        """Expire, unless it is a large piece of the body that takes its time, and some of it has left since."""
        late = now - self.limit
        if late > LATE and self._spared != self.phase:  # the answer may have come while the loop was busy
            self._spared, self.limit = self.phase, now + min(late, SPARE)
            return
        if self.phase == "write" and now < self._deadline:
            unsent = self._buffered()
            if unsent != self._unsent:
                self._moved, self._unsent, self._spared = now, unsent, None
            if now < self._moved + self.seconds:
                self.limit = min(now + self.seconds / LOOKS, self._moved + self.seconds, self._deadline)
                return
            if not unsent:
                self._stands_still(self.seconds)
        if now >= self._deadline:
            self.phase, self.seconds = "total", self._total
        self.expire()

    def expire(self) -> None:
        """Cancel the task, as ``asyncio.timeout`` does; ``__exit__`` makes a TimeoutError of it."""
        if not self.expired:
            self.expired = True
            self._task.cancel()

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        now = self._watch.time()
        self._deadline = now + self._total
        self._enter("connect", self._timeouts.connect, now)
        self._watch.clocks.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.clocks.discard(self)
        # Someone else may have cancelled the task too: then it stays cancelled.
        if self.expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from None


def _nothing() -> int:
    return 0


def _no_matter(_: float) -> None:
    pass
