"""The organization's own numbers."""

from __future__ import annotations

import attrs

from linq_async.models.decodable import decodable


@decodable
@attrs.define(kw_only=True)
class PhoneNumber:
    """One of your Linq numbers."""

    id: int
    """The server's id."""
    phone_number: str | None = attrs.field(default=None, repr=False)
    """The number."""
    forwarding_number: str | None = attrs.field(default=None, repr=False)
    """Where calls go that the number cannot take."""
    response_rate: int | None = None
    """Messages per second, by its description."""
