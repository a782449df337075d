"""linq_async/webhooks/events.py and data.py: every documented event is decoded into its class."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import get_args

import pytest

from linq_async import WebhookEventType
from linq_async.webhooks import (
    Event,
    UnknownEvent,
    WebhookEvent,
    event_key,
    parse,
    unwrap,
)

from .samples import SAMPLES, SECRET, sample_body, signed

MOMENT = datetime(2025, 9, 2, 16, 56, 20, tzinfo=timezone(-timedelta(hours=6)))
kinds = pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)


@kinds
def test_an_event_is_decoded_into_its_class(kind: type[WebhookEvent]) -> None:
    """The class follows the type, and the event has what its envelope has."""
    event_type, data = SAMPLES[kind]
    body = sample_body(kind)
    event = unwrap(body, signed(body), SECRET)
    assert type(event) is kind
    assert isinstance(event, Event)
    assert (event.event_type, event.created_at, event.api_version) == (event_type, MOMENT, "v2")
    assert event_key(event) == f"{event_type}:{event.event_id}"
    assert (event.body, event.raw) == (body, json.loads(body))
    assert event.chat_id == (8102 if "chat_id" in data else None)
    assert event == parse(body.decode())


def test_there_is_a_class_for_each_type() -> None:
    """The types that can be subscribed to are those with a class, and the union is those and ``UnknownEvent``."""
    assert {event_type for event_type, _ in SAMPLES.values()} == {*WebhookEventType}
    assert set(get_args(WebhookEvent)) == {*SAMPLES, UnknownEvent}
