"""The records of which the sandbox's state consists.

They are frozen, and replaced when they change, except for chats and messages, which `State` alone changes in place.
"""

from collections.abc import Mapping
from datetime import datetime

import attrs

from .files import SandboxAttachment


@attrs.frozen(kw_only=True)
class PhoneNumber:
    """One of the organisation's own numbers."""

    id: int
    phone_number: str
    forwarding_number: str | None = None


@attrs.frozen(kw_only=True)
class Reaction:
    """The organisation's reaction to a message."""

    id: int
    message_id: int
    kind: str
    from_phone: str
    sent_at: datetime


@attrs.frozen(kw_only=True)
class Handle:
    """A participant of a chat."""

    id: int
    phone_number: str


@attrs.define(kw_only=True)
class SandboxMessage:
    """A message that the sandbox accepted and stored."""

    id: int
    chat_id: int
    text: str
    idempotency_key: str | None
    send_from: str
    recipients: tuple[str, ...]
    attachments: tuple[SandboxAttachment, ...]
    sent_at: datetime
    edited_at: datetime | None = None
    is_read: bool = False
    deleted: bool = False
    reaction: Reaction | None = None


@attrs.define(kw_only=True)
class SandboxChat:
    """A chat between one line and a set of people."""

    id: int
    send_from: str
    display_name: str
    handles: tuple[Handle, ...]
    line_handle_id: int
    created_at: datetime
    typing: bool = False
    contact_shared: int = 0
    messages: list[SandboxMessage] = attrs.field(factory=list[SandboxMessage], repr=False)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Numbers and addresses of the people in the chat."""
        return tuple(handle.phone_number for handle in self.handles)

    @property
    def visible_messages(self) -> list[SandboxMessage]:
        """Its messages but for the deleted ones."""
        return [message for message in self.messages if not message.deleted]


@attrs.frozen(kw_only=True)
class User:
    """A member of the organisation, who may own contacts."""

    id: int
    email: str


@attrs.frozen(kw_only=True)
class Contact:
    """An entry of the address book; `fields` holds only the fields that were given."""

    id: int
    fields: Mapping[str, str]
    owner: User
    created_at: datetime
    updated_at: datetime


@attrs.frozen(kw_only=True)
class Subscription:
    """A registered webhook endpoint; nothing is delivered to it."""

    id: int
    webhook_url: str
    events: tuple[str, ...]
    version: int
    secret: str | None = attrs.field(repr=False)
    active: bool
    created_at: datetime
    updated_at: datetime
