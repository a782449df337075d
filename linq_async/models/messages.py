"""Messages and reactions, as the server returns them."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs

from linq_async.models.common import Attachment, DeliveryStatus, ListResponse, PageMeta
from linq_async.models.decodable import decodable
from linq_async.models.receipt import Receipt, receipt_last


class ReactionType(enum.StrEnum):
    """The types of reactions. A value not listed here is kept as the str that the server sent."""

    LOVE = "love"
    LIKE = "like"
    DISLIKE = "dislike"
    LAUGH = "laugh"
    EMPHASIZE = "emphasize"
    QUESTION = "question"


@decodable
@attrs.define(kw_only=True)
class Reaction:
    """A reaction to a message."""

    id: int
    """The server's id."""
    chat_message_id: int | None = None
    """The id of the message."""
    reaction: ReactionType | str | None = None
    """The type of the reaction. The request calls it ``type``."""
    is_from_me: bool | None = None
    """Whether the reaction is yours. The documentation shows False for one's own, so rely on ``from_phone``."""
    from_phone: str | None = attrs.field(default=None, repr=False)
    """The number that reacted."""
    sent_at: datetime | None = None
    """When the reaction was sent."""
    created_at: datetime | None = None
    """When the server stored the reaction."""
    updated_at: datetime | None = None
    """When the reaction was last changed."""


@decodable
@attrs.define(kw_only=True)
class Message:
    """A message of a chat, sent or received."""

    id: int
    """The server's id."""
    text: str | None = attrs.field(default=None, repr=False)
    """The text."""
    sent_at: datetime | None = None
    """When the server accepted the message."""
    delivered_at: datetime | None = None
    """When the message was delivered, or None if it has not been yet. The reliable sign of delivery."""
    delivery_status: DeliveryStatus | str | None = None
    """The delivery status. It may lag behind ``delivered_at``."""
    edited_at: datetime | None = None
    """When the message was edited, or None if it never was."""
    is_read: bool | None = None
    """Whether the message was read."""
    sent_from: str | None = attrs.field(default=None, repr=False)
    """The number, or another name, of the sender."""
    chat_handle_id: int | None = None
    """The id of the sender among the chat's handles."""
    attachments: list[Attachment] = attrs.field(factory=list[Attachment])
    """The attachments."""
    reactions: list[Reaction] = attrs.field(factory=list[Reaction])
    """The reactions to the message."""


@decodable
@attrs.define(kw_only=True, field_transformer=receipt_last)
class SentMessage(Receipt, Message):
    """The message that ``messages.send`` sent."""

    replayed: bool = attrs.field(default=False, init=False)
    """Whether the server already had the message under its key, from an earlier call or an earlier attempt."""


@decodable
@attrs.define(kw_only=True)
class EditedMessage:
    """The fields that the server returns for an edited message."""

    id: int
    """The server's id."""
    text: str | None = attrs.field(default=None, repr=False)
    """The new text."""


@decodable
@attrs.define(kw_only=True)
class MessageList(ListResponse[Message]):
    """The response to listing messages."""

    data: list[Message]
    """The messages of one page."""
    meta: PageMeta | None = None
    """Which page this is, and how many there are."""
