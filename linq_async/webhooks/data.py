"""What events are about: the classes of ``event.data``.

Fields that the documentation does not promise are optional. Ids are ints, although most events have them as strings of
digits. The ``repr`` of a payload shows no phone number, name, text or file.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from linq_async.models.common import Service
from linq_async.models.decodable import WIRE_NAME, decodable
from linq_async.models.messages import ReactionType


@decodable
@attrs.define(kw_only=True)
class EventChatHandle:
    """A participant of a chat, as events describe it: without an id."""

    identifier: str | None = attrs.field(default=None, repr=False)
    """A phone number or an email address."""
    display_name: str | None = attrs.field(default=None, repr=False)
    """The name."""
    is_me: bool | None = None
    """Whether this is your own line."""


@decodable
@attrs.define(kw_only=True)
class EventAttachment:
    """A file attached to a message."""

    id: str | None = None
    """The server's id, a UUID."""
    url: str | None = attrs.field(default=None, repr=False)
    """The URL to download it from. Its lifetime and access rules are not documented."""
    filename: str | None = attrs.field(default=None, repr=False)
    """The file name."""
    mime_type: str | None = None
    """The media type."""


class _InChat:
    """Base of the payloads that list the participants of a chat."""

    __slots__ = ()

    chat_handles: list[EventChatHandle]

    @property
    def line(self) -> str | None:
        """Your own number in the chat, or None if the event does not say which it is."""
        return next((handle.identifier for handle in self.chat_handles if handle.is_me), None)

    @property
    def others(self) -> list[EventChatHandle]:
        """The participants of the chat except your own line."""
        return [handle for handle in self.chat_handles if not handle.is_me]


@decodable
@attrs.define(kw_only=True)
class MessageData(_InChat):
    """The message of ``message.sent`` and ``message.received``."""

    id: int
    """The id of the message."""
    chat_id: int
    """The id of the chat."""
    text: str | None = attrs.field(default=None, repr=False)
    """The text. A message may consist of attachments alone."""
    sent_at: datetime | None = None
    """When the message was sent."""
    is_read: bool | None = None
    """Whether the message was read."""
    from_phone: str | None = attrs.field(default=None, repr=False)
    """The phone number or email address of the sender."""
    service: Service | str | None = None
    """The service that carried the message."""
    reaction_id: int | str | None = None
    """As it was sent: the documentation shows null only."""
    chat_handles: list[EventChatHandle] = attrs.field(factory=list[EventChatHandle])
    """The participants of the chat, your own line among them."""
    attachments: list[EventAttachment] = attrs.field(factory=list[EventAttachment])
    """The attachments."""


@decodable
@attrs.define(kw_only=True)
class MessageReadData:
    """The message of ``message.read``."""

    id: int
    """The id of the message."""
    chat_id: int
    """The id of the chat."""
    read_at: datetime | None = None
    """When the message was read."""


@decodable
@attrs.define(kw_only=True)
class RecordingData:
    """The recording of a call."""

    id: int | None = None
    """The server's id."""
    url: str | None = attrs.field(default=None, repr=False)
    """The URL of the recording."""
    duration: int | None = None
    """The duration, presumably in seconds."""
    transcribed: bool | None = None
    """Whether the recording was transcribed."""
    transcript_available: bool | None = None
    """Whether ``transcription`` can be used."""
    transcription: str | None = attrs.field(default=None, repr=False)
    """What was said."""
    summary: str | None = attrs.field(default=None, repr=False)
    """A summary of what was said."""


@decodable
@attrs.define(kw_only=True)
class CallData:
    """The call of ``call.completed``."""

    id: int
    """The id of the call."""
    to: str | None = attrs.field(default=None, repr=False)
    """The number that was called."""
    from_: str | None = attrs.field(default=None, repr=False, metadata={WIRE_NAME: "from"})
    """The number that called. The API calls this field ``from``."""
    status: str | None = None
    """The documentation shows ``completed`` only."""
    direction: str | None = None
    """The documentation shows ``inbound`` only."""
    start_time: datetime | None = None
    """When the call began."""
    end_time: datetime | None = None
    """When the call ended."""
    duration: int | None = None
    """The duration, presumably in seconds."""
    call_type: str | None = None
    """The documentation shows ``normal`` only."""
    forwarded_from: int | str | None = attrs.field(default=None, repr=False)
    """As it was sent: the documentation shows null only."""
    answered_by: str | None = attrs.field(default=None, repr=False)
    """The number that answered."""
    voicemail: bool | None = None
    """Whether the caller left a voice message."""
    has_recording: bool | None = None
    """Whether there is a recording."""
    recording_data: RecordingData | None = None
    """The recording, if there is one."""


@decodable
@attrs.define(kw_only=True)
class ReactionHandle:
    """Who reacted to a message."""

    id: int | None = None
    """The server's id."""
    identifier: str | None = attrs.field(default=None, repr=False)
    """A phone number or an email address."""


@decodable
@attrs.define(kw_only=True)
class AssociatedMessage:
    """The message that somebody reacted to."""

    id: int | None = None
    """The id of the message."""
    text: str | None = attrs.field(default=None, repr=False)
    """The text."""
    sent_at: datetime | None = None
    """When the message was sent."""


@decodable
@attrs.define(kw_only=True)
class ReactionData(_InChat):
    """The reaction of ``reaction.sent`` and ``reaction.received``."""

    id: int
    """The id of the reaction."""
    chat_id: int
    """The id of the chat."""
    chat_message_id: int | None = None
    """The id of the message."""
    reaction: ReactionType | str | None = None
    """The type of the reaction."""
    is_from_me: bool | None = None
    """Whether the reaction is yours. The class of the event says so more reliably."""
    sent_at: datetime | None = None
    """When the reaction was sent."""
    created_at: datetime | None = None
    """When the server stored the reaction."""
    chat_handle: ReactionHandle | None = None
    """Who reacted."""
    chat_handles: list[EventChatHandle] = attrs.field(factory=list[EventChatHandle])
    """The participants of the chat, your own line among them."""
    associated_message: AssociatedMessage | None = None
    """The message."""


@decodable
@attrs.define(kw_only=True)
class TypingIndicatorData(_InChat):
    """The chat of ``typing_indicator.received`` and ``typing_indicator.removed``."""

    chat_id: int
    """The id of the chat."""
    display: bool | None = None
    """Whether the indicator is shown. The class of the event says so more reliably."""
    timestamp: datetime | None = None
    """When the indicator changed."""
    chat_handles: list[EventChatHandle] = attrs.field(factory=list[EventChatHandle])
    """The participants of the chat, your own line among them."""


@decodable
@attrs.define(kw_only=True)
class ContactDeletedData:
    """The contact of ``contact.deleted``, of which only the id is left."""

    id: int
    """The id of the contact."""
