"""Limits on the JSON of a body: a few kilobytes of gzip can contain millions of values."""

from __future__ import annotations

ERROR_BODY_BYTES = 64 << 10
"""The part of a body that an error keeps."""
MAX_VALUES = 50_000
"""A page of 100 chats with 32 participants each has a third of it. A decoded value takes up to 400 bytes."""
UNCOUNTED_BYTES = 64 << 10
"""The values of a shorter body are not counted, because it can do no harm. Nearly all bodies are shorter."""


def has_too_many_values(body: bytes) -> bool:
    """Return whether a body contains more than ``MAX_VALUES`` values; takes a few milliseconds per MiB."""
    if len(body) <= UNCOUNTED_BYTES or value_count(body) <= MAX_VALUES:
        return False
    return value_count(without_strings(body)) > MAX_VALUES


def value_count(json: bytes) -> int:
    """Return an upper bound of the values in JSON: each follows a comma or an opening bracket, or is the first."""
    return 1 + json.count(b",") + json.count(b"[") + json.count(b"{")


def without_strings(body: bytes) -> bytes:
    """Remove the strings, which may contain any character. A body with too many of them is returned unchanged."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if unescaped.count(b'"') > 4 * MAX_VALUES:  # a value has two quotes, and its name two more
        return body
    return b"".join(unescaped.split(b'"')[::2])
