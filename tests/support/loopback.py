"""A small HTTP server on loopback that records requests and responds as scripted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

CREATED_CHAT: dict[str, Any] = {
    "data": {
        "id": 45,
        "display_name": "John Doe",
        "service": "iMessage",
        "group": False,
        "chat_handles": [
            {
                "id": 123,
                "phone_number": "+15551234567",
                "service": "iMessage",
                "joined_at": "2025-05-21T15:30:00.000-05:00",
            },
            {
                "id": 124,
                "phone_number": "+15559876543",
                "service": "iMessage",
                "joined_at": "2025-05-21T15:30:00.000-05:00",
            },
        ],
        "chat_messages": {
            "id": 16470817,
            "text": "Hello! This is a sample message from Linq API v2.",
            "sent_at": "2025-10-23T13:07:55.019-05:00",
            "delivered_at": None,
            "delivery_status": "pending",
            "is_read": False,
            "attachments": [
                {
                    "id": "abc12345-1234-5678-9abc-def012345678",
                    "url": "https://storage.googleapis.com/linq-files/attachments/abc123.pdf",
                    "filename": "document.pdf",
                    "mime_type": "application/pdf",
                    "file_size": 12345,
                }
            ],
        },
    }
}
"""The answer that the page "Create Chat" documents."""


@dataclass(frozen=True)
class Seen:
    """A request, as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    connection: int

    @property
    def json(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.body)

    @property
    def key(self) -> str | None:
        """The idempotency key in a JSON body."""
        found: str | None = self.json["message"].get("idempotency_key")
        return found


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def encode(self) -> bytes:
        """Spell it, with its length unless the headers state one."""
        fields = {"Content-Length": str(len(self.body)), "Content-Type": "application/json", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Status\r\n{head}\r\n".encode() + self.body


def replied(value: object, status: int = 200, **headers: str) -> Reply:
    """Answer with a JSON value; header names have _ for -."""
    return Reply(status, json.dumps(value).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


def refused(status: int, code: str = "refused", **headers: str) -> Reply:
    """Answer in the API's own error format."""
    return replied({"errors": [{"status": status, "code": code, "title": "T", "detail": "D"}]}, status, **headers)


CREATED = replied(CREATED_CHAT, 201)
HANG_UP = None
Step: TypeAlias = "Reply | bytes | Callable[[Seen], Awaitable[Reply | bytes | None]] | None"


class Loopback:
    """Takes one step of the script for each request, then ``default``. Bytes are written raw, and end the line."""

    def __init__(self, *script: Step, default: Step = CREATED, tls: ssl.SSLContext | None = None) -> None:
        self.script: list[Step] = list(script)
        self.tls = tls
        self.default = default
        self.seen: list[Seen] = []
        self.connections = 0
        self.arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Base URL of the server."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Port of the server."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def keys(self) -> list[str | None]:
        """The keys of all requests, in their order."""
        return [request.key for request in self.seen]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24, backlog=512, ssl=self.tls)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def holding(self, count: int) -> None:
        """Wait until this many requests have arrived."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.seen) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            try:
                await self._talk(reader, writer, self.connections)
            finally:
                writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while True:
            request = await _read(reader, connection)
            self.seen.append(request)
            step = self.script.pop(0) if self.script else self.default
            async with self.arrived:
                self.arrived.notify_all()
            answer = await step(request) if callable(step) else step
            if answer is not None:
                writer.write(answer if isinstance(answer, bytes) else answer.encode())
                await writer.drain()
            if not isinstance(answer, Reply):
                return


async def _read(reader: asyncio.StreamReader, connection: int) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    chunked = headers.get("transfer-encoding") == "chunked"
    body = await (_chunks(reader) if chunked else reader.readexactly(int(headers.get("content-length", "0"))))
    return Seen(method, target, headers, body, connection)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return bytes(body)
