"""The classes of the response bodies, defined once for all libraries that decode into classes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from linq_async.models.common import DeliveryStatus, Service
from linq_async.models.messages import ReactionType

Fields = dict[str, Any]
Make = Callable[[str, Fields], type]


def build(make: Make) -> tuple[type, type]:
    """Return the classes of a create response and of a page of messages. ``make`` creates each class."""
    attachment = make(
        "Attachment",
        {"id": str, "url": str | None, "filename": str | None, "mime_type": str | None, "file_size": int | None},
    )
    handle = make(
        "Handle",
        {"id": int, "phone_number": str | None, "service": Service | None, "joined_at": datetime | None},
    )
    created = {**_sent(), "attachments": list[attachment]}  # type: ignore[valid-type]
    chat = make(
        "Chat",
        {
            "id": int,
            "chat_messages": make("CreatedMessage", created),
            "display_name": str | None,
            "service": Service | None,
            "group": bool | None,
            "chat_handles": list[handle],  # type: ignore[valid-type]
        },
    )
    return make("Created", {"data": chat}), _page(make, attachment)


def _sent() -> Fields:
    return {
        "id": int,
        "text": str | None,
        "sent_at": datetime | None,
        "delivered_at": datetime | None,
        "delivery_status": DeliveryStatus | None,
        "is_read": bool | None,
    }


def _page(make: Make, attachment: type) -> type:
    reaction = make(
        "Reaction",
        {
            "id": int,
            "chat_message_id": int | None,
            "reaction": ReactionType | None,
            "is_from_me": bool | None,
            "from_phone": str | None,
            "sent_at": datetime | None,
            "created_at": datetime | None,
            "updated_at": datetime | None,
        },
    )
    message = make(
        "Message",
        {
            **_sent(),
            "edited_at": datetime | None,
            "sent_from": str | None,
            "chat_handle_id": int | None,
            "attachments": list[attachment],  # type: ignore[valid-type]
            "reactions": list[reaction],  # type: ignore[valid-type]
        },
    )
    meta = {"page": int | None, "total_pages": int | None, "total_count": int | None, "per_page": int | None}
    return make("Page", {"data": list[message], "meta": make("Meta", meta) | None})  # type: ignore[valid-type]


def required(name: str, kind: Any) -> bool:
    """Return whether a field is required, as in this package: ids, the message, and the items of a list."""
    return name in {"id", "chat_messages", "data"}


def is_list(kind: Any) -> bool:
    """Return whether a field is a list, which is empty if it is missing."""
    return getattr(kind, "__origin__", None) is list
