"""Responses that a scripted server sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CREATED_CHAT: dict[str, Any] = {
    "data": {
        "id": 45,
        "display_name": "John Doe",
        "service": "iMessage",
        "group": False,
        "chat_handles": [
            {
                "id": 123,
                "phone_number": "+15551234567",
                "service": "iMessage",
                "joined_at": "2025-05-21T15:30:00.000-05:00",
            },
            {
                "id": 124,
                "phone_number": "+15559876543",
                "service": "iMessage",
                "joined_at": "2025-05-21T15:30:00.000-05:00",
            },
        ],
        "chat_messages": {
            "id": 16470817,
            "text": "Hello! This is a sample message from Linq API v2.",
            "sent_at": "2025-10-23T13:07:55.019-05:00",
            "delivered_at": None,
            "delivery_status": "pending",
            "is_read": False,
            "attachments": [
                {
                    "id": "abc12345-1234-5678-9abc-def012345678",
                    "url": "https://storage.googleapis.com/linq-files/attachments/abc123.pdf",
                    "filename": "document.pdf",
                    "mime_type": "application/pdf",
                    "file_size": 12345,
                }
            ],
        },
    }
}
"""The answer that the page "Create Chat" documents."""


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def encode(self) -> bytes:
        """Return its bytes, with a Content-Length unless the headers have one."""
        fields = {"Content-Length": str(len(self.body)), "Content-Type": "application/json", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Status\r\n{head}\r\n".encode() + self.body


def replied(value: object, status: int = 200, **headers: str) -> Reply:
    """Return a response with a JSON value; in header names, write _ instead of -."""
    return Reply(status, json.dumps(value).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


def refused(status: int, code: str = "refused", **headers: str) -> Reply:
    """Return an error in the format of the API."""
    return replied({"errors": [{"status": status, "code": code, "title": "T", "detail": "D"}]}, status, **headers)


CREATED = replied(CREATED_CHAT, 201)
