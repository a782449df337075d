"""What can happen in a sandbox: frozen events, from which a reader can rebuild what the sandbox shows."""

from datetime import datetime

import attrs

from .conditions import Conditions
from .files import SandboxAttachment
from .records import (
    Contact,
    Handle,
    PhoneNumber,
    SandboxChat,
    SandboxDelivery,
    SandboxMessage,
    SandboxReaction,
    SandboxSubscription,
)


@attrs.frozen(kw_only=True)
class ChatCreated:
    """A chat was created."""

    chat_id: int
    send_from: str
    display_name: str
    handles: tuple[Handle, ...]
    created_at: datetime
    from_me: bool


@attrs.frozen(kw_only=True)
class RecipientTypingChanged:
    """A recipient began to type, or stopped."""

    chat_id: int
    phone_number: str
    typing: bool


@attrs.frozen(kw_only=True)
class TypingChanged:
    """The typing indicator of a chat was shown or hidden."""

    chat_id: int
    typing: bool


@attrs.frozen(kw_only=True)
class ContactCardShared:
    """The contact card was shared in a chat, `count` times by now."""

    chat_id: int
    count: int


@attrs.frozen(kw_only=True)
class MessageStored:
    """A message was stored. One that was sent is pending at first; one that was received is delivered."""

    message_id: int
    chat_id: int
    text: str = attrs.field(repr=False)
    idempotency_key: str | None
    send_from: str
    recipients: tuple[str, ...]
    from_me: bool
    attachments: tuple[SandboxAttachment, ...]
    sent_at: datetime


@attrs.frozen(kw_only=True)
class DeliveryStatusChanged:
    """The delivery status of a message changed. A delivered one may be pending again because a setting changed."""

    message_id: int
    chat_id: int
    status: str
    delivered_at: datetime | None


@attrs.frozen(kw_only=True)
class MessageEdited:
    """The text of a message was changed."""

    message_id: int
    chat_id: int
    text: str = attrs.field(repr=False)
    edited_at: datetime


@attrs.frozen(kw_only=True)
class MessageRead:
    """A message was marked as read."""

    message_id: int
    chat_id: int


@attrs.frozen(kw_only=True)
class MessageDeleted:
    """A message was deleted."""

    message_id: int
    chat_id: int


@attrs.frozen
class ReactionAdded:
    """A reaction was added to a message."""

    reaction: SandboxReaction


@attrs.frozen
class ReactionRemoved:
    """A reaction was removed from its message."""

    reaction: SandboxReaction


@attrs.frozen
class ContactCreated:
    """A contact was created."""

    contact: Contact


@attrs.frozen
class ContactUpdated:
    """A contact was replaced by a newer version."""

    contact: Contact


@attrs.frozen
class ContactDeleted:
    """A contact was deleted."""

    contact: Contact


@attrs.frozen
class PhoneNumberUpdated:
    """The forwarding number of a phone number was set or cleared."""

    phone_number: PhoneNumber


@attrs.frozen(kw_only=True)
class BehaviourChanged:
    """It was set how messages to a number are delivered, and by which service; None follows the settings."""

    phone_number: str
    delivery: float | str | None
    service: str | None


@attrs.frozen
class SubscriptionCreated:
    """A webhook subscription was created."""

    subscription: SandboxSubscription


@attrs.frozen
class SubscriptionUpdated:
    """A webhook subscription was replaced by a newer version."""

    subscription: SandboxSubscription


@attrs.frozen
class SubscriptionDeleted:
    """A webhook subscription was deleted."""

    subscription: SandboxSubscription


@attrs.frozen
class DeliveryAttempted:
    """An attempt to deliver an event to a subscription ended, with or without a response."""

    delivery: SandboxDelivery


@attrs.frozen(kw_only=True)
class RequestReceived:
    """A request came in; its body has not been read yet."""

    request_id: str
    method: str
    path: str


@attrs.frozen(kw_only=True)
class RequestFinished:
    """A request was answered or its connection was dropped (`status` is None)."""

    request_id: str
    status: int | None
    idempotency_key: str | None
    attempt: int
    replayed: bool
    size: int
    fault: str | None


@attrs.frozen(kw_only=True)
class FaultScripted:
    """A fault was scripted for the next `times` requests that match it."""

    fault_id: int
    description: str
    times: int


@attrs.frozen(kw_only=True)
class FaultUsed:
    """A fault was applied to a request; `remaining` more will follow."""

    fault_id: int
    remaining: int


@attrs.frozen
class FaultsCleared:
    """All scripted faults were dropped."""


@attrs.frozen
class ConditionsChanged:
    """It was set what all requests meet."""

    conditions: Conditions


@attrs.frozen
class SandboxReset:
    """Everything but the settings was dropped: a reader must start from an empty view."""


Event = (
    ChatCreated
    | TypingChanged
    | RecipientTypingChanged
    | ContactCardShared
    | MessageStored
    | DeliveryStatusChanged
    | MessageEdited
    | MessageRead
    | MessageDeleted
    | ReactionAdded
    | ReactionRemoved
    | ContactCreated
    | ContactUpdated
    | ContactDeleted
    | PhoneNumberUpdated
    | BehaviourChanged
    | SubscriptionCreated
    | SubscriptionUpdated
    | SubscriptionDeleted
    | DeliveryAttempted
    | RequestReceived
    | RequestFinished
    | FaultScripted
    | FaultUsed
    | FaultsCleared
    | ConditionsChanged
    | SandboxReset
)


def chat_created(chat: SandboxChat) -> ChatCreated:
    """Return the event of a new chat."""
    return ChatCreated(
        chat_id=chat.id,
        send_from=chat.send_from,
        display_name=chat.display_name,
        handles=chat.handles,
        created_at=chat.created_at,
        from_me=chat.from_me,
    )


def message_stored(message: SandboxMessage) -> MessageStored:
    """Return the event of a new message."""
    return MessageStored(
        message_id=message.id,
        chat_id=message.chat_id,
        text=message.text,
        idempotency_key=message.idempotency_key,
        send_from=message.send_from,
        recipients=message.recipients,
        from_me=message.from_me,
        attachments=message.attachments,
        sent_at=message.sent_at,
    )
