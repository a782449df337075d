"""Time that a test controls, so that nothing waits for real.

Example:
    clock = Clock()
    async with (
        Loopback(refused(429, Retry_After="30"), CREATED) as server,
        LinqClient(TOKEN, base_url=server.url, timing=clock.timing()) as linq,
    ):
        await linq.chats.create(**MESSAGE)
    assert clock.sleeps[0] >= 30.0
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from linq_async.timing import Timing


class Clock:
    """A clock that each sleep moves at once. If it is manual, only `advance` moves it, and sleepers wait for that."""

    def __init__(self, *, start: float = 1_000.0, manual: bool = False) -> None:
        self.now = start
        """The time in seconds. A test may set it; `advance` also wakes sleepers."""
        self.sleeps: list[float] = []
        """The seconds of each sleep, in order."""
        self.sleep: Callable[[float], Awaitable[None]] = self.wait if manual else self.skip
        """How to sleep. A test may set another."""
        self.at_first_sleep: Callable[[], Awaitable[None]] | None = None
        """Called once, when the next sleep begins."""
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def sleepers(self) -> int:
        """How many tasks sleep now."""
        return len(self._sleepers)

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now

    def moment(self) -> datetime:
        """Return the time as the clock of a sandbox does."""
        return datetime.fromtimestamp(self.now, UTC)

    def timing(self, random: Callable[[], float] = lambda: 0.5) -> Timing:
        """Return the timing of a client on this clock, with the given source of jitter."""
        return Timing(lambda seconds: self.sleep(seconds), self.monotonic, random)

    async def skip(self, seconds: float) -> None:
        """Sleep by moving the clock at once."""
        await self._begin(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def wait(self, seconds: float) -> None:
        """Sleep until the clock is advanced far enough."""
        await self._begin(seconds)
        sleeper = (self.now + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            async with asyncio.timeout(5):  # of real time, so that a test that never advances fails instead of hanging
                await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    async def _begin(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if self.at_first_sleep is not None:
            act, self.at_first_sleep = self.at_first_sleep, None
            await act()

    def advance(self, seconds: float) -> None:
        """Move the clock, and wake the sleepers whose time has come."""
        self.now += seconds
        for end, woken in self._sleepers:
            if end <= self.now + 1e-9 and not woken.done():
                woken.set_result(None)

    async def wait_for_sleepers(self, count: int) -> None:
        """Wait until this many tasks sleep."""
        await until(lambda: self.sleepers == count)


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks run until a condition is true."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # anything may make it true, the server too
            await asyncio.sleep(0)
