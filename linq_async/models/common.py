"""What several resources share."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


class Service(enum.StrEnum):
    """The service that carries a chat. A value not listed here stays the str that the server sent."""

    IMESSAGE = "iMessage"
    SMS = "SMS"
    RCS = "RCS"


class DeliveryStatus(enum.StrEnum):
    """How far a message has come. A value not listed here stays the str that the server sent."""

    PENDING = "pending"
    DELIVERED = "delivered"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    SERVICE_UNAVAILABLE = "service_unavailable"
    PAUSED = "paused"


@attrs.define(kw_only=True)
class Attachment:
    """A file that belongs to a message."""

    id: str
    """The server's id, a UUID as text."""
    url: str | None = None
    """Where it can be fetched. How long, and by whom, is not documented."""
    filename: str | None = None
    """Its name."""
    mime_type: str | None = None
    """Its media type."""
    file_size: int | None = None
    """Its size, presumably in bytes."""


@attrs.define(kw_only=True)
class ChatHandle:
    """A participant of a chat."""

    id: int
    """The server's id."""
    phone_number: str | None = attrs.field(default=None, repr=False)
    """A phone number, or an email address."""
    service: Service | str | None = None
    """The service that reaches this participant."""
    joined_at: datetime | None = None
    """When the participant joined."""
