"""A view of a sandbox that is rebuilt from its changes alone, and the same view read from the sandbox."""

from typing import Any

import attrs

from linq_async.sandbox import Event, Sandbox
from linq_async.sandbox import events as happened

Row = dict[str, Any]
View = dict[str, dict[Any, Row]]

KINDS = ("chats", "messages", "contacts", "phone_numbers", "subscriptions", "requests")


def empty_view() -> View:
    """Return the view of a sandbox in which nothing has happened."""
    return {kind: {} for kind in KINDS}


def apply(view: View, event: Event) -> None:
    """Apply one event to a view."""
    match event:
        case happened.SandboxReset():
            view.clear()
            view.update(empty_view())
        case happened.ChatCreated():
            fields = ("send_from", "display_name", "handles", "created_at", "from_me")
            unset = {"typing": False, "typing_recipients": set[str](), "contact_shared": 0}
            view["chats"][event.chat_id] = {**unset, **_taken(event, fields)}
        case happened.TypingChanged():
            view["chats"][event.chat_id]["typing"] = event.typing
        case happened.RecipientTypingChanged():
            typing: set[str] = view["chats"][event.chat_id]["typing_recipients"]
            (typing.add if event.typing else typing.remove)(event.phone_number)
        case happened.ContactCardShared():
            view["chats"][event.chat_id]["contact_shared"] = event.count
        case happened.ReactionAdded():
            view["messages"][event.reaction.message_id]["reactions"][event.reaction.from_phone] = event.reaction
        case happened.ReactionRemoved():
            del view["messages"][event.reaction.message_id]["reactions"][event.reaction.from_phone]
        case happened.ContactCreated() | happened.ContactUpdated():
            view["contacts"][event.contact.id] = attrs.asdict(event.contact)
        case happened.ContactDeleted():
            del view["contacts"][event.contact.id]
        case happened.PhoneNumberUpdated():
            view["phone_numbers"][event.phone_number.id] = attrs.asdict(event.phone_number)
        case happened.SubscriptionCreated() | happened.SubscriptionUpdated():
            view["subscriptions"][event.subscription.id] = attrs.asdict(event.subscription)
        case happened.SubscriptionDeleted():
            del view["subscriptions"][event.subscription.id]
        case happened.DeliveryAttempted(delivery):
            row = view["subscriptions"][delivery.subscription_id]
            row["delivery_attempts"] += 1
            row["last_delivered_at"] = delivery.ended_at if delivery.delivered else row["last_delivered_at"]
        case happened.RequestReceived():
            view["requests"][event.request_id] = {"status": None, "method": event.method, "path": event.path}
        case happened.RequestFinished():
            view["requests"][event.request_id] |= _taken(event, REQUEST_FIELDS)
        case _:
            _apply_to_message(view["messages"], event)


def _apply_to_message(messages: dict[Any, Row], event: Event) -> None:
    match event:
        case happened.MessageStored():
            unset = {"edited_at": None, "is_read": False, "deleted": False, "reactions": dict[str, Any]()}
            delivered_at = None if event.from_me else event.sent_at
            messages[event.message_id] = {**unset, "delivered_at": delivered_at, **_taken(event, STORED_FIELDS)}
        case happened.DeliveryStatusChanged():
            messages[event.message_id]["delivered_at"] = event.delivered_at
        case happened.MessageEdited():
            messages[event.message_id] |= _taken(event, ("text", "edited_at"))
        case happened.MessageRead():
            messages[event.message_id]["is_read"] = True
        case happened.MessageDeleted():
            messages[event.message_id]["deleted"] = True
        case _:  # a change that no view shows
            pass


STORED_FIELDS = ("chat_id", "text", "idempotency_key", "send_from", "recipients", "from_me", "attachments", "sent_at")
CHAT_FIELDS = (
    "send_from",
    "display_name",
    "handles",
    "created_at",
    "from_me",
    "typing",
    "typing_recipients",
    "contact_shared",
)
CHANGED_FIELDS = ("edited_at", "is_read", "deleted", "reactions")
REQUEST_FIELDS = ("status", "idempotency_key", "attempt", "replayed", "size", "fault")


def _taken(source: object, fields: tuple[str, ...]) -> Row:
    return {name: getattr(source, name) for name in fields}


def view_of(sandbox: Sandbox) -> View:
    """Read the same view from the sandbox itself."""
    state = sandbox._state
    return {
        "chats": {chat.id: _taken(chat, CHAT_FIELDS) for chat in state.chats.values()},
        "messages": {
            one.id: {
                **_taken(one, STORED_FIELDS + CHANGED_FIELDS),
                "delivered_at": state.delivery_status.delivered_at(one),
            }
            for one in state.messages.values()
        },
        "contacts": {one.id: attrs.asdict(one) for one in state.contacts.values()},
        "phone_numbers": {one.id: attrs.asdict(one) for one in state.phone_numbers.values()},
        "subscriptions": {one.id: attrs.asdict(one) for one in state.subscriptions.values()},
        "requests": {one.request_id: _taken(one, ("method", "path", *REQUEST_FIELDS)) for one in sandbox.requests},
    }
