"""The clock of one attempt: one timer, whose limit moves as the attempt goes from phase to phase."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

from linq_async.config import Timeouts


class AttemptClock:
    """Ends an attempt by TimeoutError when the phase that it is in has used up its seconds.

    Moving the limit later costs an assignment: the timer finds out when it fires, and sleeps on.
    """

    __slots__ = (
        "_connect",
        "_deadline",
        "_handle",
        "_limit",
        "_loop",
        "_read",
        "_timeout",
        "_total",
        "_write",
        "phase",
        "seconds",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeouts: Timeouts,
        remaining: float,
        extra_read_seconds: float,
    ) -> None:
        self._loop = loop
        self._connect = _seconds(timeouts.connect)
        self._write = _seconds(timeouts.write)
        self._read = _seconds(timeouts.read) + extra_read_seconds
        self._total = min(_seconds(timeouts.total), remaining)
        self._deadline = self._limit = loop.time() + self._total
        self._timeout = asyncio.timeout(None)
        self._handle: asyncio.TimerHandle | None = None
        self.phase = "total"
        self.seconds = self._total

    def body_moves(self) -> None:
        """Note that the body is going out, and that it has just made progress."""
        self._enter("write", self._write)

    def body_is_out(self) -> None:
        """Note that the body has left, so that the answer is due."""
        self._enter("read", self._read)

    def _enter(self, phase: str, seconds: float) -> None:
        limit = self._loop.time() + seconds
        if limit < self._deadline:
            self.phase, self.seconds, self._limit = phase, seconds, limit
        else:
            self.phase, self.seconds, self._limit = "total", self._total, self._deadline
        if self._handle is None or self._limit < self._handle.when():
            self._arm()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None if math.isinf(self._limit) else self._loop.call_at(self._limit, self._fire)

    def _fire(self) -> None:
        if self._loop.time() < self._limit:
            self._arm()
        else:
            self._timeout.reschedule(self._loop.time())

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._enter("connect", self._connect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        await self._timeout.__aexit__(kind, error, trace)


def _seconds(limit: float | None) -> float:
    return math.inf if limit is None else limit
