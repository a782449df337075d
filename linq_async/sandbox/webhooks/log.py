"""The log of the attempts to deliver."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from linq_async.sandbox.records import SandboxDelivery

from .faults import DeliveryFaults


class Deliveries(DeliveryFaults, Sequence[SandboxDelivery]):
    """The latest attempts to deliver an event to a webhook, oldest first, and faults of the next deliveries.

    It keeps the last `limit` attempts, fewer if their bodies are over `max_bytes`, and always the last one.
    """

    def __init__(self, limit: int, max_bytes: int, on_release: Callable[[], object]) -> None:
        super().__init__(on_release)
        self._limit = limit
        self._max_bytes = max_bytes
        self._entries: deque[SandboxDelivery] = deque()
        self._bytes = 0
        self._total = 0

    @property
    def total(self) -> int:
        """The number of attempts since the start or the last reset, including those no longer kept."""
        return self._total

    @overload
    def __getitem__(self, index: int) -> SandboxDelivery: ...
    @overload
    def __getitem__(self, index: slice) -> list[SandboxDelivery]: ...
    def __getitem__(self, index: int | slice) -> SandboxDelivery | list[SandboxDelivery]:
        return list(self)[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[SandboxDelivery]:
        # A copy: attempts may end, and old ones go, while the caller reads.
        return iter(self._entries.copy())

    def __repr__(self) -> str:
        return f"<Deliveries: {self._total} so far, {len(self._entries)} kept>"

    def find(self, number: int) -> SandboxDelivery | None:
        """Return the attempt with a number, or None if it is not kept."""
        index = number - 1 - (self._total - len(self._entries))
        return self._entries[index] if 0 <= index < len(self._entries) else None

    def add(self, entry: SandboxDelivery) -> None:
        """Log an attempt, and drop the oldest ones if there are too many."""
        self._total = entry.number
        self._entries.append(entry)
        self._bytes += len(entry.body)
        while len(self._entries) > self._limit or (self._bytes > self._max_bytes and len(self._entries) > 1):
            self._bytes -= len(self._entries.popleft().body)

    def clear(self) -> None:
        """Drop all attempts and faults, and hold nothing any more."""
        self.clear_faults()
        self._held = False
        self._entries.clear()
        self._bytes = self._total = 0
