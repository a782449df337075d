"""Requests and responses: the examples of the API's documentation, and bodies of similar size for other clients."""

from __future__ import annotations

import json
from typing import Any

API_PATH = "/api/partner/v2"

CREATE: dict[str, Any] = {
    "send_from": "+15175269229",
    "phone_numbers": ["+13343284472", "+13344713465"],
    "display_name": "Sample Chat",
    "text": "Hello! This is a sample message from Linq API v2.",
}
"""The arguments of ``chats.create``, as on the page "Create Chat"."""


def create_body(key: str) -> dict[str, Any]:
    """Return the JSON of the request, as written by hand."""
    return {
        "send_from": CREATE["send_from"],
        "chat": {"display_name": CREATE["display_name"], "phone_numbers": CREATE["phone_numbers"]},
        "message": {"text": CREATE["text"], "idempotency_key": key},
    }


_JOINED = "2025-05-21T15:30:00.000-05:00"
_ATTACHMENT = {
    "id": "abc12345-1234-5678-9abc-def012345678",
    "url": "https://storage.googleapis.com/linq-files/attachments/abc123.pdf",
    "filename": "document.pdf",
    "mime_type": "application/pdf",
    "file_size": 12345,
}
CREATED: dict[str, Any] = {
    "data": {
        "id": 45,
        "display_name": "John Doe",
        "service": "iMessage",
        "group": False,
        "chat_handles": [
            {"id": 123, "phone_number": "+13343284472", "service": "iMessage", "joined_at": _JOINED},
            {"id": 124, "phone_number": "+13344713465", "service": "iMessage", "joined_at": _JOINED},
        ],
        "chat_messages": {
            "id": 16470817,
            "text": "Hello! This is a sample message from Linq API v2.",
            "sent_at": "2025-10-23T13:07:55.019-05:00",
            "delivered_at": None,
            "delivery_status": "pending",
            "is_read": False,
            "attachments": [_ATTACHMENT],
        },
    }
}
"""The response to ``chats.create``."""

_UUID = "550e8400-e29b-41d4-a716-446655440000"
_V3_HANDLE = {
    "id": _UUID,
    "handle": "+15551234567",
    "service": "iMessage",
    "joined_at": "2025-05-21T15:30:00Z",
    "is_me": True,
    "status": "active",
}
_V3_CREATED = {
    "chat": {
        "id": _UUID,
        "display_name": "John Doe",
        "handles": [_V3_HANDLE, {**_V3_HANDLE, "handle": "+15559876543", "is_me": False}],
        "health_status": {
            "status": "HEALTHY",
            "doc_url": "https://docs.linqapp.com/health",
            "updated_at": "2025-05-21T15:30:00Z",
        },
        "is_group": False,
        "service": "iMessage",
        "message": {
            "id": _UUID,
            "parts": [{"type": "text", "value": CREATE["text"], "reactions": None}],
            "sent_at": "2025-10-23T13:07:55Z",
            "delivered_at": None,
            "delivery_status": "pending",
            "is_read": False,
            "created_at": "2025-10-23T13:07:55Z",
        },
    }
}
_STRIPE_CUSTOMER: dict[str, Any] = {
    "id": "cus_NffrFeUfNV2Hib",
    "object": "customer",
    "address": None,
    "balance": 0,
    "created": 1680893993,
    "currency": None,
    "default_source": None,
    "delinquent": False,
    "description": None,
    "email": "jennyrosen@example.com",
    "invoice_prefix": "0759376C",
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
    },
    "livemode": False,
    "metadata": {"order": "1017", "campaign": "autumn"},
    "name": "Jenny Rosen",
    "next_invoice_sequence": 1,
    "phone": "+15551234567",
    "preferred_locales": [],
    "shipping": None,
    "tax_exempt": "none",
    "test_clock": None,
}
_OPENAI_COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello! How can I assist you today?",
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0},
    },
    "service_tier": "default",
}
_OPENAI_FILE = {
    "id": "file-abc123",
    "object": "file",
    "bytes": 120000,
    "created_at": 1677610602,
    "filename": "quote.pdf",
    "purpose": "user_data",
    "status": "processed",
}
_SLACK_SENT = {"ok": True, "files": [{"id": "F123ABC456", "title": "quote.pdf"}]}

RESPONSES: dict[str, Any] = {
    f"{API_PATH}/chats": CREATED,
    "/v3/chats": _V3_CREATED,
    "/v1/customers": _STRIPE_CUSTOMER,
    "/v1/chat/completions": _OPENAI_COMPLETION,
    "/v1/files": _OPENAI_FILE,
    "/slack/files.completeUploadExternal": _SLACK_SENT,
    "/slack/upload": {"ok": True},
}
"""The response body for each path that a client posts to."""


def encode(value: Any) -> bytes:
    """Return a value as compact JSON, as servers send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def page_of_messages(count: int) -> dict[str, Any]:
    """Return a page of messages, of which every second has a file and every fourth a reaction."""
    reaction = {
        "id": 987,
        "chat_message_id": 16470817,
        "reaction": "love",
        "is_from_me": False,
        "from_phone": "+15551234567",
        "sent_at": "2025-10-23T13:08:10.000-05:00",
        "created_at": "2025-10-23T13:08:11.000-05:00",
        "updated_at": "2025-10-23T13:08:11.000-05:00",
    }
    common = {**CREATED["data"]["chat_messages"], "edited_at": None, "sent_from": "+15551234567", "chat_handle_id": 123}
    messages = [
        {
            **common,
            "id": 16470817 + number,
            "attachments": [] if number % 2 else [_ATTACHMENT],
            "reactions": [] if number % 4 else [reaction],
        }
        for number in range(count)
    ]
    meta = {"page": 1, "total_pages": 7, "total_count": 7 * count, "per_page": count}
    return {"data": messages, "meta": meta}


EVENT_SECRET = b"a-long-random-string-of-a-subscription"
_EVENT: dict[str, Any] = {
    "api_version": "v2",
    "event_id": "550e8400-e29b-41d4-a716-446655440000",
    "created_at": "2025-09-02T16:56:20-06:00",
    "event_type": "message.received",
    "data": {
        "id": "16470817",
        "chat_id": "45",
        "text": "Hello! This is a sample message to Linq API v2.",
        "sent_at": "2025-09-02 16:56:20 -0600",
        "is_read": False,
        "from_phone": "+13343284472",
        "service": "iMessage",
        "reaction_id": None,
        "chat_handles": [
            {"identifier": "+13343284472", "display_name": "John Doe", "is_me": False},
            {"identifier": "+15175269229", "display_name": "Front desk", "is_me": True},
        ],
        "attachments": [{key: _ATTACHMENT[key] for key in ("id", "url", "filename", "mime_type")}],
    },
}


def event_body(number: int) -> bytes:
    """Return the body of a ``message.received``, as documented. Each number is another event, in one of 500 chats."""
    data = {**_EVENT["data"], "id": str(number), "chat_id": str(number % 500)}
    return encode({**_EVENT, "event_id": f"550e8400-e29b-41d4-a716-{number:012}", "data": data})
