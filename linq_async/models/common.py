"""What several resources share."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


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


@attrs.define(kw_only=True)
class Page(Generic[T]):
    """One page of a list. Iterating over it, and ``len``, are those of its items."""

    items: list[T]
    """What is on it."""
    number: int
    """Its number, counted from 1."""
    total_pages: int | None = None
    """How many pages there are."""
    total_count: int | None = None
    """How many items there are on all pages."""
    per_page: int | None = None
    """How many items a page holds at the most."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@attrs.define(kw_only=True)
class PageMeta:
    """Where a page stands, as the lists of chats and messages put it."""

    page: int | None = None
    """The page's number."""
    total_pages: int | None = None
    """How many pages there are."""
    total_count: int | None = None
    """How many items there are on all pages."""
    per_page: int | None = None
    """How many items a page holds at the most."""

    def page_of(self, items: list[T], asked: int) -> Page[T]:
        """Return the page of these items; its number is the one asked for where the answer has none."""
        return Page(
            items=items,
            number=asked if self.page is None else self.page,
            total_pages=self.total_pages,
            total_count=self.total_count,
            per_page=self.per_page,
        )


@attrs.define(kw_only=True)
class Pagination:
    """Where a page stands, as the list of contacts puts it."""

    current_page: int | None = None
    """The page's number."""
    per_page: int | None = None
    """How many items a page holds at the most."""
    total_pages: int | None = None
    """How many pages there are."""
    total_count: int | None = None
    """How many items there are on all pages."""

    def page_of(self, items: list[T], asked: int) -> Page[T]:
        """Return the page of these items; its number is the one asked for where the answer has none."""
        return Page(
            items=items,
            number=asked if self.current_page is None else self.current_page,
            total_pages=self.total_pages,
            total_count=self.total_count,
            per_page=self.per_page,
        )
