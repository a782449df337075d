"""From the body of a webhook request to an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import attrs

from linq_async.arguments import webhook_secrets
from linq_async.errors import Outcome
from linq_async.webhooks.events import UnknownEvent, WebhookEvent
from linq_async.webhooks.signature import Headers, Secret, as_bytes, from_bare_frame, refusal, verify
from linq_async.wire.converter import event_hook
from linq_async.wire.decoding import decode_error, decode_event

MAX_BODY_BYTES = 1 << 20
"""The longest body that is decoded."""
MAX_NAME_CHARS = 256
"""The longest ``event_id`` and ``event_type``. They are kept as keys after the event was handled."""

_CLASSES: dict[str, type[WebhookEvent]] = {
    str(attrs.fields(kind).event_type.default): kind for kind in get_args(WebhookEvent) if kind is not UnknownEvent
}


@from_bare_frame
def parse(body: bytes | str) -> WebhookEvent:
    """Return the event in a body without verifying it: for stored events and tests. In a server, use ``unwrap``.

    Raises:
        DecodeError: If the body is not an event, or is longer than 1 MiB.
        TypeError: If the body is neither bytes nor str.
    """
    return _decoded(as_bytes(body))


@from_bare_frame
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
    if max_age is not None and not isinstance(max_age, timedelta):
        raise TypeError(f"max_age must be a timedelta or None, not {type(max_age).__name__}")
    raw = as_bytes(body)
    verify(raw, headers, webhook_secrets(secret))
    event = _decoded(raw)
    if max_age is not None and datetime.now(UTC) - event.created_at > max_age:
        raise refusal("expired")
    return event


def _decoded(body: bytes) -> WebhookEvent:
    if len(body) > MAX_BODY_BYTES:
        raise decode_error(body, [f"$: longer than {MAX_BODY_BYTES:,} bytes"], Outcome.NOT_SENT)
    event = decode_event(body, _CLASSES, UnknownEvent)
    for name in ("event_id", "event_type"):
        length = len(getattr(event, name))
        if not 0 < length <= MAX_NAME_CHARS:
            problem = f"$.{name}: expected 1 to {MAX_NAME_CHARS} characters, got {length}"
            raise decode_error(body, [problem], Outcome.NOT_SENT)
    object.__setattr__(event, "body", body)  # frozen for everybody else
    return event


for _kind in (*_CLASSES.values(), UnknownEvent):
    event_hook(_kind)  # now, and not while a request waits
