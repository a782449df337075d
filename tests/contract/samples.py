"""Exchanges that keep to the contract, to be spoilt one thing at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .exchange import Exchange

TOKEN = {"X-LINQ-INTEGRATION-TOKEN": "sandbox-token"}
API = "/api/partner/v2"
JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
FORM_TYPE = {"Content-Type": "multipart/form-data; boundary=limit"}
PART = tuple[str, str | bytes | None]

HANDLE = {
    "id": 123,
    "phone_number": "+15551234567",
    "service": "iMessage",
    "joined_at": "2025-05-21T15:30:00.000-05:00",
}
CHAT = {
    "id": 45,
    "display_name": "Mira",
    "service": "iMessage",
    "group": False,
    "message_count": 1,
    "chat_handles": [HANDLE],
}
FIRST_MESSAGE: dict[str, Any] = {
    "id": 16470817,
    "text": "Hello!",
    "sent_at": "2025-10-23T13:07:55.019-05:00",
    "delivered_at": None,
    "delivery_status": "pending",
    "is_read": False,
    "attachments": [],
}
MESSAGE: dict[str, Any] = {
    **FIRST_MESSAGE,
    "edited_at": None,
    "sent_from": "+15175269229",
    "chat_handle_id": 7,
    "reactions": [],
}
CREATED: dict[str, Any] = {
    "data": {**{name: CHAT[name] for name in CHAT if name != "message_count"}, "chat_messages": FIRST_MESSAGE}
}
NEW_CHAT = {
    "send_from": "+15175269229",
    "chat": {"phone_numbers": ["+13343284472"]},
    "message": {"text": "Hello!", "idempotency_key": "order-1017"},
}
ERROR = {"errors": [{"status": 400, "code": "missing_phone", "title": "Missing Phone", "detail": "send_from"}]}
STANDARD_ERROR = {
    "status": "error",
    "error_code": "CONTACT_NOT_FOUND",
    "message": "gone",
    "errors": ["no such contact"],
}
META = {"page": 1, "total_pages": 1, "total_count": 1, "per_page": 25}
SUBSCRIPTION = {"webhook_url": "https://example.com/hook", "events": ["message.received"], "version": 2}


def created(
    body: Mapping[str, Any] = NEW_CHAT, answer: object = CREATED, status: int = 200, **headers: str
) -> Exchange:
    """Create a chat, in JSON."""
    return _json("POST", "/chats", body, answer, status, headers)


def wrote(method: str, path: str, body: object, answer: object, status: int = 200) -> Exchange:
    """Send JSON to any operation."""
    return _json(method, path, body, answer, status, {})


def _json(method: str, path: str, body: object, answer: object, status: int, headers: Mapping[str, str]) -> Exchange:
    return Exchange(
        method,
        API + path,
        {**TOKEN, **JSON_TYPE},
        json.dumps(body).encode(),
        status,
        {**JSON_TYPE, **headers},
        json.dumps(answer).encode(),
    )


def read(path: str, answer: object, status: int = 200, *, method: str = "GET", body: bytes = b"") -> Exchange:
    """Ask for something, with no body; an answer of None is an empty one."""
    content = b"" if answer is None else json.dumps(answer).encode()
    return Exchange(method, API + path, TOKEN, body, status, {} if answer is None else JSON_TYPE, content)


def form(parts: Sequence[PART]) -> bytes:
    """Write a multipart body: text as str, a file as bytes."""
    written = b""
    for name, value in parts:
        file = b'; filename="quote.pdf"\r\nContent-Type: application/pdf' if isinstance(value, bytes) else b""
        data = value if isinstance(value, bytes) else str(value).encode()
        written += b'--limit\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), file, data)
    return written + b"--limit--\r\n"


def sent(*parts: PART, path: str = "/chats/45/chat_messages", status: int = 201, raw: bytes | None = None) -> Exchange:
    """Send a message, or create a chat, by a multipart form."""
    body = form(parts) if raw is None else raw
    answer: dict[str, Any] = {"data": MESSAGE} if path != "/chats" else CREATED
    return Exchange("POST", API + path, {**TOKEN, **FORM_TYPE}, body, status, JSON_TYPE, json.dumps(answer).encode())


def without(value: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Copy a body without one of its members."""
    first, *rest = path
    return {
        name: (without(inner, *rest) if rest and name == first else inner)
        for name, inner in value.items()
        if rest or name != first
    }


def changed(value: Mapping[str, Any], new: object, *path: str) -> dict[str, Any]:
    """Copy a body with one of its members changed, or added."""
    first, *rest = path
    return {**value, first: changed(value.get(first, {}), new, *rest) if rest else new}
