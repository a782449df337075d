"""The records of which the sandbox's state consists.

They are frozen, and replaced when they change, except for chats and messages, which `State` alone changes in place.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from .files import SandboxAttachment


@attrs.frozen(kw_only=True)
class PhoneNumber:
    """One of the organisation's own numbers."""

    id: int
    phone_number: str
    forwarding_number: str | None = None


@attrs.frozen(kw_only=True)
class SandboxReaction:
    """A reaction to a message."""

    id: int
    message_id: int
    kind: str
    from_phone: str
    from_me: bool
    """Whether the organisation reacted, and not one of the recipients."""
    sent_at: datetime


@attrs.frozen(kw_only=True)
class Handle:
    """A participant of a chat."""

    id: int
    phone_number: str


@attrs.define(kw_only=True)
class SandboxMessage:
    """A message that the sandbox stored, sent by the organisation or received by it."""

    id: int
    chat_id: int
    text: str
    idempotency_key: str | None
    send_from: str
    """The number or address of the sender, which is not the organisation's in a received message."""
    recipients: tuple[str, ...]
    from_me: bool = True
    """Whether the organisation sent it."""
    attachments: tuple[SandboxAttachment, ...]
    sent_at: datetime
    edited_at: datetime | None = None
    is_read: bool = False
    deleted: bool = False
    reactions: dict[str, SandboxReaction] = attrs.field(factory=dict[str, SandboxReaction])
    """The last reaction of each person, by number or address."""


@attrs.define(kw_only=True)
class SandboxChat:
    """A chat between one line and a set of people."""

    id: int
    send_from: str
    display_name: str
    handles: tuple[Handle, ...]
    line_handle_id: int
    created_at: datetime
    from_me: bool = True
    """Whether the organisation created it, and not a stranger who wrote first."""
    typing: bool = False
    """Whether the organisation is typing."""
    typing_recipients: set[str] = attrs.field(factory=set[str])
    """The people who are typing."""
    contact_shared: int = 0
    messages: list[SandboxMessage] = attrs.field(factory=list[SandboxMessage], repr=False)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Numbers and addresses of the people in the chat."""
        return tuple(handle.phone_number for handle in self.handles)

    def handle_id(self, number: str) -> int:
        """Return the id of a participant, on either side."""
        ids = {handle.phone_number: handle.id for handle in self.handles}
        return ids.get(number, self.line_handle_id)

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
class SandboxSubscription:
    """A registered webhook endpoint."""

    id: int
    webhook_url: str
    events: tuple[str, ...]
    version: int
    secret: str | None = attrs.field(repr=False)
    active: bool
    created_at: datetime
    updated_at: datetime
    delivery_attempts: int = 0
    last_delivered_at: datetime | None = None
    """When an event was last delivered with success."""


@attrs.frozen(kw_only=True)
class SandboxDelivery:
    """One attempt to deliver an event to a subscription."""

    number: int
    """Counted from 1, in the order in which attempts ended."""
    subscription_id: int
    url: str = attrs.field(repr=False)
    """The URL of the subscription at the time; empty if it was deleted."""
    event_type: str
    event_id: str
    subject: str
    """The chat or contact that it is about: `chat 8101`. The deliveries of one subject are made in order."""
    body: bytes = attrs.field(repr=False)
    """The body, byte for byte."""
    attempt: int
    """Counted from 1 for each event and subscription; 0 if it was dropped before it was attempted."""
    status: int | None
    """The status of the response, or None if there was none. Only 200 is success."""
    seconds: float
    """How long the response took."""
    ended_at: datetime
    error: str | None = None
    """Why there was no response."""
    fault: str | None = None
    """The scripted fault that applied to it."""

    @property
    def event(self) -> dict[str, Any]:
        """The event, decoded from the body."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def delivered(self) -> bool:
        """Whether the receiver acknowledged the event."""
        return self.status == 200
