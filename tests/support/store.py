"""What the scripted server holds: messages by key, and the other effects it took."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .http_messages import created_chat, error_body, message_field

CHATS = "/api/partner/v2/chats"
MESSAGES = "/chat_messages"
KEPT_TEXT = 100


@dataclass
class Seen:
    """One request as far as it arrived."""

    connection: int
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    head: bytes = field(default=b"", repr=False)
    """The head as it arrived, or its beginning."""
    head_complete: bool = False
    body: bytes = b""
    body_complete: bool = False

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def json(self) -> Any:
        """The JSON value in the body."""
        return json.loads(self.body)

    @property
    def key(self) -> str | None:
        """The idempotency key, once the body is whole."""
        return self._key if self.body_complete else None

    @cached_property
    def _key(self) -> str | None:
        return self.field("idempotency_key")

    def field(self, name: str) -> str | None:
        """Return a field of the message, once the body is whole."""
        return message_field(self.headers, self.body, name) if self.body_complete else None


@dataclass(frozen=True)
class Stored:
    """A message that the server took and keeps."""

    id: int
    key: str | None
    text: str


class Store:
    """Keeps one message a key, and answers a repeated key with the message it has."""

    def __init__(self) -> None:
        self.messages: list[Stored] = []
        self.effects: list[str] = []

    def take(self, seen: Seen) -> tuple[int, bytes]:
        """Let a whole request have its effect; the status and body of a healthy answer to it."""
        if seen.method == "POST" and seen.path == CHATS:
            message = self._kept(seen.key) or self._keep(seen)
            return 200, json.dumps(created_chat(message.id, message.text)).encode()
        if seen.method == "POST" and seen.path.endswith(MESSAGES):
            kept = self._kept(seen.key)
            message = kept or self._keep(seen)
            shown = created_chat(message.id, message.text)["data"]["chat_messages"]
            return (200 if kept else 201), json.dumps({"data": shown}).encode()
        effect = f"{seen.method} {seen.path}"
        if seen.method == "DELETE" and effect in self.effects:
            return 404, error_body(404, "not_found", "Nothing to delete")
        if seen.method != "GET":
            self.effects.append(effect)
        return (204, b"") if seen.method == "DELETE" else (200, b'{"ok": true}')

    def _kept(self, key: str | None) -> Stored | None:
        return next((message for message in self.messages if key and message.key == key), None)

    def _keep(self, seen: Seen) -> Stored:
        text = seen.field("text") or ""
        message = Stored(900001 + len(self.messages), seen.key, text[:KEPT_TEXT])
        self.messages.append(message)
        return message
