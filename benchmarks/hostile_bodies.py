"""Bodies that a hostile server may send: invalid, and as large as the limits allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, islice

MIB = 1 << 20
EMOJI = "\U0001f600".encode()
LONG_TEXT = b'"' + b"a" * 4_000 + EMOJI + b'"'
HANDLE = b'{"id":1,"joined_at":"2025-05-21T15:30:00.000-05:00"}'
WRONG_HANDLE = b'{"id":1,"joined_at":"x","service":2,"phone_number":[]}'

PLACES: dict[str, bytes] = {
    "root": b"%",
    "data": b'{"data":%}',
    "handles": b'{"data":{"id":1,"chat_messages":{"id":1},"chat_handles":%}}',
    "contacts": b'{"contacts":%,"pagination":{}}',
    "errors": b'{"errors":%}',
}
"""The places in a body for a value, which replaces the percent sign."""


def _repeated(*items: bytes) -> Callable[[int], bytes]:
    """Return a builder of lists that repeat items up to a size."""

    def build(size: int) -> bytes:
        unit = b",".join(items)
        return b"[" + b",".join([unit] * max(1, size // (len(unit) + 1))) + b"]"

    return build


def _mapping(size: int) -> bytes:
    members = (b'"%x":1' % number for number in range(1_000_000_000))
    return b"{" + b",".join(_up_to(members, size)) + b"}"


def _nested_objects(size: int) -> bytes:
    """Return a list of objects nested 500 deep, in which no two names are equal."""
    items = (
        b"".join(b'{"%x":' % (500 * number + depth) for depth in range(500)) + b"1" + b"}" * 500
        for number in range(1_000_000)
    )
    return b"[" + b",".join(_up_to(items, size)) + b"]"


def _up_to(items: Iterator[bytes], size: int) -> Iterator[bytes]:
    for item in items:
        size -= len(item) + 1
        if size < 0:
            return
        yield item


def _text(unit: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: b'"' + unit * ((size - len(end) - 64) // len(unit)) + end + b'"'


def _values_beside_text(size: int) -> bytes:
    """Return as many values as are allowed, and a text of wide characters that takes the remaining size."""
    items = b",".join(islice(cycle([b'{"ab":1}']), 24_000))
    return b"[" + items + b"," + _text(b"a", EMOJI)(size - len(items)) + b"]"


FILLS: dict[str, Callable[[int], bytes]] = {
    "numbers": _repeated(b"1"),
    "fractions": _repeated(b"1.5"),
    "nulls": _repeated(b"null"),
    "empty objects": _repeated(b"{}"),
    "objects": _repeated(b'{"id":1}'),
    "handles": _repeated(HANDLE),
    "wrong handles": _repeated(WRONG_HANDLE),
    "empty lists": _repeated(b"[]"),
    "lists in lists": _repeated(b"[" * 8 + b"]" * 8),
    "lists 900 deep": _repeated(b"[" * 900 + b"]" * 900),
    "objects in objects": _nested_objects,
    "short texts": _repeated(b'"ab"'),
    "long texts": _repeated(LONG_TEXT),
    "one text": _text(b"a"),
    "one wide text": _text(b"a", EMOJI),
    "one escaped text": _text(b"\\ud83d\\ude00"),
    "a text of commas": _text(b",", EMOJI),
    "a mapping": _mapping,
    "values beside a text": _values_beside_text,
}
"""Builders of values of a given size in bytes."""
AT_THE_CAP = frozenset(
    {"long texts", "one text", "one wide text", "one escaped text", "a text of commas", "values beside a text"}
)
"""Fills that are harmful only at the maximum size."""

SIZES: dict[str, int] = {
    "8 MiB": 8 * MIB - 4_096,
    "1 MiB": MIB,
    "210 KiB": 210 << 10,
    "96 KiB": 96 << 10,
    "60 KiB": 60 << 10,
    "20 KiB": 20 << 10,
}
"""The maximum size, and sizes just within the lower limits, below which more is done with each value."""


def body(place: str, fill: str, size: str) -> bytes:
    """Return the body of a response."""
    return PLACES[place].replace(b"%", FILLS[fill](SIZES[size]))
