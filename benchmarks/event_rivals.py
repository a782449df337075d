"""Other ways to receive an event: by hand, and with standardwebhooks and pydantic."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import datetime
from importlib import import_module
from typing import Annotated, Any, Literal, TypeAlias

from benchmarks.examples import EVENT_SECRET

Pairs: TypeAlias = Iterable[tuple[bytes, bytes]]
"""The headers of a request, as ASGI has them."""
Decode: TypeAlias = Callable[[bytes, Pairs], tuple[str, Any]]
"""Verifies a request, and returns the type of its event and the event. Raises if it is not verified."""
Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""An ASGI application."""


def sign_by_hand(body: bytes) -> dict[str, str]:
    """Return the headers of a request as Linq sends it."""
    return {"X-Webhook-Signature": "sha256=" + hmac.new(EVENT_SECRET, body, hashlib.sha256).hexdigest()}


def sign_standard(body: bytes) -> dict[str, str]:
    """Return the headers of a request as standardwebhooks verifies it."""
    sent_at = str(int(time.time()))
    digest = hmac.new(EVENT_SECRET, b"msg.%b.%b" % (sent_at.encode(), body), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": "msg", "webhook-timestamp": sent_at, "webhook-signature": signature}


def hand_written(decode: Decode) -> Application:
    """Return an ASGI application as people write it: the handler has ended before the response is sent."""

    async def handle(event: Any) -> None:
        pass

    handlers = {"message.received": handle}

    async def app(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            event_type, event = decode(body, scope["headers"])
        except Exception:  # noqa: BLE001  # each library raises its own
            status = 401
        else:
            status = 200
            handler = handlers.get(event_type)
            if handler is not None:
                await handler(event)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return app


def by_hand(body: bytes, headers: Pairs) -> tuple[str, Any]:
    """Verify and decode as a careful person does in ten minutes: the event is a dict."""
    expected = b"sha256=" + hmac.new(EVENT_SECRET, body, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(expected, dict(headers).get(b"x-webhook-signature", b"")):
        raise ValueError("the signature is wrong")
    event = json.loads(body)
    return event["event_type"], event


def standardwebhooks(*, parse_once: bool = False) -> Decode:
    """Return the verification of standardwebhooks, and pydantic models of the fields that we decode.

    As documented, ``verify`` returns the parsed body, which pydantic then validates. To let pydantic parse the body
    instead is faster, and uses an argument that the documentation of standardwebhooks does not mention.
    """
    from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

    # pydantic refuses the space before the offset, in the documented times of messages.
    without_space = BeforeValidator(_without_space)

    class Handle(BaseModel):
        identifier: str | None = None
        display_name: str | None = None
        is_me: bool | None = None

    class Attachment(BaseModel):
        id: str | None = None
        url: str | None = None
        filename: str | None = None
        mime_type: str | None = None

    class Message(BaseModel):
        id: int
        chat_id: int
        text: str | None = None
        sent_at: Annotated[datetime | None, without_space] = None
        is_read: bool | None = None
        from_phone: str | None = None
        service: str | None = None
        reaction_id: int | str | None = None
        chat_handles: list[Handle] = []
        attachments: list[Attachment] = []

    class Read(BaseModel):
        id: int
        chat_id: int
        read_at: Annotated[datetime | None, without_space] = None

    class Event(BaseModel):
        event_id: str
        created_at: datetime
        api_version: str | None = None

    class MessageReceived(Event):
        event_type: Literal["message.received"]
        data: Message

    class MessageSent(Event):
        event_type: Literal["message.sent"]
        data: Message

    class MessageRead(Event):
        event_type: Literal["message.read"]
        data: Read

    for model in (Message, Read, MessageReceived, MessageSent, MessageRead):
        model.model_rebuild(_types_namespace=locals())
    union = Annotated[MessageReceived | MessageSent | MessageRead, Field(discriminator="event_type")]
    adapter: TypeAdapter[Any] = TypeAdapter(union)
    webhook: Any = import_module("standardwebhooks").Webhook(EVENT_SECRET)

    def decode(body: bytes, headers: Pairs) -> tuple[str, Any]:
        event = adapter.validate_python(webhook.verify(body, _decoded(headers)))
        return event.event_type, event

    def decode_once(body: bytes, headers: Pairs) -> tuple[str, Any]:
        webhook.verify(body, _decoded(headers), json_parse=False)
        event = adapter.validate_json(body)
        return event.event_type, event

    return decode_once if parse_once else decode


def _without_space(text: str | None) -> str | None:
    return text and text.replace(" -", "-").replace(" +", "+")


def _decoded(headers: Pairs) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}
