"""Messages and reactions, as the server shows them."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs

from linq_async.models.common import Attachment, DeliveryStatus, Page, PageMeta


class ReactionType(enum.StrEnum):
    """The kinds of reactions. A value not listed here stays the str that the server sent."""

    LOVE = "love"
    LIKE = "like"
    DISLIKE = "dislike"
    LAUGH = "laugh"
    EMPHASIZE = "emphasize"
    QUESTION = "question"


@attrs.define(kw_only=True)
class Reaction:
    """Somebody's reaction to a message."""

    id: int
    """The server's id."""
    chat_message_id: int | None = None
    """The message that it is on."""
    reaction: ReactionType | str | None = None
    """Its kind; the request calls it ``type``."""
    is_from_me: bool | None = None
    """Whether it is yours. The documentation shows False for one's own, so rely on ``from_phone``."""
    from_phone: str | None = attrs.field(default=None, repr=False)
    """The number that reacted."""
    sent_at: datetime | None = None
    """When it was sent."""
    created_at: datetime | None = None
    """When the server stored it."""
    updated_at: datetime | None = None
    """When it was changed last."""


@attrs.define(kw_only=True)
class Message:
    """A message of a chat, sent or received."""

    id: int
    """The server's id."""
    text: str | None = attrs.field(default=None, repr=False)
    """What was said."""
    sent_at: datetime | None = None
    """When the server took it."""
    delivered_at: datetime | None = None
    """When it arrived; None until then. The evidence of delivery."""
    delivery_status: DeliveryStatus | str | None = None
    """How far it has come. It may lag behind ``delivered_at``."""
    edited_at: datetime | None = None
    """When it was edited; None if never."""
    is_read: bool | None = None
    """Whether it was read."""
    sent_from: str | None = attrs.field(default=None, repr=False)
    """The number, or another name, of the sender."""
    chat_handle_id: int | None = None
    """The sender among the chat's handles."""
    attachments: list[Attachment] = attrs.field(factory=list[Attachment])
    """Its files."""
    reactions: list[Reaction] = attrs.field(factory=list[Reaction])
    """The reactions to it."""


@attrs.define(kw_only=True)
class SentMessage(Message):
    """The message that ``messages.send`` sent."""

    replayed: bool = attrs.field(default=False, init=False)
    """Whether the server had it under its key already, from an earlier call or an earlier attempt of this one."""
    missing_attachments: int = attrs.field(default=0, init=False)
    """How many of the attachments that were given, URLs included, the answer does not show."""
    idempotency_key: str | None = attrs.field(default=None, init=False)
    """The key that the message was sent with."""
    attempts: int = attrs.field(default=1, init=False)
    """How many attempts it took."""
    request_id: str | None = attrs.field(default=None, init=False)
    """The server's id of the request, if it gave one."""


@attrs.define(kw_only=True)
class EditedMessage:
    """All that the server shows of a message which was edited."""

    id: int
    """The server's id."""
    text: str | None = attrs.field(default=None, repr=False)
    """What it says now."""


@attrs.define(kw_only=True)
class MessageList:
    """The answer to listing messages."""

    data: list[Message]
    """The messages of one page."""
    meta: PageMeta | None = None
    """Where the page stands."""

    def page(self, asked: int) -> Page[Message]:
        """Return the page that this is, or that was asked for where it does not say."""
        meta = self.meta or PageMeta()
        return meta.page_of(self.data, asked)
