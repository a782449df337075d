"""linq_async/webhooks/receiver.py: what a webhook request is answered, without any framework."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from linq_async import ConfigurationError
from linq_async.webhooks import Answer, Receiver, WebhookEvent
from linq_async.webhooks import receiver as module
from linq_async.webhooks.inbox import HandlerFailedError, NotAcceptedError

from .deliveries import CANARY_NUMBER, CANARY_TEXT, SECRET, event_body, signature, signed

CLOSE = {"Connection": "close"}
MIB = 1 << 20


class Taken(list[WebhookEvent]):
    """Takes events, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error

    async def __call__(self, event: WebhookEvent) -> None:
        """Take an event."""
        self.append(event)
        if self.error is not None:
            raise self.error


async def _receive(error: Exception | None = None, **changes: Any) -> tuple[Answer, list[str]]:
    taken = Taken(error)
    request: dict[str, Any] = {"method": "POST", "body": event_body()} | changes
    request.setdefault("headers", signed(request["body"]))
    answer = await Receiver(taken, SECRET).receive(**request)
    return answer, [event.event_id for event in taken]


@pytest.mark.asyncio
async def test_an_event_that_was_taken_is_a_200() -> None:
    """The response is an empty 200 once the event was passed on."""
    assert await _receive() == (Answer(200), ["evt-1"])


FORMS: dict[str, Any] = {
    "mapping": {"x-webhook-signature": signature(event_body())},
    "pairs of bytes": [(b"X-Webhook-Signature", signature(event_body()).encode())],
}


@pytest.mark.asyncio
@pytest.mark.parametrize("form", FORMS)
async def test_headers_of_any_framework(form: str) -> None:
    """Headers may be a mapping of str, or pairs of bytes as in ASGI."""
    assert await _receive(headers=FORMS[form]) == (Answer(200), ["evt-1"])


REFUSED: dict[str, tuple[dict[str, Any], Answer]] = {
    "GET": ({"method": "GET"}, Answer(405, {"Allow": "POST", **CLOSE})),
    "too long": ({"body": event_body(size=MIB + 1)}, Answer(413, CLOSE)),
    "no signature": ({"headers": {}}, Answer(401)),
    "no prefix": ({"headers": {"X-Webhook-Signature": signature(event_body())[7:]}}, Answer(401)),
    "two signatures": ({"headers": [*signed(event_body()).items()] * 2}, Answer(401)),
    "another secret": ({"headers": signed(event_body(), "another")}, Answer(401)),
    "another body": ({"headers": signed(event_body("evt-2"))}, Answer(401)),
    "no JSON": ({"body": b"{"}, Answer(500)),
    "no event": ({"body": b"[]"}, Answer(500)),
}
"""Requests whose event is not passed on, and the response to each."""


@pytest.mark.asyncio
@pytest.mark.parametrize("name", REFUSED)
async def test_anything_else_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is not a signed event is refused, is not passed on, and leaves one log record with the status."""
    changes, expected = REFUSED[name]
    assert await _receive(**changes) == (expected, [])
    (record,) = caplog.records
    assert record.levelno == (logging.ERROR if expected.status == 500 else logging.WARNING)
    assert f"refused with {expected.status}: " in record.getMessage()


RAISED: dict[str, tuple[Exception, Answer]] = {
    "no room": (NotAcceptedError("10,000 events wait", retry_after=4.2), Answer(503, {"Retry-After": "5"})),
    "a moment": (NotAcceptedError("stopping", retry_after=0.0), Answer(503, {"Retry-After": "1"})),
    "handler failed": (HandlerFailedError("the handler failed"), Answer(500)),
    "disk full": (OSError(28, "No space left on device"), Answer(500)),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", RAISED)
async def test_an_event_that_was_not_taken_is_never_a_200(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """If ``accept`` raises, the response is 503 or 500, and the log names the event and the reason."""
    error, expected = RAISED[name]
    assert await _receive(error) == (expected, ["evt-1"])
    assert "message.received:evt-1" in caplog.records[0].getMessage()
    assert str(error) in caplog.text


@pytest.mark.asyncio
async def test_a_request_that_is_cancelled_ends() -> None:
    """Cancelling is not answered: the server that cancels sends no response."""
    started = asyncio.Event()

    async def accept(_: WebhookEvent) -> None:
        started.set()
        await asyncio.Event().wait()

    body = event_body()
    receiving = asyncio.create_task(Receiver(accept, SECRET).receive("POST", signed(body), body))
    await asyncio.wait_for(started.wait(), 5)
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving


HINTS: dict[str, tuple[dict[str, str], bool]] = {
    "the headers of v3": ({"X-Webhook-Signature": "0" * 64, "X-Webhook-Timestamp": "1769774400"}, True),
    "bare digits": ({"X-Webhook-Signature": "0" * 64}, True),
    "another secret": (signed(event_body(), "another"), False),
    "no signature": ({}, False),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", HINTS)
async def test_signatures_of_v3_are_explained(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log says if a signature looks like one of API v3; the response does not."""
    headers, hinted = HINTS[name]
    assert await _receive(headers=headers) == (Answer(401), [])
    assert ("API v3" in caplog.text) is hinted


