"""One event of each type, as the contract describes them, and the requests that deliver them."""

from __future__ import annotations

import copy
import json
from typing import Any

from linq_async.webhooks import (
    CallCompleted,
    ChatCreated,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    MessageRead,
    MessageReceived,
    MessageSent,
    ParticipantAdded,
    ParticipantRemoved,
    ReactionReceived,
    ReactionSent,
    TypingIndicatorReceived,
    TypingIndicatorRemoved,
    WebhookEvent,
    sign,
)

SECRET = "a-long-random-string"
ISO, SPACED = "2025-09-02T16:56:20-06:00", "2025-09-02 16:56:20 -0600"
LINE, PERSON = "+12025550101", "+12025550111"
CHAT_HANDLES: list[dict[str, Any]] = [
    {"identifier": PERSON, "display_name": "Mira Okafor", "is_me": False},
    {"identifier": LINE, "display_name": "Front desk", "is_me": True},
]
MESSAGE: dict[str, Any] = {
    "id": "900012",
    "chat_id": "8102",
    "text": "Is the cake ready?",
    "sent_at": SPACED,
    "is_read": False,
    "from_phone": PERSON,
    "service": "iMessage",
    "reaction_id": None,
    "chat_handles": CHAT_HANDLES,
    "attachments": [
        {
            "id": "7f1b0c9e-2a64-4a7b-8f5d-0c5f7a4b9e21",
            "url": "https://files.example.org/stored/cake.png",
            "filename": "cake.png",
            "mime_type": "image/png",
        }
    ],
}
CALL: dict[str, Any] = {
    "id": "3100",
    "to": LINE,
    "from": PERSON,
    "status": "completed",
    "direction": "inbound",
    "start_time": SPACED,
    "end_time": SPACED,
    "duration": 270,
    "call_type": "normal",
    "forwarded_from": None,
    "answered_by": LINE,
    "voicemail": False,
    "has_recording": True,
    "recording_data": {
        "id": "3101",
        "url": "https://files.example.org/stored/call.mp3",
        "duration": 270,
        "transcribed": True,
        "transcript_available": True,
        "transcription": "Hello, about the cake",
        "summary": "Somebody asked about a cake.",
    },
}
REACTION: dict[str, Any] = {
    "id": "302",
    "chat_message_id": "900011",
    "chat_id": "8102",
    "reaction": "like",
    "is_from_me": False,
    "sent_at": SPACED,
    "created_at": SPACED,
    "chat_handle": {"id": "5503", "identifier": PERSON},
    "chat_handles": CHAT_HANDLES,
    "associated_message": {"id": "900011", "text": "We open at ten.", "sent_at": SPACED},
}
TYPING: dict[str, Any] = {"chat_id": "8102", "display": True, "timestamp": SPACED, "chat_handles": CHAT_HANDLES}
CONTACT: dict[str, Any] = {
    "id": 7001,
    "first_name": "Mira",
    "last_name": "Okafor",
    "full_name": "Mira Okafor",
    "email": "mira@example.org",
    "phone_number": PERSON,
    "company": "Northlight Bakery",
    "title": "Owner",
    "location": "Duluth, MN",
    "image_url": None,
    "created_at": ISO,
    "updated_at": ISO,
    "contact_owner": {"id": 42, "email": "sam@example.com", "first_name": "Sam", "last_name": "Reyes", "name": "Sam"},
}
SAMPLES: dict[type[WebhookEvent], tuple[str, dict[str, Any]]] = {
    MessageSent: ("message.sent", {**MESSAGE, "from_phone": LINE, "attachments": []}),
    MessageReceived: ("message.received", MESSAGE),
    MessageRead: ("message.read", {"id": "900012", "chat_id": "8102", "read_at": ISO}),
    CallCompleted: ("call.completed", CALL),
    ReactionSent: ("reaction.sent", REACTION),
    ReactionReceived: ("reaction.received", REACTION),
    TypingIndicatorReceived: ("typing_indicator.received", TYPING),
    TypingIndicatorRemoved: ("typing_indicator.removed", {**TYPING, "display": False}),
    ChatCreated: ("chat.created", {"chat_id": "8102", "anything": [1]}),
    ContactCreated: ("contact.created", CONTACT),
    ContactUpdated: ("contact.updated", CONTACT),
    ContactDeleted: ("contact.deleted", {"id": 7001}),
    ParticipantAdded: ("participant.added", {}),
    ParticipantRemoved: ("participant.removed", {"chat_id": 8102}),
}
"""The type and the payload of each class."""


def envelope(event_type: str = "message.received", data: Any = None, **changes: Any) -> dict[str, Any]:
    """Return an event as JSON; by default a message."""
    return {
        "api_version": "v2",
        "created_at": ISO,
        "data": copy.deepcopy(MESSAGE if data is None else data),
        "event_id": "5b6f3c52-7d0f-4b55-8f02-6f6a0f6f2a10",
        "event_type": event_type,
        **changes,
    }


def sample_body(kind: type[WebhookEvent] = MessageReceived, **changes: Any) -> bytes:
    """Return the body of an event of a class, with members of its payload replaced."""
    event_type, data = SAMPLES[kind]
    return json.dumps(envelope(event_type, {**data, **changes})).encode()


def signed(body: bytes | str, secret: str | bytes = SECRET) -> dict[str, str]:
    """Return the headers of a request that is signed."""
    return {"Content-Type": "application/json", "X-Webhook-Signature": sign(body, secret)}
