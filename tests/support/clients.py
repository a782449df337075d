"""What many tests start from: clients, pipelines on a given clock, and a message."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from linq_async import APIError, Attempt, LinqClient, LinqError, NewChat, RetryPolicy, Timeouts
from linq_async.config import Settings
from linq_async.pipeline import Pipeline
from linq_async.transport.session import Transport
from linq_async.wire.request import RawResponse, Request
from linq_async.wire.response import refusal

from .clock import Clock
from .loopback import Loopback

T = TypeVar("T")

TOKEN = "token-of-the-tests"
TEXT = "Hello! This is a sample message from Linq API v2."
MESSAGE: dict[str, Any] = {
    "send_from": "+15175269229",
    "phone_numbers": ["+15551234567", "+15559876543"],
    "text": TEXT,
}
"""What the answer of the page "Create Chat" shows."""
ONCE = RetryPolicy.none()
AT_ONCE = RetryPolicy(initial_delay=0.0)


def client_of(server: Loopback, **options: Any) -> LinqClient:
    """Make a client of a server."""
    return LinqClient(TOKEN, base_url=server.url, **options)


async def failure_of(call: Awaitable[object]) -> LinqError:
    """Return the LinqError that a call ends in."""
    with pytest.raises(LinqError) as caught:
        await call
    return caught.value


def refusal_of(raw: RawResponse, now: float = 0.0, **options: Any) -> APIError:
    """Return the error that an answer to a create becomes."""
    request = Request(operation="chats.create", method="POST", path="/x", body=NewChat(**MESSAGE))
    error = refusal(raw, now, request, Settings(token=TOKEN, base_url="http://127.0.0.1", **options))
    assert error is not None
    return error


@pytest.fixture
def clock() -> Clock:
    """Give a clock that each sleep moves."""
    return Clock()


@asynccontextmanager
async def piped(
    server: Loopback,
    clock: Clock,
    *,
    max_connections: int = 100,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
    timeouts: Timeouts = Timeouts(),  # noqa: B008
    random: Callable[[], float] = lambda: 0.5,
    on_attempt: Callable[[Attempt], None] | None = None,
) -> AsyncGenerator[Pipeline]:
    """Make a pipeline whose waits take no time."""
    settings = Settings(
        token=TOKEN,
        base_url=server.url,
        retry=retry,
        timeouts=timeouts,
        on_attempt=on_attempt,
        timing=clock.timing(random),
    )
    transport = Transport(settings, max_connections=max_connections, session=None)
    try:
        yield Pipeline(transport, settings)
    finally:
        await transport.aclose()
