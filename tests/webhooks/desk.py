"""A sandbox with a chat, and events of that chat."""

from __future__ import annotations

import json
from typing import Any

import attrs

from linq_async import LinqClient, RetryPolicy
from linq_async.sandbox import Sandbox
from linq_async.webhooks import Context, MessageReceived, WebhookEvent, parse

from .samples import SAMPLES, envelope


@attrs.define
class Desk:
    """A sandbox with a chat that somebody has written to."""

    sandbox: Sandbox
    linq: LinqClient
    chat_id: int
    message_id: int

    @property
    def texts(self) -> list[str]:
        """The texts that were stored after the first message."""
        return [message.text for message in self.sandbox.messages[1:]]

    def client(self) -> LinqClient:
        """Return a client that shares nothing with others, as in another process."""
        return LinqClient(self.sandbox.token, base_url=self.sandbox.base_url, retry=RetryPolicy.none())

    def event(self, kind: type[WebhookEvent] = MessageReceived, event_id: str = "evt-1", **data: Any) -> WebhookEvent:
        """Return an event of the chat and its message."""
        event_type, sample = SAMPLES[kind]
        changes = {"chat_id": self.chat_id} if "chat_id" in sample else {}
        changes |= {"chat_message_id": self.message_id} if "chat_message_id" in sample else {}
        body = envelope(event_type, {**sample, **changes, **data}, event_id=event_id)
        return parse(json.dumps(body))

    def context(self, kind: type[WebhookEvent] = MessageReceived, **more: Any) -> Context[None]:
        """Return the context of a new run of an event."""
        return Context(self.event(kind, **more), self.linq, state=None)
