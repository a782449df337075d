"""The fields that the client sets on the result of a send."""

from __future__ import annotations

from typing import Any

import attrs

_ORDER = (
    "replayed",
    "missing_attachments",
    "missing_recipients",
    "idempotency_key",
    "attempts",
    "request_id",
)


def receipt_last(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Move the fields that the client sets behind those that the server returned."""
    return sorted(fields, key=lambda field: _ORDER.index(field.name) if field.name in _ORDER else -1)


# Without slots: SentMessage is a Message too, and Python cannot combine the slots of two bases.
@attrs.define(kw_only=True, slots=False)
class Receipt:
    """What the client knows about the call that sent a message."""

    missing_attachments: int = attrs.field(default=0, init=False)
    """The number of attachments, URLs included, that were sent but are missing from the response."""
    idempotency_key: str | None = attrs.field(default=None, init=False)
    """The key that the message was sent with."""
    attempts: int = attrs.field(default=1, init=False)
    """The number of attempts that the call took."""
    request_id: str | None = attrs.field(default=None, init=False)
    """The server's id of the request, if it returned one."""
