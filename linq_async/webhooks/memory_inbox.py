"""An inbox in memory, which is lost with its process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import timedelta

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.webhooks.inbox import keep_problems


class MemoryInbox:
    """Remembers the keys of events in memory. Events that are not handled when the process ends are lost.

    Args:
        max_keys: How many handled events are remembered: the latest ones.
        keep: For how long they are remembered.
        clock: Returns the seconds since some fixed moment; for tests.

    Raises:
        InvalidArgumentError: If an argument has the wrong type or is out of range.
    """

    def __init__(
        self,
        max_keys: int = 20_000,
        keep: timedelta = timedelta(hours=24),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        problems = keep_problems(keep)
        if type(max_keys) is not int or max_keys < 1:
            problems.append(Problem("max_keys", "must be an int of 1 or more"))
        if problems:
            raise InvalidArgumentError(problems)
        self._max_keys = max_keys
        self._keep = keep.total_seconds()
        self._clock = clock
        self._in_progress: set[str] = set()
        self._done: OrderedDict[str, float] = OrderedDict()  # a dict would find its oldest key ever more slowly

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._in_progress) + len(self._done)

    def __repr__(self) -> str:
        return f"<MemoryInbox: {len(self._in_progress)} in progress, {len(self._done)} handled>"

    async def take(self, key: str, body: bytes) -> bool:
        """Claim a key. Return False if it is known. The body is not stored, because it would not outlive the event."""
        if key in self._in_progress or self._is_done(key):
            return False
        self._in_progress.add(key)
        return True

    async def done(self, key: str) -> None:
        """Remember the key for the time to keep it, unless newer ones exceed the limit."""
        self._in_progress.discard(key)
        self._done[key] = self._clock()
        if len(self._done) > self._max_keys:
            self._done.popitem(last=False)

    async def failed(self, key: str, error: str) -> None:
        """Forget the key."""
        self._in_progress.discard(key)

    async def unfinished(self) -> Sequence[bytes]:
        """Forget the keys that an earlier run left in progress, and return nothing."""
        self._in_progress.clear()
        return ()

    def _is_done(self, key: str) -> bool:
        """Return whether a key is remembered, after forgetting those that are too old."""
        oldest = self._clock() - self._keep
        while self._done and next(iter(self._done.values())) < oldest:
            self._done.popitem(last=False)
        return key in self._done
