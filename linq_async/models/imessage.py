"""Who can be reached by iMessage."""

from __future__ import annotations

import attrs

from linq_async.models.decodable import decodable


@decodable
@attrs.define(kw_only=True)
class Availability:
    """Whether a number is on iMessage."""

    available: bool
    """Whether it is. An answer without it is a DecodeError: None would read as a no."""
    phone_number: str | None = attrs.field(default=None, repr=False)
    """The number, as the server spells it."""
