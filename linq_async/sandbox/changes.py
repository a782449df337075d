"""The changes of a sandbox: numbered, kept for a while, and followed without holding up the server."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import islice
from secrets import token_hex
from threading import Lock
from typing import cast

import attrs

from .events import Event

MAX_CHANGES = 10_000
MAX_BYTES = 32 << 20
OVERHEAD = 256


class ChangesLostError(Exception):
    """The changes after a number are no longer kept: read the sandbox's lists again, then follow from there."""


@attrs.frozen
class Change:
    """One event with its number. Numbers rise by 1 and are never reused, not even after a reset."""

    number: int
    event: Event


def publish_nothing(event: Event) -> None:
    """Drop an event: what a log or a list of faults outside a sandbox does with it."""


class Changes:
    """The latest changes of a sandbox, oldest first.

    Readers pull: they wait for changes and read them at their own pace. A reader that is slow or fails affects
    nobody else, and a reader that falls too far behind gets a `ChangesLostError`. All methods are thread-safe.
    """

    def __init__(self, max_changes: int = MAX_CHANGES, max_bytes: int = MAX_BYTES) -> None:
        self.epoch: str = token_hex(4)
        """Differs between two sandboxes, so that a number of one is not taken for a number of the other."""
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._kept: deque[tuple[Change, int]] = deque()
        self._bytes = 0
        self._number = 0
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<Changes: {self._number} so far, {len(self._kept)} kept>"

    @property
    def number(self) -> int:
        """The number of the latest change; 0 before the first."""
        return self._number

    def publish(self, event: Event) -> None:
        """Give an event the next number, keep it, and wake the readers."""
        size = OVERHEAD + _size(event)
        with self._lock:
            self._number += 1
            self._kept.append((Change(self._number, event), size))
            self._bytes += size
            while len(self._kept) > self._max_changes or self._bytes > self._max_bytes:
                self._bytes -= self._kept.popleft()[1]
            waiting, self._waiting = self._waiting, {}
        for future, loop in waiting.items():
            with suppress(RuntimeError):  # its loop is closed, and the reader with it
                loop.call_soon_threadsafe(_finish, future)

    def forget(self) -> None:
        """Drop what is kept. The numbers go on, so that a reader who missed something learns of it."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def since(self, number: int) -> list[Change]:
        """Return the changes after a number, oldest first.

        Raises:
            ChangesLostError: If some of them are no longer kept, or if no change had that number yet.
        """
        with self._lock:
            missed = self._number - number
            if not 0 <= missed <= len(self._kept):
                raise ChangesLostError(f"the changes after {number} are not kept")
            return [change for change, _ in islice(self._kept, len(self._kept) - missed, None)]

    async def wait(self, number: int) -> None:
        """Wait until there is a change after a number."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._number != number:
                return
            self._waiting[future] = loop
        try:
            await future
        finally:
            with self._lock:
                self._waiting.pop(future, None)

    async def follow(self, number: int | None = None) -> AsyncIterator[Change]:
        """Yield the changes after a number as they happen; by default those after the latest one.

        Raises:
            ChangesLostError: If the reader has fallen behind what is kept.
        """
        position = self._number if number is None else number
        while True:
            for change in self.since(position):
                position = change.number
                yield change
            await self.wait(position)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _size(value: object) -> int:
    """Estimate the bytes that an event keeps alive."""
    if isinstance(value, str | bytes):
        return sys.getsizeof(value)
    if isinstance(value, tuple):
        return OVERHEAD + sum(_size(item) for item in cast("tuple[object, ...]", value))
    if isinstance(value, dict):
        return OVERHEAD + sum(_size(item) for item in cast("dict[str, object]", value).values())
    if attrs.has(type(value)):
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", type(value)))
        return OVERHEAD + sum(_size(getattr(value, field.name)) for field in fields)
    return 0
