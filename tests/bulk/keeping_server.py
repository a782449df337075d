"""A server for tests that kill the client: it keeps a message only if the client is still there at the response.

A server that keeps everything that arrives would hide results that a killed process has lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Self

import attrs
import orjson

THINKING = 0.15


@attrs.define
class Kept:
    """A message that the server keeps."""

    id: int
    recipient: str
    text: str


class KeepingServer:
    """Keeps one message a key. A share of the requests meets a fault: a 503, or a lost request or response."""

    def __init__(self, faults: float, seed: int = 1) -> None:
        self.kept: dict[str, Kept] = {}
        """The messages by key."""
        self.keys: set[str] = set()
        """The keys of all requests that arrived."""
        self.met: Counter[str] = Counter()
        """How often each fault happened, and responses that nobody received."""
        self.arrival = asyncio.Event()
        """Set when a request arrives."""
        self.thinking = THINKING
        """Seconds: the longest time between a request and its response."""
        self._faults = faults
        self._random = random.Random(seed)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=512)
        self.url: str = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()

    def arrived(self, transport: asyncio.Transport, body: bytes) -> None:
        """Take a request, and respond to it a little later."""
        self.arrival.set()
        asked = orjson.loads(body)
        self.keys.add(asked["message"]["idempotency_key"])
        fault = self._random.choice(["refused", "lost", "stored, lost"]) if self._random.random() < self._faults else ""
        asyncio.get_running_loop().call_later(
            self._random.uniform(0, self.thinking), self._respond, transport, asked, fault
        )

    def _respond(self, transport: asyncio.Transport, asked: dict[str, Any], fault: str) -> None:
        if transport.is_closing():
            self.met["client gone"] += 1
            return
        self.met[fault] += 1
        if fault == "refused":
            transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}")
            return
        response = b"" if fault == "lost" else self._keep(asked)
        if fault:
            transport.abort()
        else:
            transport.write(response)

    def _keep(self, asked: dict[str, Any]) -> bytes:
        key, (recipient,) = asked["message"]["idempotency_key"], asked["chat"]["phone_numbers"]
        kept = self.kept.setdefault(key, Kept(len(self.kept) + 1, recipient, asked["message"]["text"]))
        now = datetime.now(UTC)
        message = {"id": kept.id, "text": kept.text, "sent_at": now.isoformat(), "delivery_status": "pending"}
        handles = [{"id": 1, "phone_number": kept.recipient, "service": "iMessage"}]
        body = orjson.dumps({"data": {"id": kept.id, "chat_handles": handles, "chat_messages": message}})
        date = format_datetime(now, usegmt=True)
        head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: {len(body)}"
        return f"{head}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, server: KeepingServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if found and len(rest) >= size:
            self._received = rest[size:]
            self._server.arrived(self._transport, rest[:size])
