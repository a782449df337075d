"""A server that sends hostile responses: ``python -m benchmarks.hostile_server``.

The base URL selects the response: ``/201/gzip/data/numbers/8 MiB``, each part percent-encoded.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from urllib.parse import unquote

from benchmarks.hostile_bodies import body

FLOODS: dict[str, Callable[[bytes], bytes]] = {
    "the most headers": lambda head: head + b"".join(b"X-Request-Id: %s\r\n" % (b"a" * 7_000) for _ in range(100)),
    "headers without end": lambda head: head + b"X-A: b\r\n" * 1_000_000,
    "a header without end": lambda head: head + b"X-A: " + b"a" * (16 << 20),
    "early answers": lambda head: b"HTTP/1.1 100 Continue\r\n\r\n" * 500_000 + head,
    "early hints": lambda head: (b"HTTP/1.1 103 Early\r\n" + b"Link: a\r\n" * 100 + b"\r\n") * 10_000 + head,
}
"""Builders of what precedes the body, given the status line and the first headers."""


def build_response(target: str) -> bytes:
    """Return the response that the first five parts of the path select."""
    status, coding, place, fill, size = (unquote(part) for part in target.split("/")[1:6])
    content = body(place, fill, size)
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n".encode("ascii")
    if coding == "chunks of a byte":
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in content)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    if coding == "gzip":
        content, head = gzip.compress(content, 1), head + b"Content-Encoding: gzip\r\n"
    if coding in FLOODS:
        head = FLOODS[coding](head)
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


class HostileServer:
    """Responds to requests. The last response is kept, because a client retries a refused request."""

    def __init__(self) -> None:
        self._last = ("", b"")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one connection."""
        try:
            while True:
                await self._respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.partition(":")[2] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        target = head.split(" ", 2)[1]
        if self._last[0] != target:
            self._last = (target, build_response(target))
        writer.write(self._last[1])
        await writer.drain()


async def main() -> None:
    """Serve on a free port, and print the port."""
    server = await asyncio.start_server(HostileServer().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
