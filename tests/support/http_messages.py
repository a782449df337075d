"""The little HTTP that the scripted server needs, read and written by hand."""

import json
import re
from typing import Any

REASONS = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found", 503: "Service Unavailable"}


def parse_head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    """Return method, path and headers (names in lower case) of a request's head."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines if line)
    return method, path, {name.strip().lower(): value.strip() for name, value in pairs}


def message_field(headers: dict[str, str], body: bytes, name: str) -> str | None:
    """Return a field of `message` in a JSON or multipart body, or None."""
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        return _multipart_field(content_type, body, f"message[{name}]")
    try:
        found: str | None = json.loads(body)["message"][name]
    except (ValueError, KeyError, TypeError):
        return None
    return found


def _multipart_field(content_type: str, body: bytes, name: str) -> str | None:
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    start = body.find(f'name="{name}"'.encode())
    if boundary is None or start < 0:
        return None
    value = body.index(b"\r\n\r\n", start) + 4
    return body[value : body.index(b"\r\n--" + boundary[1].encode(), value)].decode()


def response(status: int, body: bytes | None = b"", headers: dict[str, str] | None = None) -> bytes:
    """Build a whole response; without Content-Length when `body` is None or the status allows none."""
    fields = dict(headers or {})
    if body is not None and status != 204:
        fields.setdefault("Content-Length", str(len(body)))
        if body:
            fields.setdefault("Content-Type", "application/json; charset=utf-8")
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def chunk(data: bytes) -> bytes:
    """Frame one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def error_body(status: int, code: str, detail: str) -> bytes:
    """Build a body in the API's own error format."""
    error = {"status": status, "code": code, "title": code.replace("_", " ").title(), "detail": detail}
    return json.dumps({"errors": [error]}).encode()


def created_chat(message_id: int, text: str) -> dict[str, Any]:
    """Return the answer of the page "Create Chat" to a message."""
    joined = "2025-05-21T15:30:00.000-05:00"
    handles = [
        {"id": 123, "phone_number": "+13343284472", "service": "iMessage", "joined_at": joined},
        {"id": 124, "phone_number": "+13344713465", "service": "iMessage", "joined_at": joined},
    ]
    message: dict[str, Any] = {
        "id": message_id,
        "text": text,
        "sent_at": "2025-10-23T13:07:55.019-05:00",
        "delivered_at": None,
        "delivery_status": "pending",
        "is_read": False,
        "attachments": [],
    }
    chat = {"id": 45, "display_name": "John Doe", "service": "iMessage", "group": False}
    return {"data": chat | {"chat_handles": handles, "chat_messages": message}}
