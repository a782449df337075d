"""Bounds on the JSON of an answer: a few kilobytes of gzip can hold millions of values."""

from __future__ import annotations

MAX_VALUES = 50_000
"""A page of 100 chats with 32 people each holds a third of it. Each value takes up to 400 bytes once decoded."""
UNCOUNTED_BYTES = 64 << 10
"""A shorter body cannot do harm, so its values are not counted: nearly every answer is shorter."""


def has_too_many_values(body: bytes) -> bool:
    """Return whether a body would make more than ``MAX_VALUES`` values; at most a few milliseconds per MiB."""
    if len(body) <= UNCOUNTED_BYTES or value_count(body) <= MAX_VALUES:
        return False
    return value_count(_without_texts(body)) > MAX_VALUES


def value_count(json: bytes) -> int:
    """Return how many values JSON holds at most: each follows a comma or an opening bracket, or is the first."""
    return 1 + json.count(b",") + json.count(b"[") + json.count(b"{")


def _without_texts(body: bytes) -> bytes:
    """Remove texts, in which anything may stand. A body with too many of them is returned as it is."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if unescaped.count(b'"') > 4 * MAX_VALUES:  # each value has two quotes, and its name two more
        return body
    return b"".join(unescaped.split(b'"')[::2])
