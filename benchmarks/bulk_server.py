"""The server of the bulk benchmark: ``python -m benchmarks.bulk_server``. Shows each recipient and text it receives."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime

import orjson

from benchmarks.examples import CREATED, encode
from benchmarks.server import length_of

CHAT = CREATED["data"]


class EchoConnection(asyncio.Protocol):
    """One connection, with sequential requests to create a chat."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to each request that is complete."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if found and len(rest) >= length_of(head):
            self._received = rest[length_of(head) :]
            self._transport.write(created(rest))


def created(body: bytes) -> bytes:
    """Return the response to a request: the documented chat, with the request's recipient and text, stored just now."""
    asked = orjson.loads(body)
    now = datetime.now(UTC)
    shown = {
        **CHAT,
        "chat_handles": [{**CHAT["chat_handles"][0], "phone_number": asked["chat"]["phone_numbers"][0]}],
        "chat_messages": {**CHAT["chat_messages"], "text": asked["message"]["text"], "sent_at": now.isoformat()},
    }
    data = encode({"data": shown})
    head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nDate: {format_datetime(now, usegmt=True)}\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def serve() -> None:
    """Serve on a free port, and print the port."""
    server = await asyncio.get_running_loop().create_server(EchoConnection, "127.0.0.1", 0, backlog=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
