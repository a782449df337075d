"""Phone numbers as lists spell them, in E.164."""

from __future__ import annotations

import re

try:
    import phonenumbers
except ModuleNotFoundError as _missing:
    message = "linq_async.bulk needs an extra: pip install 'linq_async[bulk]'"
    raise ModuleNotFoundError(message, name=_missing.name) from None

_REGION = "US"
"""A number without ``+`` is one of the North American plan, as in the API."""
# Spaces and punctuation, and the invisible marks of direction that address books add. Letters are not dialled.
_SPELLED = re.compile(r"[\s\u200e\u200f\u202a-\u202e\u2066-\u2069]*\+?[0-9\s().\-/\u2010-\u2015\u202c\u2069\u200e]+")


def e164(text: str) -> str | None:
    """Return a phone number in E.164, such as ``+13343284472``; None if it is not a valid one."""
    if len(text) > 64 or not _SPELLED.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
