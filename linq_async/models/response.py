"""The response to ``linq.request``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Response(Generic[T]):
    """The answer to ``linq.request``, whole."""

    status: int
    """The HTTP status, within 2xx; or 404 to a DELETE that an earlier attempt of the same call had carried out."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Names in lower case."""
    request_id: str | None
    """The server's id of the request, if it gave one."""
    body: bytes = attrs.field(repr=False)
    """The bytes that came, decompressed."""
    data: T = attrs.field(repr=False)
    """What ``returns`` asked for; else the JSON value, None where the body is empty or not JSON."""
    idempotency_key: str | None = None
    """The key that the request carried."""
    attempts: int = 1
    """How many attempts it took."""
