"""Receivers of webhooks: real servers on loopback that record what is delivered to them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import web

from linq_async.sandbox import Sandbox

SECRET = "sandbox-secret"
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@attrs.frozen
class Received:
    """One request to a receiver."""

    headers: Any
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The text of the message."""
        text: str = self.event["data"]["text"]
        return text


@attrs.define(eq=False)
class RecordingReceiver:
    """Answers each request with the next status, and with 200 once there are no more."""

    url: str = ""
    statuses: list[int] = attrs.field(factory=list[int])
    received: list[Received] = attrs.field(factory=list[Received])
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    gate: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Requests are answered once it is set."""
    arrived: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(0))
    running: int = 0
    most: int = 0
    """How many requests there were at the same time."""

    @property
    def types(self) -> list[str]:
        return [one.event["event_type"] for one in self.received]

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.received]

    async def answer(self, request: web.Request) -> web.Response:
        self.received.append(Received(request.headers.copy(), await request.read()))
        self.running += 1
        self.most = max(self.most, self.running)
        self.arrived.release()
        await self.gate.wait()
        self.running -= 1
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, headers=self.headers)

    async def arrivals(self, count: int) -> None:
        """Wait for so many requests."""
        async with asyncio.timeout(5):
            for _ in range(count):
                await self.arrived.acquire()


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncGenerator[RecordingReceiver]:
    """Run a receiver whose gate is open."""
    receiver = RecordingReceiver(statuses=list(statuses))
    receiver.gate.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.gate.set()
        await runner.cleanup()


@asynccontextmanager
async def raw_receiver(handler: RawHandler) -> AsyncGenerator[str]:
    """Run a server that answers as a function does, and give its URL. Connections end with the function."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
        except ConnectionError:
            pass  # the sandbox has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


async def subscribed(sandbox: Sandbox, url: str, *events: str) -> int:
    """Subscribe to events, by default to received messages, and return the id of the subscription."""
    subscription = await sandbox.subscribe(url, secret=SECRET, events=events or ("message.received",))
    return subscription.id


def expected_signature(body: bytes) -> str:
    """Sign a body by the rule of the documentation."""
    return "sha256=" + hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