@pytest.mark.asyncio
async def test_nothing_of_the_body_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No log record has a phone number, a text, a signature or the secret, whatever the response is."""
    caplog.set_level(logging.DEBUG)
    for changes, _ in REFUSED.values():
        await _receive(**changes)
    for error, _ in RAISED.values():
        await _receive(error)
    assert len(caplog.records) == len(REFUSED) + len(RAISED)
    secrets = (CANARY_NUMBER[1:], CANARY_TEXT, SECRET, signature(event_body())[7:])
    assert [secret for secret in secrets if secret in caplog.text] == []


@pytest.mark.asyncio
async def test_the_frame_of_a_failure_has_no_contents(caplog: pytest.LogCaptureFixture) -> None:
    """When ``accept`` raises, the frames of this package that are logged with it hold neither body nor headers."""
    await _receive(OSError("the queue is down"))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    full = traceback.TracebackException.from_exception(record.exc_info[1], capture_locals=True)
    shown = [str(frame.locals) for frame in full.stack if frame.filename.endswith("receiver.py")]
    assert shown
    secrets = (CANARY_NUMBER[1:], CANARY_TEXT, signature(event_body())[7:])
    assert [secret for secret in secrets if secret in "".join(shown)] == []


@pytest.mark.asyncio
async def test_the_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``secret=`` the variable is read for each request. Without both, every request is a 500."""
    body, taken = event_body(), Taken()
    receiver = Receiver(taken)
    monkeypatch.delenv("LINQ_WEBHOOK_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match="LINQ_WEBHOOK_SECRET"):
        receiver.check()
    assert (await receiver.receive("POST", signed(body), body)).status == 500
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    receiver.check()
    assert (await receiver.receive("POST", signed(body), body)).status == 200
    assert len(taken) == 1


@pytest.mark.parametrize("secret", ["", b"", [], ["one", ""]])
def test_an_empty_secret_is_refused_at_once(secret: Any) -> None:
    """An empty secret is refused by the constructor, in a frame that does not show the others."""
    with pytest.raises(ConfigurationError) as caught:
        Receiver(Taken(), secret)
    assert caught.traceback[-1].locals.get("secret") is None


@pytest.mark.parametrize("accept", [None, "bot", SECRET])
def test_what_cannot_be_called_is_refused_at_once(accept: Any) -> None:
    """Whatever is neither a bot nor a function is refused by the constructor, and not shown."""
    with pytest.raises(TypeError, match="accept must be a coroutine function that takes an event, not ") as caught:
        Receiver(accept, SECRET)
    assert SECRET not in str(caught.value)


async def _chunks(*chunks: bytes, then: Exception | None = None) -> AsyncGenerator[bytes]:
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


async def _stream(chunks: AsyncGenerator[bytes], body: bytes = b"") -> int:
    return (await Receiver(Taken(), SECRET).receive_stream("POST", signed(body), chunks)).status


@pytest.mark.asyncio
async def test_a_body_is_read_up_to_one_mebibyte() -> None:
    """A body of 1 MiB is received; with one byte more it is a 413."""
    body = event_body(size=MIB)
    assert await _stream(_chunks(*[body[n : n + 65_536] for n in range(0, MIB, 65_536)]), body) == 200
    assert await _stream(_chunks(body, b" "), body + b" ") == 413


@pytest.mark.asyncio
async def test_an_endless_body_is_not_read_on() -> None:
    """Nothing is read beyond the chunk that passes the limit."""
    read = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield b" " * 65_536

    assert await _stream(endless()) == 413
    assert read == MIB + 65_536


@pytest.mark.asyncio
async def test_a_slow_body_is_given_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A body that is not complete in time is a 408, although its bytes keep coming."""
    monkeypatch.setattr(module, "BODY_SECONDS", 0.02)

    async def dribble() -> AsyncGenerator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b""

    assert await _stream(dribble()) == 408
    assert "the body took more than 0.02 s" in caplog.text


@pytest.mark.asyncio
async def test_a_body_that_arrives_in_parts_is_waited_for() -> None:
    """Parts are waited for, one after the other."""
    body, loop = event_body(), asyncio.get_running_loop()

    async def late() -> AsyncGenerator[bytes]:
        for part in (body[:10], body[10:20], body[20:]):
            arrived = loop.create_future()
            loop.call_soon(arrived.set_result, part)
            yield await arrived

    assert await _stream(late(), body) == 200


@pytest.mark.asyncio
async def test_a_request_that_is_cancelled_while_it_is_read() -> None:
    """The chunks and the caller see the cancellation, and nothing is accepted."""
    seen: list[type[BaseException] | None] = []
    waits, taken = asyncio.Event(), Taken()

    async def stuck() -> AsyncGenerator[bytes]:
        waits.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            seen.append(type(error))
            raise
        yield b""

    request = asyncio.create_task(Receiver(taken, SECRET).receive_stream("POST", signed(b""), stuck()))
    await waits.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert (seen, taken) == ([asyncio.CancelledError], [])


@pytest.mark.asyncio
async def test_a_body_that_breaks_off_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a framework raises when the client disconnects, the part that was read is not used."""
    assert await _stream(_chunks(event_body(), then=ConnectionResetError()), event_body()) == 400
    assert "ConnectionResetError" in caplog.text
