"""The events that Linq sends: one class for each ``event_type``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

import attrs
import orjson

from linq_async.models.contacts import Contact
from linq_async.models.decodable import decodable
from linq_async.webhooks.data import (
    CallData,
    ContactDeletedData,
    MessageData,
    MessageReadData,
    ReactionData,
    TypingIndicatorData,
)
from linq_async.wire.converter import int_or_digits
from linq_async.wire.diagnosis import MismatchError


@attrs.frozen(kw_only=True)
class Event:
    """An event that Linq sent. Every class of an event is a subclass of this one."""

    event_id: str
    """The id of the event. Linq may use one for events of different types: see ``event_key``."""
    event_type: str
    """The type, such as ``message.received``."""
    created_at: datetime
    """When the event was created."""
    api_version: str | None = None
    """The version of the API, ``v2``."""
    data: object = attrs.field(repr=False)
    """What the event is about."""
    body: bytes = attrs.field(default=b"", init=False, repr=False, eq=False)
    """The body that was received. Empty if the event was made by its class and not by ``unwrap`` or ``parse``."""

    @property
    def raw(self) -> dict[str, Any]:
        """The whole event as JSON, with members that this package does not know. Decoded from ``body`` at each use."""
        return cast("dict[str, Any]", orjson.loads(self.body)) if self.body else {}

    @property
    def chat_id(self) -> int | None:
        """The id of the chat that the event belongs to, or None if it belongs to none."""
        found: int | None = getattr(self.data, "chat_id", None)
        return found


@decodable
@attrs.frozen(kw_only=True)
class MessageSent(Event):
    """A message left one of your lines, sent by any program or person."""

    event_type: Literal["message.sent"] = attrs.field(default="message.sent", init=False, repr=False)
    data: MessageData
    """The message."""


@decodable
@attrs.frozen(kw_only=True)
class MessageReceived(Event):
    """A message reached one of your lines."""

    event_type: Literal["message.received"] = attrs.field(default="message.received", init=False, repr=False)
    data: MessageData
    """The message."""


@decodable
@attrs.frozen(kw_only=True)
class MessageRead(Event):
    """A message was marked as read, and presumably those before it."""

    event_type: Literal["message.read"] = attrs.field(default="message.read", init=False, repr=False)
    data: MessageReadData
    """The message."""


@decodable
@attrs.frozen(kw_only=True)
class CallCompleted(Event):
    """A voice call ended."""

    event_type: Literal["call.completed"] = attrs.field(default="call.completed", init=False, repr=False)
    data: CallData
    """The call."""


@decodable
@attrs.frozen(kw_only=True)
class ReactionSent(Event):
    """One of your lines reacted to a message."""

    event_type: Literal["reaction.sent"] = attrs.field(default="reaction.sent", init=False, repr=False)
    data: ReactionData
    """The reaction."""


@decodable
@attrs.frozen(kw_only=True)
class ReactionReceived(Event):
    """Somebody else reacted to a message."""

    event_type: Literal["reaction.received"] = attrs.field(default="reaction.received", init=False, repr=False)
    data: ReactionData
    """The reaction."""


@decodable
@attrs.frozen(kw_only=True)
class TypingIndicatorReceived(Event):
    """Somebody started typing."""

    event_type: Literal["typing_indicator.received"] = attrs.field(
        default="typing_indicator.received", init=False, repr=False
    )
    data: TypingIndicatorData
    """The chat."""


@decodable
@attrs.frozen(kw_only=True)
class TypingIndicatorRemoved(Event):
    """Somebody stopped typing."""

    event_type: Literal["typing_indicator.removed"] = attrs.field(
        default="typing_indicator.removed", init=False, repr=False
    )
    data: TypingIndicatorData
    """The chat."""


@decodable
@attrs.frozen(kw_only=True)
class ContactCreated(Event):
    """A contact was created through the API."""

    event_type: Literal["contact.created"] = attrs.field(default="contact.created", init=False, repr=False)
    data: Contact
    """The contact."""


@decodable
@attrs.frozen(kw_only=True)
class ContactUpdated(Event):
    """A contact was changed through the API."""

    event_type: Literal["contact.updated"] = attrs.field(default="contact.updated", init=False, repr=False)
    data: Contact
    """The contact."""


@decodable
@attrs.frozen(kw_only=True)
class ContactDeleted(Event):
    """A contact was deleted through the API."""

    event_type: Literal["contact.deleted"] = attrs.field(default="contact.deleted", init=False, repr=False)
    data: ContactDeletedData
    """The id of the contact."""


@attrs.frozen(kw_only=True)
class _Undocumented(Event):
    """Base of the events whose payload is not documented."""

    data: dict[str, Any] = attrs.field(repr=False)
    """The payload, as it was sent."""

    @property
    def chat_id(self) -> int | None:
        """The id of the chat that the payload names as ``chat_id``, or None."""
        try:
            return int_or_digits(self.data.get("chat_id"))
        except MismatchError:
            return None


@decodable
@attrs.frozen(kw_only=True)
class ChatCreated(_Undocumented):
    """A chat was created through the API. The payload is not documented."""

    event_type: Literal["chat.created"] = attrs.field(default="chat.created", init=False, repr=False)


@decodable
@attrs.frozen(kw_only=True)
class ParticipantAdded(_Undocumented):
    """Somebody joined a group chat. The payload is not documented."""

    event_type: Literal["participant.added"] = attrs.field(default="participant.added", init=False, repr=False)


@decodable
@attrs.frozen(kw_only=True)
class ParticipantRemoved(_Undocumented):
    """Somebody left a group chat, or was removed from it. The payload is not documented."""

    event_type: Literal["participant.removed"] = attrs.field(default="participant.removed", init=False, repr=False)


@decodable
@attrs.frozen(kw_only=True)
class UnknownEvent(_Undocumented):
    """An event of a type that this package does not know."""


WebhookEvent: TypeAlias = (
    MessageSent
    | MessageReceived
    | MessageRead
    | CallCompleted
    | ReactionSent
    | ReactionReceived
    | TypingIndicatorReceived
    | TypingIndicatorRemoved
    | ChatCreated
    | ContactCreated
    | ContactUpdated
    | ContactDeleted
    | ParticipantAdded
    | ParticipantRemoved
    | UnknownEvent
)
"""Any event. A ``match`` on its classes is checked by type checkers."""


def event_key(event: Event) -> str:
    """Return the key that is the same for each delivery of an event: ``message.received:5b6f3c52-...``.

    The id alone is not enough, because Linq may use one for events of different types.
    """
    return f"{event.event_type}:{event.event_id}"
