"""How long an event loop keeps a task waiting, told apart from how long the machine keeps the loop waiting."""

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
    """The worst lags of a ticker, in seconds."""

    raw: float = 0.0
    """As the ticker saw it."""
    own: float | None = None
    """Less the time that the thread was ready to run and had no processor; None where the system does not tell."""

    def note(self, late: float, waited: float | None) -> None:
        """Take one tick into account."""
        self.raw = max(self.raw, late)
        if waited is not None:
            self.own = max(self.own or 0.0, late - waited)

    @property
    def gated(self) -> float:
        """The figure that is the client's own doing, as far as it can be told."""
        return self.raw if self.own is None else self.own


@asynccontextmanager
async def watching() -> AsyncGenerator[Lag]:
    """Watch the loop while the block runs."""
    lag = Lag()
    ticker = asyncio.create_task(_tick(lag))
    await asyncio.sleep(10 * TICK)
    lag.raw, lag.own = 0.0, None
    try:
        yield lag
    finally:
        await asyncio.sleep(2 * TICK)  # the last tick may be the late one
        ticker.cancel()


async def _tick(lag: Lag) -> None:
    counted = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    descriptor = os.open(counted, os.O_RDONLY) if os.path.exists(counted) else None  # noqa: ASYNC240  # memory, no disk
    try:
        while True:
            waited, begun = _waited(descriptor), time.perf_counter()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - begun - TICK
            lag.note(late, None if waited is None else (_waited(descriptor) or 0.0) - waited)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _waited(descriptor: int | None) -> float | None:
    return None if descriptor is None else int(os.pread(descriptor, 64, 0).split()[1]) / 1e9
