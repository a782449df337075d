"""The clocks of attempts, and the one timer that they share.

A timer for each attempt costs more than all else that a call needs of this package. Here an attempt's limit is a
number, which moves as the attempt goes from phase to phase; one timer sleeps until the earliest, and looks again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

from linq_async.config import Timeouts

LOOKS = 4
"""How often, within the seconds that a body may stand still, somebody looks whether it does."""


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
        self.expired = False

    def watch_over(self, transport: asyncio.WriteTransport) -> None:
        """Ask this transport how much of the body was handed over and has not left yet."""
        self._buffered = transport.get_write_buffer_size

    def body_moves(self) -> None:
        """Note that the body is going out, and that it has just made progress."""
        self._moved = self._watch.time()
        self._unsent: int = self._buffered()
        self._enter("write", self._timeouts.write, self._moved, looks=LOOKS)

    def body_is_out(self) -> None:
        """Note that the body has left, so that the answer is due."""
        read = self._timeouts.read
        self._enter("read", None if read is None else read + self._extra_read_seconds, self._watch.time())

    def _enter(self, phase: str, seconds: float | None, now: float, looks: int = 1) -> None:
        self.phase = phase
        self.seconds = seconds = math.inf if seconds is None else seconds
        limit = now + seconds / looks
        self.limit = limit = limit if limit < self._deadline else self._deadline  # noqa: FURB136  # min() is slow here
        if limit < self._watch.next_look:
            self._watch.look_at(limit)

    def look(self, now: float) -> None:
        """Expire, unless it is a large piece of the body that takes its time, and some of it has left since."""
        if self.phase == "write" and now < self._deadline:
            unsent = self._buffered()
            if unsent != self._unsent:
                self._moved = now
                self._unsent = unsent
            if now < self._moved + self.seconds:
                self.limit = min(now + self.seconds / LOOKS, self._moved + self.seconds, self._deadline)
                return
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
