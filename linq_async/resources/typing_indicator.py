"""The typing indicator, shown for as long as a block runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

from linq_async.errors import APIError, LinqError

REFRESH_SECONDS = 25.0
"""The server hides the indicator after 60 seconds: one refresh may fail, and the next still comes in time."""
STOP_SECONDS = 3.0
"""How long the end of a block waits for the indicator to be hidden."""
HURRIED_STOP_SECONDS = 1.0
"""The same, if the block was cancelled: its caller is no longer waiting for anything else."""

logger = logging.getLogger("linq_async")
Call = Callable[[], Awaitable[None]]


class TypingIndicator:
    """Starts the indicator, starts it again and again, and stops it at the end."""

    def __init__(self, start: Call, stop: Call, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._start = start
        self._stop = stop
        self._sleep = sleep

    async def __aenter__(self) -> None:
        await self._start()
        self._refreshing = asyncio.create_task(self._refresh())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._refreshing.cancel()
        await asyncio.wait([self._refreshing])
        cancelled = kind is not None and not issubclass(kind, Exception)
        await _logged("stopped", lambda: self._stop_within(HURRIED_STOP_SECONDS if cancelled else STOP_SECONDS))

    async def _stop_within(self, seconds: float) -> None:
        """Stop it, or give up after so many seconds, its wait for a connection included."""
        stopping = asyncio.ensure_future(self._stop())
        try:  # asyncio.timeout is of no use here: the task may be cancelled already
            done, _ = await asyncio.wait([stopping], timeout=seconds)
        finally:
            stopping.cancel()
        if done:
            return stopping.result()
        await asyncio.wait([stopping])
        return logger.warning("chats.typing: not stopped within %g s", seconds)

    async def _refresh(self) -> None:
        while True:
            await self._sleep(REFRESH_SECONDS)
            await _logged("refreshed", self._start)


async def _logged(what: str, call: Call) -> None:
    """Make a call whose failure is no concern of the block's: the server hides the indicator by itself."""
    try:
        await call()
    except LinqError as error:
        # An API error's text may hold the server's sentence, which no log may show.
        text = f"{type(error).__name__}, status {error.status}" if isinstance(error, APIError) else error
        logger.warning("chats.typing: not %s: %s", what, text)
