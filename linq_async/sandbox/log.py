"""The log of all requests that came in."""

from collections.abc import Iterator, Sequence
from typing import overload

import attrs


@attrs.define(kw_only=True)
class LoggedRequest:
    """One request: what it asked and what became of it.

    `request_id` is what the answer carries as `X-Request-Id`.
    `status` is None while no answer was sent, and for good when the connection was dropped. `attempt` counts
    the requests that carried the same idempotency key; it is 1 for a request without one. `replayed` says that
    its key had a message already, so that nothing was stored for it.
    """

    method: str
    path: str
    query: str
    content_type: str
    request_id: str
    status: int | None = None
    idempotency_key: str | None = None
    attempt: int = 1
    replayed: bool = False
    size: int = 0
    fault: str | None = None


class RequestLog(Sequence[LoggedRequest]):
    """All requests in the order in which they came in."""

    def __init__(self) -> None:
        self._entries: list[LoggedRequest] = []
        self._attempts: dict[str, int] = {}

    @overload
    def __getitem__(self, index: int) -> LoggedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[LoggedRequest]: ...
    def __getitem__(self, index: int | slice) -> LoggedRequest | list[LoggedRequest]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._entries)

    def __repr__(self) -> str:
        return f"RequestLog({self._entries!r})"

    def by_key(self) -> dict[str, list[LoggedRequest]]:
        """Group the attempts by idempotency key, leaving out requests without one."""
        groups: dict[str, list[LoggedRequest]] = {}
        for entry in self._entries:
            if entry.idempotency_key is not None:
                groups.setdefault(entry.idempotency_key, []).append(entry)
        return groups

    def add(self, entry: LoggedRequest) -> None:
        """Log a request as it comes in."""
        self._entries.append(entry)

    def note_key(self, entry: LoggedRequest, key: str) -> None:
        """Note the key of a request once its body is read, and which attempt it is."""
        self._attempts[key] = self._attempts.get(key, 0) + 1
        entry.idempotency_key, entry.attempt = key, self._attempts[key]

    def clear(self) -> None:
        """Forget all requests."""
        self._entries.clear()
        self._attempts.clear()
