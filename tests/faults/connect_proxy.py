"""A proxy on loopback that opens tunnels: it keeps the bytes that ask for them, and connects each to one server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy:
    """Answers each CONNECT with the next reply of the script, or opens a tunnel to a port, whatever host is named."""

    def __init__(self, port: int, *script: bytes) -> None:
        self.script = list(script)
        self.heads: list[bytes] = []
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def seen(self) -> bytes:
        """All that it could read before the tunnels opened."""
        return b"".join(self.heads)

    @property
    def address(self) -> str:
        """Host and port of the listener."""
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        """Its address, as clients take it."""
        return f"http://{self.address}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            try:
                await self._open(reader, writer)
            finally:
                writer.close()

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        if self.script:
            writer.write(self.script.pop(0))
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(ESTABLISHED)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pour(reader, far_writer))
                group.create_task(_pour(far_reader, writer))
        finally:
            far_writer.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
