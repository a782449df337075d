"""Plain HTTP calls of the control calls, and a reader of their events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from linq_async.sandbox import Sandbox

from .calls import Reply


@attrs.frozen
class Control:
    """Calls paths below `/_sandbox`, without a token."""

    session: aiohttp.ClientSession

    async def __call__(self, method: str, path: str, body: object = None, **options: Any) -> Reply:
        if method != "GET":
            options["json"] = {} if body is None else body
        async with self.session.request(method, "/_sandbox" + path, **options) as response:
            return Reply(response.status, await response.read(), response.headers)

    async def data(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Return the JSON of a call that works."""
        reply = await self(method, path, body, **options)
        assert reply.status == 200, reply.body
        return reply.json


@asynccontextmanager
async def controlling(sandbox: Sandbox) -> AsyncGenerator[Control]:
    """Call a sandbox as its page does."""
    async with aiohttp.ClientSession(sandbox.base_url) as session:
        yield Control(session)


@attrs.frozen
class FeedEvent:
    """One server-sent event."""

    name: str
    id: str
    data: Any


async def feed_events(response: aiohttp.ClientResponse) -> AsyncIterator[FeedEvent]:
    """Yield the events of a feed, without its comments."""
    while True:
        block = (await response.content.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line[1:])
        if "data" in fields:
            yield FeedEvent(fields.get("event", "message"), fields["id"], json.loads(fields["data"]))


@asynccontextmanager
async def following(control: Control, since: str) -> AsyncGenerator[AsyncIterator[FeedEvent]]:
    """Follow the events after a position."""
    async with control.session.get("/_sandbox/events", params={"since": since}) as response:
        assert response.status == 200
        yield feed_events(response)
