"""What a server responds to a webhook request. Every adapter for a web framework calls this."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any, TypeAlias

import attrs

from linq_async.arguments import webhook_secrets
from linq_async.errors import LinqError, WebhookVerificationError
from linq_async.webhooks.events import WebhookEvent, event_key
from linq_async.webhooks.inbox import HandlerFailedError, InboxError, NotAcceptedError
from linq_async.webhooks.parsing import MAX_BODY_BYTES, unwrap
from linq_async.webhooks.signature import SIGNATURE_HEADER, Headers, Secret, from_bare_frame, header_values

logger: logging.Logger = logging.getLogger("linq_async.webhooks")

BODY_SECONDS = 10.0
"""The time limit for reading a body: a client that sends slowly must not keep a connection for longer."""
Accept: TypeAlias = Callable[[WebhookEvent], Awaitable[object]]
"""A coroutine function that takes an event, and returns once the event is safe: stored, enqueued or handled."""


@attrs.frozen
class Answer:
    """The response to a webhook request."""

    status: int
    """The HTTP status."""
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    """The headers, without Content-Length."""
    body: bytes = b""
    """The body. Always empty: the sender of the request learns nothing but the status."""


_CLOSE = {"Connection": "close"}
"""For requests whose body is not read to the end: it would be taken for the next request."""


class Receiver:
    """Verifies a webhook request, passes its event to ``accept``, and returns what to respond, in any web framework.

    The response is 200 once ``accept`` has returned, and Linq delivers the event again after any other response.

    Args:
        accept: A coroutine function that takes an event: ``dispatcher.accept``, or your own. It must not return before
            the event is safe: stored, enqueued or handled.
        secret: The secret of the subscription, or several while it is being replaced. By default it is read from
            ``LINQ_WEBHOOK_SECRET`` for each request.

    Raises:
        ConfigurationError: If a secret is given, but is empty.
        TypeError: If ``accept`` cannot be called.
    """

    @from_bare_frame
    def __init__(self, accept: Accept, secret: Secret | None = None) -> None:
        if not callable(accept):
            raise TypeError(f"accept must be a coroutine function that takes an event, not {type(accept).__name__}")
        self._accept = accept
        self._secrets = None if secret is None else webhook_secrets(secret)

    def check(self) -> None:
        """Check that there is a secret, so that a server without one fails when it starts.

        Raises:
            ConfigurationError: If none was given, and the environment has none.
        """
        webhook_secrets(self._secrets)

    async def receive(self, method: str, headers: Headers, body: bytes) -> Answer:
        """Return the response to a request. Every status but 200 is logged, without contents.

        - 200: ``accept`` has returned
        - 401: the signature is missing or wrong
        - 405: the request is not a POST
        - 413: the body is longer than 1 MiB
        - 500: ``accept`` raised, the body is signed but not an event, or there is no secret
        - 503 with Retry-After: the dispatcher has no room, is stopping or is not running

        Args:
            method: The HTTP method.
            headers: All headers: a mapping with names in any case, or pairs of str or bytes.
            body: The body as it was received.

        Raises:
            TypeError: If the body or the headers have the wrong type.
        """
        if method != "POST":
            return _refused(405, "the method is not POST", {"Allow": "POST", **_CLOSE})
        if len(body) > MAX_BODY_BYTES:
            return _refused(413, f"the body is longer than {MAX_BODY_BYTES:,} bytes", _CLOSE)
        try:
            event = unwrap(body, headers, self._secrets)
        except WebhookVerificationError as error:
            return _refused(401, f"{error}{_hint(headers)}")
        except LinqError as error:  # not an event, or no secret
            return _refused(500, str(error), level=logging.ERROR)
        body, headers = b"", ()  # accept() may raise, and tracebacks show the local variables of this frame
        try:
            await self._accept(event)
        except NotAcceptedError as error:
            wait = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
            return _refused(503, f"{event_key(event)}: {error}", wait)
        except (InboxError, HandlerFailedError) as error:  # the dispatcher has logged what the handler raised
            return _refused(500, f"{event_key(event)}: {error}", level=logging.ERROR)
        except Exception:  # whatever it is, the event was not taken
            logger.exception("webhook request refused with 500: %s: accept() raised", event_key(event))
            return Answer(500)
        return Answer(200)

    async def receive_stream(self, method: str, headers: Headers, chunks: AsyncIterable[bytes]) -> Answer:
        """Return the response to a request whose body is still to be read. Reads no more than 1 MiB, for at most 10 s.

        The response is 408 if the body takes longer, 400 if it ends early, and otherwise that of ``receive``.
        """
        try:
            body = await _within(BODY_SECONDS, _read(chunks))
        except TimeoutError:
            return _refused(408, f"the body took more than {BODY_SECONDS:g} s", _CLOSE)
        except Exception as error:  # noqa: BLE001  # every framework raises errors of its own
            return _refused(400, f"the body cannot be read: {type(error).__name__}", _CLOSE)
        return await self.receive(method, headers, body)


async def _read(chunks: AsyncIterable[bytes]) -> bytes:
    """Return a body. Stops once it is too long."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body)


async def _within(seconds: float, coroutine: Coroutine[object, Any, bytes]) -> bytes:
    """Run a coroutine with a time limit, whose timer is only started if the coroutine has to wait.

    Most bodies have arrived whole. A timer for each would cost more than to verify its signature.
    """
    try:
        waits_for = coroutine.send(None)
        async with asyncio.timeout(seconds):
            while True:
                try:
                    sent = await _Waiting(waits_for)
                except BaseException as error:  # noqa: BLE001  # it belongs to the coroutine, as a cancellation does
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(sent)
    except StopIteration as ended:
        result: bytes = ended.value
        return result


@attrs.frozen
class _Waiting:
    """Waits for a future as the coroutine does that has returned it to the loop."""

    future: object

    def __await__(self) -> Generator[object, Any, Any]:
        return (yield self.future)


def _refused(
    status: int, reason: str, headers: Mapping[str, str] | None = None, level: int = logging.WARNING
) -> Answer:
    logger.log(level, "webhook request refused with %d: %s", status, reason)
    return Answer(status, dict(headers or {}))


def _hint(headers: Headers) -> str:
    """Return what to do about a signature that looks like those of v3, or nothing."""
    bare = any(re.fullmatch("[0-9a-fA-F]{64}", value) for value in header_values(headers, SIGNATURE_HEADER.lower()))
    if not bare and not header_values(headers, "x-webhook-timestamp"):
        return ""
    return ". This looks like a subscription of API v3, which signs in another way: create it with API v2"
