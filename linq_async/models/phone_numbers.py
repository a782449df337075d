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
    """The number that calls are forwarded to."""
    response_rate: int | None = None
    """The response rate. The API describes it as messages per second."""
