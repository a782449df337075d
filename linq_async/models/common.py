"""Models that several resources share."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

import attrs

from linq_async.models.decodable import decodable

T = TypeVar("T")


class Service(enum.StrEnum):
    """The service that carries a chat. A value not listed here is kept as the str that the server sent."""

    IMESSAGE = "iMessage"
    SMS = "SMS"
    RCS = "RCS"


class DeliveryStatus(enum.StrEnum):
    """The delivery status of a message. A value not listed here is kept as the str that the server sent."""

    PENDING = "pending"
    DELIVERED = "delivered"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    SERVICE_UNAVAILABLE = "service_unavailable"
    PAUSED = "paused"


@decodable
@attrs.define(kw_only=True)
class Attachment:
    """A file attached to a message."""

    id: str
    """The server's id, a UUID."""
    url: str | None = None
    """The URL to download it from. Its lifetime and access rules are not documented."""
    filename: str | None = None
    """The file name."""
    mime_type: str | None = None
    """The media type."""
    file_size: int | None = None
    """The size, presumably in bytes."""


@decodable
@attrs.define(kw_only=True)
class ChatHandle:
    """A participant of a chat."""

    id: int
    """The server's id."""
    phone_number: str | None = attrs.field(default=None, repr=False)
    """A phone number or an email address."""
    service: Service | str | None = None
    """The service that reaches this participant."""
    joined_at: datetime | None = None
    """When the participant joined."""


@attrs.define(kw_only=True)
class Page(Generic[T]):
    """One page of a list. ``iter()`` and ``len()`` refer to its items."""

    items: list[T]
    """The items."""
    number: int
    """The page number, counted from 1."""
    total_pages: int | None = None
    """The number of pages."""
    total_count: int | None = None
    """The number of items on all pages."""
    per_page: int | None = None
    """The maximum number of items per page."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@decodable
@attrs.define(kw_only=True)
class PageMeta:
    """Which page of a list a response holds."""

    page: int | None = None
    """The page number, in lists of chats and messages."""
    current_page: int | None = None
    """The page number, in the list of contacts."""
    total_pages: int | None = None
    """The number of pages."""
    total_count: int | None = None
    """The number of items on all pages."""
    per_page: int | None = None
    """The maximum number of items per page."""


class ListResponse(Generic[T]):
    """Base of the responses to list operations."""

    __slots__ = ()

    data: list[T]
    meta: PageMeta | None

    def page(self, requested: int) -> Page[T]:
        """Return the page. Its number is the requested one if the response does not state it."""
        meta = self.meta or PageMeta()
        stated = meta.current_page if meta.page is None else meta.page
        return Page(
            items=self.data,
            number=requested if stated is None else stated,
            total_pages=meta.total_pages,
            total_count=meta.total_count,
            per_page=meta.per_page,
        )
