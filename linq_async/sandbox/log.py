"""The log of the requests that came in."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import overload

import attrs

from .changes import publish_nothing
from .events import Event, RequestFinished, RequestReceived
from .guard import TOKEN_HEADER

LONGEST_KEY = 1024
DETAILED = 1_000
"""How many of the latest requests keep their headers and bodies."""
LOGGED_BYTES = 16 << 10
"""Bytes that are kept of each body."""
LOGGED_HEADERS = 50
CREDENTIALS = frozenset({TOKEN_HEADER.lower(), "authorization", "proxy-authorization", "cookie"})


@attrs.define(kw_only=True)
class LoggedRequest:
    """One request and its outcome.

    `request_id` is the `X-Request-Id` of the response.
    `status` is None until a response is sent, and stays None if the connection was dropped. `attempt` counts
    the requests that carried the same idempotency key; it is 1 for a request without one. `replayed` says that
    its key had a message already, so that nothing was stored for it. Of a request without the token, only the
    beginning of its path and content type is kept, and nothing of its query, headers and body.

    `received_at` is by the sandbox's clock, and `seconds` how long the request took, None while it is in progress.
    The last 1,000 requests keep their `headers` (without the token), and up to 16 KiB of their `body` and of the
    `response`.
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
    received_at: datetime | None = None
    seconds: float | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    response: bytes = attrs.field(default=b"", repr=False)

    @property
    def number(self) -> int:
        """The number in its `request_id`."""
        return int(self.request_id.rpartition("-")[2])

    def forget_details(self) -> None:
        """Drop headers and bodies."""
        self.headers, self.body, self.response = {}, b"", b""


def logged_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to log: not too many, not too long, and without credentials."""
    first = islice(headers.items(), LOGGED_HEADERS)
    return {name[:100]: "***" if name.lower() in CREDENTIALS else value[:1000] for name, value in first}


class RequestLog(Sequence[LoggedRequest]):
    """The latest requests in the order in which they came in, and how many there were in `total`.

    It keeps the last `limit` requests, and counts attempts for the last `10 * limit` idempotency keys.
    """

    def __init__(self, limit: int = 10_000, publish: Callable[[Event], object] = publish_nothing) -> None:
        self._limit = limit
        self._publish = publish
        self._entries: list[LoggedRequest] = []
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._total = 0

    @property
    def total(self) -> int:
        """The number of requests since the start or the last `clear()`, including those no longer kept."""
        return self._total

    @overload
    def __getitem__(self, index: int) -> LoggedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[LoggedRequest]: ...
    def __getitem__(self, index: int | slice) -> LoggedRequest | list[LoggedRequest]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LoggedRequest]:
        # A copy: requests may come in, and old ones go, while the caller reads.
        return iter(self._entries[:])

    def __repr__(self) -> str:
        return f"RequestLog({self._entries!r})"

    def by_key(self) -> dict[str, list[LoggedRequest]]:
        """Return the attempts of each idempotency key, without the requests that had none."""
        groups: dict[str, list[LoggedRequest]] = {}
        for entry in self:
            if entry.idempotency_key is not None:
                groups.setdefault(entry.idempotency_key, []).append(entry)
        return groups

    def find(self, number: int) -> LoggedRequest | None:
        """Return the request with a number, or None if it is not kept."""
        index = number - 1 - (self._total - len(self._entries))
        return self._entries[index] if 0 <= index < len(self._entries) else None

    def add(self, entry: LoggedRequest) -> None:
        """Log a request as it comes in, and drop the oldest one if there are too many."""
        self._total += 1
        self._entries.append(entry)
        if len(self._entries) > DETAILED:
            self._entries[-DETAILED - 1].forget_details()
        if len(self._entries) > self._limit:
            del self._entries[0]
        self._publish(RequestReceived(request_id=entry.request_id, method=entry.method, path=entry.path))

    def finish(self, entry: LoggedRequest) -> None:
        """Publish what became of a request, once it is answered or its connection is dropped."""
        self._publish(
            RequestFinished(
                request_id=entry.request_id,
                status=entry.status,
                idempotency_key=entry.idempotency_key,
                attempt=entry.attempt,
                replayed=entry.replayed,
                size=entry.size,
                fault=entry.fault,
            )
        )

    def count_attempt(self, entry: LoggedRequest, key: str) -> None:
        """Set the key and the attempt of a request once its body is read; a key that is too long is ignored."""
        if len(key) > LONGEST_KEY:
            return
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        self._attempts.move_to_end(key)  # so that the least recently used key is the first one
        if len(self._attempts) > 10 * self._limit:
            self._attempts.popitem(last=False)
        entry.idempotency_key, entry.attempt = key, attempt

    def clear(self) -> None:
        """Drop all requests."""
        self._entries.clear()
        self._attempts.clear()
        self._total = 0
