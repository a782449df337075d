"""What was asked, and what came back."""

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
"""How long the server may take to fetch one attachment URL before it answers."""


@attrs.define(eq=False, kw_only=True)  # not frozen: it never leaves the package, and is made for each call
class Request:
    """One call of the API, before anything of HTTP is decided but its route."""

    operation: str
    """Its name in logs: ``chats.create``."""
    method: str
    path: str = attrs.field(repr=False)
    body: NewMessage | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """A message, any other JSON object, or nothing."""
    params: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    idempotency_key: str | None = None
    """The key in the body. The resources generate one for a message that has none."""
    group: str = "default"
    """The limit group: a 429 pauses the others of the same group."""
    spacing: float = 0.0
    """Seconds that lie between two attempts, at the least."""
    sizes: list[int | None] | None = None
    """The sizes of the message's attachments, once they are measured."""
    failed: Outcome = Outcome.NOT_SENT
    """What the attempts that have failed may have done, joined."""

    @property
    def message(self) -> NewMessage | None:
        """The body, if it is a message."""
        return self.body if isinstance(self.body, NewMessage) else None

    @property
    def json(self) -> Mapping[str, Any]:
        """The body, if it is no message; empty where there is none."""
        return {} if self.body is None or isinstance(self.body, NewMessage) else self.body

    @property
    def extra_read_seconds(self) -> float:
        """How much longer than usual the answer may take."""
        return URL_SECONDS * len(self.body.attachment_urls) if isinstance(self.body, NewMessage) else 0.0


@attrs.define(eq=False)
class RawResponse:
    """An answer, read to its end or to the cap."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    oversized: bool = False
    """Whether the body is longer than the cap, and cut there."""
