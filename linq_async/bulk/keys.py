"""What identifies a message of a campaign, and which line sends it. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def idempotency_key(campaign: str, recipient: str, row_id: str = "", again: int = 0) -> str:
    """Return the key of a row: 40 hexadecimal digits.

    Neither the text nor the line is part of it: a row in doubt whose text was corrected must not become a second
    message. ``again`` is raised only for a row that was certainly not sent.
    """
    return _digest(b"linq-bulk-1", campaign, recipient, row_id, str(again)).hex()


def line_of(recipient: str, senders: Sequence[str]) -> str:
    """Return the line for a recipient: the one with the highest hash.

    If a line is added or removed in a later campaign, only the recipients of that line change theirs.
    """
    if len(senders) == 1:
        return senders[0]
    return max(senders, key=lambda sender: _digest(b"linq-bulk-line", recipient, sender))


def _digest(purpose: bytes, *parts: str) -> bytes:
    """Hash some texts. The lengths keep adjacent parts apart."""
    encoded = [part.encode() for part in parts]
    joined = b"".join([len(part).to_bytes(8, "big") + part for part in encoded])
    return hashlib.blake2b(joined, digest_size=20, person=purpose).digest()
