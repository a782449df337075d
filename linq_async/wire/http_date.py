"""Dates in HTTP headers."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@functools.lru_cache(maxsize=8)  # all responses of one second have the same date
def parse_http_date(text: str) -> datetime | None:
    """Return the time that a header states, with its offset, or None if it cannot be read."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment  # "-0000" is UTC, by RFC 5322
