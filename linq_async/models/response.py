"""The result of ``linq.request``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Response(Generic[T]):
    """The response to ``linq.request``."""

    status: int
    """The HTTP status: 2xx, or 404 for a DELETE that an earlier attempt of the call had carried out."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """The headers, with names in lower case."""
    request_id: str | None
    """The server's id of the request, if it returned one."""
    body: bytes = attrs.field(repr=False)
    """The body, decompressed."""
    data: T = attrs.field(repr=False)
    """A ``returns``; without it the JSON value, or None if the body is empty or not JSON."""
    idempotency_key: str | None = None
    """The key that the request carried."""
    attempts: int = 1
    """The number of attempts that the call took."""
