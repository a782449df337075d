"""The events that subscriptions can list, made of what changes in the sandbox.

What Linq sends for a new chat is not documented. Typing of the organisation itself, deletions, edits and removed
reactions have no event.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import attrs

from linq_async.sandbox import events as changed
from linq_async.sandbox.api.chats import service_of
from linq_async.sandbox.api.contacts import contact_data
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import Contact, SandboxChat, SandboxMessage, SandboxReaction
from linq_async.sandbox.responses import event_time, spaced_time
from linq_async.sandbox.state import State


@attrs.frozen
class WebhookEvent:
    """An event, encoded once for all its deliveries."""

    event_type: str
    event_id: str
    subject: str
    """The chat or the contact: its events are delivered in order."""
    body: bytes = attrs.field(repr=False)

    def with_new_id(self) -> "WebhookEvent":
        """Return the same event under another id."""
        event_id = str(uuid4())
        content = {**json.loads(self.body), "event_id": event_id}
        return attrs.evolve(self, event_id=event_id, body=_encoded(content))


def webhook_event(state: State, change: changed.Event) -> WebhookEvent | None:
    """Return the event for a change that was just made, or None if it has no event."""
    found = _payload(state, change)
    if found is None:
        return None
    event_type, data = found
    event_id = str(uuid4())
    content = {
        "api_version": "v2",
        "created_at": event_time(state.now()),
        "data": data,
        "event_id": event_id,
        "event_type": event_type,
    }
    subject = f"chat {data['chat_id']}" if "chat_id" in data else f"contact {data['id']}"
    return WebhookEvent(event_type, event_id, subject, _encoded(content))


def _encoded(content: Mapping[str, object]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")  # a text may contain half of a surrogate pair


def _payload(state: State, change: changed.Event) -> tuple[str, Params] | None:
    match change:
        case changed.MessageStored(from_me=from_me):
            name = "message.sent" if from_me else "message.received"
            return name, _message_data(state, state.messages[change.message_id])
        case changed.MessageRead():
            ids = {"id": str(change.message_id), "chat_id": str(change.chat_id)}
            return "message.read", {**ids, "read_at": event_time(state.now())}
        case changed.ReactionAdded(reaction):
            return "reaction.sent" if reaction.from_me else "reaction.received", _reaction_data(state, reaction)
        case changed.RecipientTypingChanged(typing=typing):
            name = "typing_indicator.received" if typing else "typing_indicator.removed"
            return name, _typing_data(state, state.chats[change.chat_id], typing)
        case changed.ChatCreated(from_me=True):
            return "chat.created", _chat_data(state, state.chats[change.chat_id])
        case changed.ContactCreated(contact):
            return "contact.created", _contact_data(contact)
        case changed.ContactUpdated(contact):
            return "contact.updated", _contact_data(contact)
        case changed.ContactDeleted(contact):
            return "contact.deleted", {"id": contact.id}
        case _:
            return None


def _handles(chat: SandboxChat) -> list[Params]:
    people = [*((number, False) for number in chat.recipients), (chat.send_from, True)]
    return [{"identifier": number, "display_name": number, "is_me": is_me} for number, is_me in people]


def _message_data(state: State, message: SandboxMessage) -> Params:
    chat = state.chats[message.chat_id]
    return {
        "id": str(message.id),
        "chat_id": str(chat.id),
        "text": message.text,
        "sent_at": spaced_time(message.sent_at),
        "is_read": message.is_read,
        "from_phone": message.send_from,
        "service": service_of(state, chat.recipients),
        "reaction_id": None,
        "chat_handles": _handles(chat),
        "attachments": [
            {"id": one.id, "url": one.url, "filename": one.filename, "mime_type": one.content_type}
            for one in message.attachments
        ],
    }


def _reaction_data(state: State, reaction: SandboxReaction) -> Params:
    message = state.messages[reaction.message_id]
    chat = state.chats[message.chat_id]
    return {
        "id": str(reaction.id),
        "chat_message_id": str(message.id),
        "chat_id": str(chat.id),
        "reaction": reaction.kind,
        "is_from_me": reaction.from_me,
        "sent_at": spaced_time(reaction.sent_at),
        "created_at": spaced_time(reaction.sent_at),
        "chat_handle": {"id": str(chat.handle_id(reaction.from_phone)), "identifier": reaction.from_phone},
        "chat_handles": _handles(chat),
        "associated_message": {
            "id": str(message.id),
            "text": message.text,
            "sent_at": spaced_time(message.sent_at),
        },
    }


def _typing_data(state: State, chat: SandboxChat, typing: bool) -> Params:
    return {
        "chat_id": str(chat.id),
        "display": typing,
        "timestamp": spaced_time(state.now()),
        "chat_handles": _handles(chat),
    }


def _chat_data(state: State, chat: SandboxChat) -> Params:
    return {
        "id": str(chat.id),
        "chat_id": str(chat.id),
        "display_name": chat.display_name,
        "service": service_of(state, chat.recipients),
        "group": len(chat.handles) > 1,
        "chat_handles": _handles(chat),
    }


def _contact_data(contact: Contact) -> Params:
    times: dict[str, datetime] = {"created_at": contact.created_at, "updated_at": contact.updated_at}
    return {**contact_data(contact), **{name: event_time(moment) for name, moment in times.items()}}
