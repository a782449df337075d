"""How many SMS segments a text takes. Pure functions.

iMessage and RCS have no segments. A message that falls back to SMS is charged for each of them.
"""

from __future__ import annotations

from typing import Literal

import attrs

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Characters that take two units in GSM-7: an escape comes first."""


@attrs.frozen
class Segments:
    """The SMS segments of a text."""

    count: int
    """The number of segments; 0 for an empty text."""
    encoding: Literal["GSM-7", "UCS-2"]
    """UCS-2 if a character is not in the GSM-7 alphabet. Then a segment has less than half the characters."""
    units: int
    """The length in units of the encoding: 7-bit characters, or 16-bit code units."""


def segments(text: str) -> Segments:
    """Return the segments of a text.

    A single segment has 160 units in GSM-7 and 70 in UCS-2. Several have 153 and 67 each, and no character of two units
    is divided between them.
    """
    if all(character in _BASIC or character in _EXTENDED for character in text):
        widths = [2 if character in _EXTENDED else 1 for character in text]
        return Segments(_count(widths, 160, 153), "GSM-7", sum(widths))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Segments(_count(widths, 70, 67), "UCS-2", sum(widths))


def _count(widths: list[int], single: int, each: int) -> int:
    if sum(widths) <= single:
        return min(len(widths), 1)
    count, used = 1, 0
    for width in widths:
        if used + width > each:
            count, used = count + 1, 0
        used += width
    return count
