"""Requests and responses as values, before and after HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from linq_async.errors import Outcome
from linq_async.models.outgoing import NewMessage

API = "/api/partner/v2"
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
METHODS = REPEATABLE | {"POST", "PATCH"}
URL_SECONDS = 30.0
"""The seconds that the server may take to fetch one attachment URL before it responds."""


@attrs.frozen
class LimitGroup:
    """Calls that share one limit of the server: a 429 with Retry-After pauses the whole group."""

    name: str
    interval: float = 0.0
    """Seconds between the starts of two calls; 0 if the group has no pace."""


DEFAULT_GROUP = LimitGroup("default")


@attrs.define(eq=False, kw_only=True)  # not frozen: internal, and made for each call
class Request:
    """One call of the API: its route and its body, not yet encoded."""

    operation: str
    """Its name in logs: ``chats.create``."""
    method: str
    path: str = attrs.field(repr=False)
    body: NewMessage | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """A message, any other JSON object, or nothing."""
    params: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    idempotency_key: str | None = None
    """The key in the body. The resources generate one if the message has none."""
    group: LimitGroup = DEFAULT_GROUP
    sizes: list[int | None] | None = None
    """The sizes of the attachments in bytes; None before they are measured."""
    failed: Outcome = Outcome.NOT_SENT
    """The joined outcome of the attempts that have failed."""

    @property
    def message(self) -> NewMessage | None:
        """The body, if it is a message."""
        return self.body if isinstance(self.body, NewMessage) else None

    @property
    def json(self) -> Mapping[str, Any]:
        """The body, if it is not a message; empty if there is none."""
        return {} if self.body is None or isinstance(self.body, NewMessage) else self.body

    @property
    def extra_read_seconds(self) -> float:
        """The seconds that the response may take beyond the read timeout."""
        return URL_SECONDS * len(self.body.attachment_urls) if isinstance(self.body, NewMessage) else 0.0


@attrs.define(eq=False)
class RawResponse:
    """A response, read to its end or to the size limit."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    oversized: bool = False
    """Whether the body was cut at the size limit."""
