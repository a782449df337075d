"""One accepted connection under exact control: nothing is read or written that nobody asked for."""

import asyncio
import contextlib
import socket
import struct

READ_SIZE = 1 << 18


class ClientGoneError(Exception):
    """The client ended the connection while something was being sent to it."""


class Wire(asyncio.BufferedProtocol):
    """Reads on demand, at most as many bytes as asked; closes by FIN or by RST."""

    transport: asyncio.Transport

    def __init__(self, *, tls: bool) -> None:
        self.received = bytearray()
        self.ended = False
        self.finished = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tls = tls
        self._space = bytearray(READ_SIZE)
        self._limit = READ_SIZE
        self._readable: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    async def fill(self, limit: int = READ_SIZE) -> bool:
        """Wait for bytes, take at most `limit` of them; False when the client has ended its side."""
        if self.ended or self.transport.is_closing():
            return False
        before = len(self.received)
        self._limit = limit
        self._readable = asyncio.get_running_loop().create_future()
        self.transport.resume_reading()
        await self._readable
        return len(self.received) > before

    async def take(self, size: int) -> bytes | None:
        """Return the next `size` bytes, or None when the client ended before them."""
        while len(self.received) < size:
            if not await self.fill():
                return None
        return self.cut(size)

    async def take_line(self) -> bytes | None:
        """Return the next line without its CRLF, or None when the client ended before it."""
        while (end := self.received.find(b"\r\n")) < 0:
            if not await self.fill():
                return None
        return self.cut(end + 2)[:-2]

    def cut(self, size: int) -> bytes:
        """Up to `size` bytes that have arrived already."""
        piece = bytes(self.received[:size])
        del self.received[:size]
        return piece

    async def send(self, data: bytes) -> None:
        """Write `data` and wait until the client keeps up; raise ClientGoneError when it has left."""
        if self.transport.is_closing():
            raise ClientGoneError
        self.transport.write(data)
        await self._writable.wait()
        if self.lost.done():
            raise ClientGoneError

    async def gone(self) -> None:
        """Discard what arrives until the client ends its side."""
        while await self.fill():
            self.received.clear()

    def finish(self) -> None:
        """End our sending side and keep reading (a TLS connection closes whole)."""
        self.finished = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def close(self) -> None:
        """Close with a FIN, after what was written has gone out."""
        self.transport.close()

    def reset(self) -> None:
        """Close with an RST and drop what was not sent."""
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    @property
    def usable(self) -> bool:
        """Whether a further request could still be answered."""
        return not (self.finished or self.transport.is_closing())

    @property
    def socket(self) -> socket.socket:
        found: socket.socket = self.transport.get_extra_info("socket")
        return found

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return memoryview(self._space)[: min(self._limit, READ_SIZE)]

    def buffer_updated(self, nbytes: int) -> None:
        self.received += memoryview(self._space)[:nbytes]
        self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return not self._tls

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended = True
        self._writable.set()
        self._wake()
        if not self.lost.done():
            self.lost.set_result(None)

    def _wake(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)
