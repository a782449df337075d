"""Limits on the JSON of a body: a few kilobytes of gzip can contain millions of values."""

from __future__ import annotations

ERROR_BODY_BYTES = 64 << 10
"""The part of a body that an error keeps."""
MAX_VALUES = 50_000
"""A page of 100 chats with 32 participants each has a third of it. A decoded value takes up to 400 bytes."""
UNCOUNTED_BYTES = 64 << 10
"""The values of a shorter body are not counted, because it can do no harm. Nearly all bodies are shorter."""
MAX_DEPTH = 100
"""The levels of an event. Documented ones have five, and what reads them by recursion fails at about a thousand."""

_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(body: bytes) -> bool:
    """Return whether the arrays and objects of valid JSON are nested more than ``MAX_DEPTH`` levels deep."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = without_strings(body).translate(_AS_ARRAYS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
        if not brackets:
            return False
    return True


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
