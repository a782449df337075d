"""A raw HTTP server on loopback that records every body, and rejects, resets or stalls as scripted."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

CREATED_CHAT: dict[str, Any] = {
    "data": {
        "id": 45,
        "chat_handles": [],
        "chat_messages": {"id": 16470817, "text": "Hello!", "attachments": []},
    }
}
MIDWAY = 100
"""How many bytes of a body are read before the connection is reset: less than any body has."""


class Step(enum.Enum):
    """The step of the server for one request."""

    CREATE = "reads all, answers 201"
    BUSY = "reads all, answers 503"
    RESET = "resets in the middle of the body"
    EARLY_CLOSE = "answers 503 before it reads the body, and closes"
    EARLY_OPEN = "answers 503 before it reads the body, and reads on"
    EARLY_STALL = "answers 503 before it reads the body, and neither reads nor closes"
    STALL = "stops reading in the middle of the body"


@dataclass
class Recorded:
    """A request, as far as it was read."""

    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    chunked: bool = False

    @property
    def json(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.body)


class Recorder:
    """Takes one step of the script per request, then responds with 201."""

    def __init__(self, script: Iterable[Step] = ()) -> None:
        self.script = list(script)
        self.seen: list[Recorded] = []
        self.stalled = asyncio.Event()
        self._release = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.shut()
        await self.idle()

    def shut(self) -> None:
        """Accept no further connections."""
        self._server.close()

    async def idle(self) -> None:
        """Wait until every connection has ended."""
        self._release.set()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether the connection can be reused."""
        headers = _headers(await reader.readuntil(b"\r\n\r\n"))
        request = Recorded(headers, chunked=headers.get("transfer-encoding") == "chunked")
        self.seen.append(request)
        step = self.script.pop(0) if self.script else Step.CREATE
        if step in {Step.RESET, Step.STALL}:
            request.body = await reader.readexactly(MIDWAY)
            return await self._break(step, writer)
        if step in {Step.EARLY_CLOSE, Step.EARLY_OPEN, Step.EARLY_STALL}:
            writer.write(_answer(503, close=step is Step.EARLY_CLOSE))
            await writer.drain()
            if step is Step.EARLY_STALL:
                return await self._break(step, writer)
            if step is Step.EARLY_CLOSE:
                return False
        request.body = await _body(reader, request)
        if step is not Step.EARLY_OPEN:
            writer.write(_answer(503 if step is Step.BUSY else 201))
            await writer.drain()
        return True

    async def _break(self, step: Step, writer: asyncio.StreamWriter) -> bool:
        if step is not Step.RESET:
            self.stalled.set()
            await self._release.wait()
        wire: socket.socket = writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("ascii").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, request: Recorded) -> bytes:
    if not request.chunked:
        return await reader.readexactly(int(request.headers["content-length"]))
    found = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        found += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return bytes(found)


def _answer(status: int, *, close: bool = False) -> bytes:
    body = json.dumps(CREATED_CHAT if status == 201 else {"errors": []}).encode()
    ending = "Connection: close\r\n" if close else ""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{ending}\r\n"
    return head.encode() + body
