"""A connection that is lost while a request is written: nobody hears of it but the caller."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from linq_async import LinqClient, LinqError, Upload
from tests.support.clients import AT_ONCE, MESSAGE, client_of
from tests.support.loopback import CREATED, Loopback

STEPS = range(12)
CALLS: dict[str, Callable[[LinqClient], Coroutine[Any, Any, object]]] = {
    "GET": lambda linq: linq.request("GET", "/x"),
    "DELETE": lambda linq: linq.request("DELETE", "/x"),
    "JSON": lambda linq: linq.chats.create(**MESSAGE),
    "stream": lambda linq: linq.chats.create(**MESSAGE, attachments=[Upload.from_chunks(_chunks, filename="a.txt")]),
}


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"bytes"
        await asyncio.sleep(0)


def _close_transports(linq: LinqClient) -> None:
    """Close the client's own ends, as the loop does when it learns that the other side has gone."""
    connector: Any = linq._pipeline.transport.pool().session.connector
    for protocol in list(connector._acquired):
        transport = getattr(protocol, "transport", None)
        if transport is not None:
            transport.close()


async def _closed_after(steps: int, call: str, server: Loopback, *, pooled: bool) -> object:
    async with client_of(server, retry=AT_ONCE) as linq:
        if pooled:
            await linq.request("GET", "/first")
        task = asyncio.ensure_future(CALLS[call](linq))
        for _ in range(steps):
            await asyncio.sleep(0)
        _close_transports(linq)
        (ending,) = await asyncio.gather(task, return_exceptions=True)
        return ending


@pytest.mark.asyncio
@pytest.mark.parametrize("pooled", [False, True], ids=["fresh", "pooled"])
@pytest.mark.parametrize(
    "call", ["GET", *[pytest.param(call, marks=pytest.mark.slow) for call in CALLS if call != "GET"]]
)
async def test_a_lost_write_is_reported_once(call: str, pooled: bool) -> None:
    """At whatever step the connection closes, the call succeeds or ends in a LinqError; the loop reports nothing."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with Loopback(default=CREATED) as server:
        for steps in STEPS:
            ended = await _closed_after(steps, call, server, pooled=pooled)
            assert not isinstance(ended, BaseException) or isinstance(ended, LinqError)
            del ended
        gc.collect()  # a task that nobody asked reports when it goes
        await asyncio.sleep(0)
    assert [
        context for context in reported if "client_connected_cb" not in context["message"]
    ] == []  # the server's own
