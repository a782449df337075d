"""Availability of iMessage."""

from __future__ import annotations

import attrs

from linq_async.models.decodable import decodable


@decodable
@attrs.define(kw_only=True)
class Availability:
    """Whether a phone number can be reached by iMessage."""

    available: bool
    """Whether iMessage is available. If the field is missing, DecodeError is raised: None would look like a no."""
    phone_number: str | None = attrs.field(default=None, repr=False)
    """The phone number, as the server formats it."""
