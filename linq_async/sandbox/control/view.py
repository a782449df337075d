"""What is stored, as the page and the control calls show it. Never the token, and no secret of a subscription."""

from datetime import datetime

from linq_async.sandbox.api.chats import service_of
from linq_async.sandbox.controls import Controls
from linq_async.sandbox.faults import Fault
from linq_async.sandbox.files import SandboxAttachment
from linq_async.sandbox.log import LoggedRequest
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import SandboxChat, SandboxDelivery, SandboxMessage, SandboxSubscription
from linq_async.sandbox.state import State

SHOWN_IMAGES = frozenset(f"image/{name}" for name in ("png", "jpeg", "gif", "webp", "avif", "bmp"))
"""Images that browsers can show. An SVG is not one of them, since it could contain scripts."""
PREVIEW_CHARS = 120


def moment_view(moment: datetime | None) -> str | None:
    """Write a time with its offset, or null."""
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def chat_view(state: State, chat: SandboxChat) -> Params:
    """Return a chat as its row in a list shows it, with the beginning of its last message."""
    last = chat.messages[-1] if chat.messages else None
    return {
        "id": chat.id,
        "name": chat.display_name,
        "line": chat.send_from,
        "people": [*chat.recipients],
        "service": service_of(state, chat.recipients),
        "typing": chat.typing,
        "typing_recipients": sorted(chat.typing_recipients),
        "contact_shared": chat.contact_shared,
        "count": len(chat.messages),
        "last": None
        if last is None
        else {
            "id": last.id,
            "text": last.text[:PREVIEW_CHARS],
            "sent_at": moment_view(last.sent_at),
            "from_me": last.from_me,
            "status": state.delivery_status.status(last),
            "deleted": last.deleted,
            "files": len(last.attachments),
        },
    }


def message_view(state: State, message: SandboxMessage) -> Params:
    """Return a whole message."""
    status = state.delivery_status
    return {
        "id": message.id,
        "chat_id": message.chat_id,
        "text": message.text,
        "from_me": message.from_me,
        "send_from": message.send_from,
        "recipients": [*message.recipients],
        "idempotency_key": message.idempotency_key,
        "sent_at": moment_view(message.sent_at),
        "delivered_at": moment_view(status.delivered_at(message)),
        "status": status.status(message),
        "edited_at": moment_view(message.edited_at),
        "is_read": message.is_read,
        "deleted": message.deleted,
        "reactions": [
            {"kind": one.kind, "from": one.from_phone, "from_me": one.from_me} for one in message.reactions.values()
        ],
        "attachments": [_attachment_view(one) for one in message.attachments],
    }


def _attachment_view(attachment: SandboxAttachment) -> Params:
    """Return an attachment; the URL of one that is stored here is relative, and `image` says if it can be shown."""
    stored = attachment.file is not None
    return {
        "url": "/" + attachment.url.split("/", 3)[3] if stored else attachment.url,
        "filename": attachment.filename,
        "content_type": attachment.content_type,
        "size": attachment.size,
        "image": stored and attachment.content_type in SHOWN_IMAGES,
    }


def request_view(entry: LoggedRequest) -> Params:
    """Return a request as its row shows it."""
    return {
        "number": entry.number,
        "received_at": moment_view(entry.received_at),
        "seconds": entry.seconds,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "idempotency_key": entry.idempotency_key,
        "attempt": entry.attempt,
        "replayed": entry.replayed,
        "fault": entry.fault,
        "size": entry.size,
    }


def request_detail(entry: LoggedRequest) -> Params:
    """Return a request with its headers, and the beginning of its body and of the response.

    `body_exact` says if `body` is all of it, and text, so that the request can be made again.
    """
    body = entry.body.decode("utf-8", "replace")
    return {
        **request_view(entry),
        "request_id": entry.request_id,
        "query": entry.query,
        "headers": dict(entry.headers),
        "body": body,
        "body_exact": len(entry.body) == entry.size and body.encode() == entry.body,
        "response": entry.response.decode("utf-8", "replace"),
    }


def delivery_view(delivery: SandboxDelivery) -> Params:
    """Return an attempt to deliver an event as its row shows it."""
    return {
        "number": delivery.number,
        "subscription_id": delivery.subscription_id,
        "event_type": delivery.event_type,
        "event_id": delivery.event_id,
        "subject": delivery.subject,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "seconds": delivery.seconds,
        "ended_at": moment_view(delivery.ended_at),
        "error": delivery.error,
        "fault": delivery.fault,
    }


def delivery_detail(delivery: SandboxDelivery) -> Params:
    """Return an attempt with the body that was delivered."""
    return {**delivery_view(delivery), "body": delivery.body.decode("utf-8", "replace")}


def subscription_view(subscription: SandboxSubscription) -> Params:
    """Return a subscription without its secret."""
    return {
        "id": subscription.id,
        "webhook_url": subscription.webhook_url,
        "events": [*subscription.events],
        "active": subscription.active,
        "signed": subscription.secret is not None,
        "delivery_attempts": subscription.delivery_attempts,
        "last_delivered_at": moment_view(subscription.last_delivered_at),
    }


def fault_view(fault: Fault) -> Params:
    """Return a fault of the requests to come."""
    return {
        "id": fault.id,
        "fault": str(fault),
        "times": fault.times,
        "phone_number": fault.phone_number,
        "path": fault.path,
        "method": fault.method,
    }


def lists_view(sandbox: Controls) -> Params:
    """Return the lists that are always sent whole."""
    return {"faults": faults_view(sandbox), "subscriptions": subscriptions_view(sandbox)}


def numbers_view(state: State) -> list[Params]:
    """Return the numbers for which a behaviour is set."""
    return [
        {"phone_number": number, "delivery": behaviour.delivery, "service": behaviour.service}
        for number, behaviour in state.behaviours.items()
    ]


def faults_view(sandbox: Controls) -> list[Params]:
    """Return the faults to come, in order."""
    return [fault_view(fault) for fault in sandbox.faults]


def subscriptions_view(sandbox: Controls) -> list[Params]:
    """Return all subscriptions."""
    return [subscription_view(one) for one in sandbox.subscriptions]
