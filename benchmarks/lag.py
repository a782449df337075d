"""The lag of an event loop: its own share, without the time that the loop itself waited for a processor."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs

TICK = 0.001


@attrs.define
class Lag:
    """The worst delays of a task that ticks every millisecond, in seconds."""

    raw: float = 0.0
    """The worst delay."""
    own: float | None = None
    """The worst delay less the time that the thread waited for a processor. None if the system does not count it."""

    def record(self, delay: float, waited: float | None) -> None:
        """Record one tick."""
        self.raw = max(self.raw, delay)
        if waited is not None:
            self.own = max(self.own or 0.0, delay - waited)

    @property
    def gated(self) -> float:
        """The value to check: the loop's own share if it is known."""
        return self.raw if self.own is None else self.own


@asynccontextmanager
async def measure_lag() -> AsyncGenerator[Lag]:
    """Measure the lag of the running loop during the ``async with`` block."""
    lag = Lag()
    ticker = asyncio.create_task(_tick(lag))
    await asyncio.sleep(10 * TICK)
    lag.raw, lag.own = 0.0, None
    try:
        yield lag
    finally:
        await asyncio.sleep(2 * TICK)  # the last tick may be the delayed one
        ticker.cancel()


async def _tick(lag: Lag) -> None:
    counter = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    descriptor = os.open(counter, os.O_RDONLY) if os.path.exists(counter) else None  # noqa: ASYNC240  # not on disk
    try:
        while True:
            waited, start = _waited(descriptor), time.perf_counter()
            await asyncio.sleep(TICK)
            delay = time.perf_counter() - start - TICK
            lag.record(delay, None if waited is None else (_waited(descriptor) or 0.0) - waited)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _waited(descriptor: int | None) -> float | None:
    return None if descriptor is None else int(os.pread(descriptor, 64, 0).split()[1]) / 1e9
