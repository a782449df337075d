"""The typing indicator, shown for as long as a block runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

from linq_async.errors import APIError, LinqError

REFRESH_SECONDS = 25.0
"""The server hides the indicator after 60 seconds: after a failed refresh, the next one is still in time."""
STOP_SECONDS = 3.0
"""How long the end of the block waits until the indicator is hidden."""
HURRIED_STOP_SECONDS = 1.0
"""The same if the block was cancelled: then its caller waits for nothing else."""

logger: logging.Logger = logging.getLogger("linq_async")
Call = Callable[[], Awaitable[None]]


class TypingIndicator:
    """Shows the indicator during a block: starts it, refreshes it, and stops it at the end."""

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
        """Stop the indicator, or give up after these seconds, which include the wait for a connection."""
        stopping = asyncio.ensure_future(self._stop())
        try:  # asyncio.timeout does not work if the task is cancelled already
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
    """Make a call whose failure must not end the block: the server hides the indicator by itself."""
    try:
        await call()
    except LinqError as error:
        # The message of an API error may contain the detail of the server, which must not be logged.
        text = f"{type(error).__name__}, status {error.status}" if isinstance(error, APIError) else error
        logger.warning("chats.typing: not %s: %s", what, text)
