"""From the body of a webhook request to an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import attrs

from linq_async.arguments import webhook_secrets
from linq_async.errors import Outcome
from linq_async.webhooks.events import UnknownEvent, WebhookEvent
from linq_async.webhooks.signature import Headers, Secret, as_bytes, refusal, verify, without_frames
from linq_async.wire.converter import event_hook
from linq_async.wire.decoding import decode_error, decode_event

MAX_BODY_BYTES = 1 << 20
"""The longest body that is decoded."""
MAX_NAME_CHARS = 256
"""The longest ``event_id`` and ``event_type``, which are logged, and kept as keys after the event was handled."""

_CLASSES: dict[str, type[WebhookEvent]] = {
    str(attrs.fields(kind).event_type.default): kind for kind in get_args(WebhookEvent) if kind is not UnknownEvent
}


def parse(body: bytes | str) -> WebhookEvent:
    """Return the event in a body without verifying it: for stored events and tests. In a server, use ``unwrap``.

    Raises:
        DecodeError: If the body is not an event, or is longer than 1 MiB.
        TypeError: If the body is neither bytes nor str.
    """
    try:
        return _decoded(as_bytes(body))
    except Exception as error:  # noqa: BLE001
        failed = without_frames(error)
    del body
    raise failed


def unwrap(
    body: bytes | str, headers: Headers, secret: Secret | None = None, *, max_age: timedelta | None = None
) -> WebhookEvent:
    """Verify the signature of a webhook request, and return its event.

    Args:
        body: The body as it was received, not JSON that was decoded and encoded again.
        headers: All headers of the request: a mapping with names in any case, or pairs of str or bytes.
        secret: The secret of the subscription, or several while it is being replaced. By default it is read from
            ``LINQ_WEBHOOK_SECRET``.
        max_age: Reject events that were created longer ago. Linq may deliver an event again, and then it is late.

    Raises:
        WebhookVerificationError: If the signature is missing, malformed or wrong, or the event is too old.
        DecodeError: If the body is signed, but is not an event, or is longer than 1 MiB.
        ConfigurationError: If there is no secret, or it is empty.
        TypeError: If an argument has the wrong type.
    """
    try:
        raw = as_bytes(body)
        verify(raw, headers, webhook_secrets(secret))
        event = _decoded(raw)
        if max_age is None or datetime.now(UTC) - event.created_at <= max_age:
            return event
        failed: Exception = refusal("expired")
    except Exception as error:  # noqa: BLE001
        failed = without_frames(error)
    body = raw = b""
    del headers, secret
    raise failed


def _decoded(body: bytes) -> WebhookEvent:
    if len(body) > MAX_BODY_BYTES:
        raise decode_error(body, [f"$: longer than {MAX_BODY_BYTES:,} bytes"], Outcome.NOT_SENT)
    event = decode_event(body, _CLASSES, UnknownEvent)
    if not (_is_name(event.event_id) and (type(event) is not UnknownEvent or _is_type(event.event_type))):
        problem = f"$: event_id or event_type is empty, not printable, or longer than {MAX_NAME_CHARS} characters"
        raise decode_error(body, [problem], Outcome.NOT_SENT)
    object.__setattr__(event, "body", body)  # frozen for everybody else
    return event


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME_CHARS and text.isprintable()


def _is_type(text: str) -> bool:
    """Return whether a text can be an ``event_type``. A colon separates it from the id in the key of an event."""
    return _is_name(text) and ":" not in text


for _kind in (*_CLASSES.values(), UnknownEvent):
    event_hook(_kind)  # now, and not while a request waits
