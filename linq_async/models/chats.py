"""Chats, as the server returns them."""

from __future__ import annotations

from datetime import datetime

import attrs

from linq_async.models.common import Attachment, ChatHandle, DeliveryStatus, ListResponse, PageMeta, Service
from linq_async.models.decodable import WIRE_NAME, decodable
from linq_async.models.receipt import Receipt, receipt_last


@decodable
@attrs.define(kw_only=True)
class CreatedChatMessage:
    """The message that ``chats.create`` sent."""

    id: int
    """The server's id."""
    text: str | None = attrs.field(default=None, repr=False)
    """The text."""
    sent_at: datetime | None = None
    """When the server accepted the message."""
    delivered_at: datetime | None = None
    """When the message was delivered, or None if it has not been yet."""
    delivery_status: DeliveryStatus | str | None = None
    """Initially ``pending``. ``delivered_at`` is the more reliable sign of delivery."""
    is_read: bool | None = None
    """Whether the message was read."""
    attachments: list[Attachment] = attrs.field(factory=list[Attachment])
    """The attachments."""


@decodable
@attrs.define(kw_only=True, field_transformer=receipt_last)
class CreatedChat(Receipt):
    """The chat that ``chats.create`` found or created, with the message that it sent.

    The response does not say whether the chat is new.
    """

    id: int
    """The server's id."""
    message: CreatedChatMessage = attrs.field(metadata={WIRE_NAME: "chat_messages"})
    """The message. The API calls it ``chat_messages``, although it is a single object."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """The name that was set, or one derived from the participants."""
    service: Service | str | None = None
    """The service that last carried the chat."""
    group: bool | None = None
    """Whether this is a group chat."""
    chat_handles: list[ChatHandle] = attrs.field(factory=list[ChatHandle])
    """The participants."""
    replayed: bool | None = attrs.field(default=False, init=False)
    """Whether the server had stored the message more than 2 seconds before this call began, by the server's clock.
    None if the response lacks ``sent_at`` or ``Date``. Never True without an ``idempotency_key`` of your own."""
    missing_recipients: tuple[str, ...] = attrs.field(default=(), init=False, repr=False)
    """The recipients, as you passed them, that are not among ``chat_handles``. Empty if the response lists no handles,
    or one that is neither a phone number nor an email address."""


@decodable
@attrs.define(kw_only=True)
class Chat:
    """A conversation between one of your numbers and one or more people."""

    id: int
    """The server's id."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """The name that was set, or one derived from the participants."""
    service: Service | str | None = None
    """The service that last carried the chat. The next message may use another one."""
    group: bool | None = None
    """Whether this is a group chat. Do not count ``chat_handles`` instead: they may include your own number."""
    message_count: int | None = None
    """The number of messages."""
    chat_handles: list[ChatHandle] = attrs.field(factory=list[ChatHandle])
    """The participants."""


@decodable
@attrs.define(kw_only=True)
class ChatList(ListResponse[Chat]):
    """The response to listing chats."""

    data: list[Chat]
    """The chats of one page."""
    meta: PageMeta | None = None
    """Which page this is, and how many there are."""


@decodable
@attrs.define(kw_only=True)
class FoundChat:
    """The ``data`` of the response to finding a chat."""

    chat: Chat | None
    """The chat, or None if there is none."""
