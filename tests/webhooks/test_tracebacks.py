"""No repr, error, log or traceback of this package shows a secret, a signature, a text or a number."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from aiohttp import web

import linq_async
from linq_async import LinqError
from linq_async.integrations.aiohttp import add_webhooks
from linq_async.integrations.asgi import WebhookApp
from linq_async.integrations.fastapi import webhook_event, webhook_router
from linq_async.integrations.server import serving
from linq_async.webhooks import WebhookEvent, explain, parse, sign, unwrap

from .samples import ISO, MESSAGE, SAMPLES, SPACED, envelope, signed

PACKAGE = str(Path(linq_async.__file__).parent)
TEXT, NUMBER, SECRET = "canary text 71c9", "+15550006174", "canary-secret-b20e"
SIGNATURE = "sha256=" + "ca4a81" * 10 + "0000"
CANARIES = (TEXT, NUMBER, SECRET, SIGNATURE[7:])


WORDS = {"id", "status", "direction", "call_type", "service", "reaction", "mime_type", "chat_id", "chat_message_id"}
"""Members that the API documents as an id or as one of a few words."""


def _poisoned(value: object) -> Any:
    """Return a payload with canaries in place of its texts and numbers, wherever they are."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {name: inner if name in WORDS else _poisoned(inner) for name, inner in members}
    if isinstance(value, list):
        return [_poisoned(inner) for inner in cast("list[object]", value)]
    if not isinstance(value, str) or value in {ISO, SPACED}:
        return value
    return NUMBER if value.startswith("+") else TEXT


BODY = json.dumps(envelope(data=_poisoned(MESSAGE)))
WRONG = json.dumps(envelope(data={**_poisoned(MESSAGE), "id": TEXT, "sent_at": NUMBER}))
HEADERS = {"X-Webhook-Signature": SIGNATURE}
ODD: Any = [SECRET, 5]
PAIRS: Any = [TEXT]
DECODED: Any = json.loads(BODY)
BLANK = [SECRET, ""]
NO_BOT: Any = 5


async def _accept(event: WebhookEvent) -> None:
    """Take any event."""


def _signed(body: str, **options: Any) -> Callable[[], object]:
    headers = signed(body, SECRET)
    return lambda: unwrap(body, headers, SECRET, **options)


failures: dict[str, Callable[[], object]] = {
    "no header": lambda: unwrap(BODY, {"X-Note": TEXT}, SECRET),
    "malformed": lambda: unwrap(BODY, {"X-Webhook-Signature": SIGNATURE[7:]}, SECRET),
    "mismatch": lambda: unwrap(BODY, HEADERS, [SECRET, SECRET.encode()]),
    "expired": _signed(BODY, max_age=timedelta(0)),
    "not an event": _signed(WRONG),
    "not JSON": _signed(BODY[:-1]),
    "too long a type": _signed(json.dumps(envelope(TEXT * 40, {"text": TEXT}))),
    "2 MiB": _signed(json.dumps({"text": TEXT * (1 << 17)})),
    "many values": _signed(json.dumps([0] * 200_000 + [TEXT])),
    "an empty secret": lambda: unwrap(BODY, HEADERS, [SECRET, ""]),
    "a secret of another type": lambda: unwrap(BODY, HEADERS, ODD),
    "a dict": lambda: unwrap(DECODED, HEADERS, SECRET),
    "headers that are no pairs": lambda: unwrap(BODY, PAIRS, SECRET),
    "parse": lambda: parse(WRONG),
    "parse, a dict": lambda: parse(DECODED),
    "sign, a dict": lambda: sign(DECODED, SECRET),
    "sign, a secret of another type": lambda: sign(BODY, ODD),
    "explain, a dict": lambda: explain(DECODED, HEADERS, SECRET),
    "WebhookApp": lambda: WebhookApp(_accept, secret=BLANK),
    "WebhookApp, a bot that cannot be called": lambda: WebhookApp(NO_BOT, secret=SECRET),
    "webhook_router": lambda: webhook_router(_accept, BLANK),
    "webhook_router, a bot that cannot be called": lambda: webhook_router(NO_BOT, SECRET),
    "webhook_event": lambda: webhook_event(BLANK),
    "webhook_event, a secret of another type": lambda: webhook_event(ODD),
    "add_webhooks": lambda: add_webhooks(web.Application(), _accept, BLANK),
    "add_webhooks, a bot that cannot be called": lambda: add_webhooks(web.Application(), NO_BOT, SECRET),
    "serving": lambda: asyncio.run(serving(_accept, BLANK).__aenter__()),
    "explain, headers that are no pairs": lambda: explain(BODY, PAIRS, SECRET),
}


def test_a_wrong_path_shows_no_secret() -> None:
    """What the framework raises for a path comes through a frame without the secret."""
    with pytest.raises(ValueError, match="path") as caught:
        add_webhooks(web.Application(), _accept, SECRET, path="no slash")
    full = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [str(frame.locals) for frame in full.stack if frame.filename.startswith(PACKAGE)]
    assert shown
    assert _leaks("\n".join(shown)) == []


def _leaks(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if any(canary in line for canary in CANARIES)]


@pytest.mark.parametrize("name", failures)
def test_a_failure_shows_no_secret(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """The error, the locals of its frames, its causes and the log show none of it."""
    with caplog.at_level(logging.DEBUG), pytest.raises((LinqError, TypeError)) as caught:
        failures[name]()
    error = caught.value
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        trace = trace.tb_next
    assert trace is not None
    full = traceback.TracebackException.from_exception(error.with_traceback(trace), capture_locals=True)
    assert _leaks("\n".join([str(error), repr(error), *full.format(), caplog.text])) == []
    assert error.__context__ is error.__cause__ is None


@pytest.mark.parametrize(("event_type", "data"), SAMPLES.values(), ids=[name for name, _ in SAMPLES.values()])
def test_an_event_shows_no_payload(caplog: pytest.LogCaptureFixture, event_type: str, data: dict[str, Any]) -> None:
    """The repr of an event and of its payload shows ids, times and words of the API, and nothing is logged."""
    with caplog.at_level(logging.DEBUG):
        event = parse(json.dumps(envelope(event_type, _poisoned(data))))
    assert event.event_id in repr(event)
    assert _leaks(f"{event!r} {event} {event.data!r}" if attrs.has(type(event.data)) else f"{event!r} {event}") == []
    assert caplog.records == []


def test_the_leak_detector_works() -> None:
    """The samples contain the canaries, and the detector finds each."""
    assert (TEXT in BODY, NUMBER in BODY) == (True, True)
    assert len(_leaks("\n".join(CANARIES))) == len(CANARIES)
