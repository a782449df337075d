"""Webhook requests as Linq sends them, a bot that counts, and real servers on the loopback interface."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import socket
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from aiohttp import web

from linq_async import LinqClient
from linq_async.webhooks import WebhookEvent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette's test client warns of its own dependency
    from starlette.testclient import TestClient

SECRET = "secret-of-the-tests"
PATH = "/linq/webhooks"
CANARY_NUMBER = "+15550137137"
CANARY_TEXT = "canary-text-9c2d"


def event_body(event_id: str = "evt-1", size: int = 0) -> bytes:
    """Return the body of a message.received, padded to a size with spaces within the JSON."""
    event = {
        "api_version": "v2",
        "event_type": "message.received",
        "event_id": event_id,
        "created_at": "2026-01-30T12:00:00Z",
        "data": {"id": "7", "chat_id": "45", "from_phone": CANARY_NUMBER, "text": CANARY_TEXT},
    }
    body = json.dumps(event).encode()
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


def signature(body: bytes, secret: str = SECRET) -> str:
    """Return the value of the header, computed without the package."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a request with this body."""
    return {"X-Webhook-Signature": signature(body, secret), "Content-Type": "application/json"}


class CountingBot:
    """Has what adapters need of a dispatcher, and notes in which order things happen."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.linq: LinqClient | None = None

    @asynccontextmanager
    async def running(self, linq: LinqClient, state: None) -> AsyncGenerator[None]:
        """Note the start, and at the end whether the client is still open."""
        self.linq = linq
        self.noted.append(f"running with {state}")
        yield
        self.noted.append(f"drained, client {self.client}")

    async def accept(self, event: WebhookEvent) -> None:
        """Note the event."""
        self.noted.append(event.event_id)

    @property
    def client(self) -> str:
        """Whether the client is open or closed."""
        return repr(self.linq).rpartition(" ")[2].rstrip(">")


class _Server(uvicorn.Server):
    """Stops at once, and not at its next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait until the test ends."""
        await self.stop.wait()


@asynccontextmanager
async def uvicorn_server(app: Any) -> AsyncGenerator[str]:
    """Serve an ASGI application with uvicorn, and return its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(uvicorn.Config(app, lifespan="on", log_config=None, ws="none"))
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.stop.set()
            await serving


@asynccontextmanager
async def aiohttp_server(app: web.Application) -> AsyncGenerator[str]:
    """Serve an aiohttp application, and return its URL. After a refusal it reads on for a moment, by default 10 s."""
    runner = web.AppRunner(app, lingering_time=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def deliver(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Send a webhook request, and return the status and the body of the response."""
    body = event_body() if body is None else body
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(body), headers=signed(body) if headers is None else headers) as response,
    ):
        return response.status, await response.read()


def starlette_client(app: Any) -> Any:
    """Return Starlette's test client, which runs the lifespan in a ``with`` block. Its types are not known."""
    return TestClient(app)
