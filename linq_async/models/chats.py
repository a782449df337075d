"""Chats, as the server shows them."""

from __future__ import annotations

from datetime import datetime

import attrs

from linq_async.models.common import Attachment, ChatHandle, DeliveryStatus, Page, PageMeta, Service


@attrs.define(kw_only=True)
class CreatedChatMessage:
    """The message that was sent with ``chats.create``."""

    id: int
    """The server's id."""
    text: str | None = attrs.field(default=None, repr=False)
    """What was said."""
    sent_at: datetime | None = None
    """When the server took it."""
    delivered_at: datetime | None = None
    """When it arrived; None until then."""
    delivery_status: DeliveryStatus | str | None = None
    """``pending`` at first. ``delivered_at`` is the better evidence of delivery."""
    is_read: bool | None = None
    """Whether it was read."""
    attachments: list[Attachment] = attrs.field(factory=list[Attachment])
    """Its files."""


@attrs.define(kw_only=True)
class CreatedChat:
    """The chat that ``chats.create`` found or made, with the message that it sent.

    The answer does not tell whether the chat is new.
    """

    id: int
    """The server's id."""
    message: CreatedChatMessage
    """The message; ``chat_messages`` on the wire, where it is one object too."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """The name that was set, or one made of the participants."""
    service: Service | str | None = None
    """The service that was last known to carry the chat."""
    group: bool | None = None
    """Whether it is a group chat."""
    chat_handles: list[ChatHandle] = attrs.field(factory=list[ChatHandle])
    """The participants."""
    replayed: bool | None = attrs.field(default=False, init=False)
    """Whether the server had stored the message more than 2 s before this call began, by its own clock; None if it
    cannot be known, for the answer lacks ``sent_at`` or ``Date``. Never true without a key of yours."""
    missing_attachments: int = attrs.field(default=0, init=False)
    """How many of the attachments that were given, URLs included, the answer does not show."""
    missing_recipients: tuple[str, ...] = attrs.field(default=(), init=False, repr=False)
    """The recipients, as they were given, who are not among ``chat_handles``; empty if the answer shows no handles, or
    one that is neither a number nor an email address."""
    idempotency_key: str | None = attrs.field(default=None, init=False)
    """The key that the message was sent with."""
    attempts: int = attrs.field(default=1, init=False)
    """How many attempts it took."""
    request_id: str | None = attrs.field(default=None, init=False)
    """The server's id of the request, if it gave one."""


@attrs.define(kw_only=True)
class Chat:
    """A conversation between one of your numbers and one or more people."""

    id: int
    """The server's id."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """The name that was set, or one made of the participants."""
    service: Service | str | None = None
    """The service that was last known to carry the chat; it says little of what the next message will take."""
    group: bool | None = None
    """Whether it is a group chat. Do not count ``chat_handles`` for it: your own number may be among them."""
    message_count: int | None = None
    """How many messages it holds."""
    chat_handles: list[ChatHandle] = attrs.field(factory=list[ChatHandle])
    """The participants."""


@attrs.define(kw_only=True)
class ChatList:
    """The answer to listing chats."""

    data: list[Chat]
    """The chats of one page."""
    meta: PageMeta | None = None
    """Where the page stands."""

    def page(self, asked: int) -> Page[Chat]:
        """Return the page that this is, or that was asked for where it does not say."""
        meta = self.meta or PageMeta()
        return meta.page_of(self.data, asked)


@attrs.define(kw_only=True)
class FoundChat:
    """The answer to finding a chat, below ``data``."""

    chat: Chat | None
    """The chat; None where there is none."""
