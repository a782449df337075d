"""The body of one attempt, as aiohttp writes it.

It says whether anything has left, moves the attempt's clock, and keeps the true cause of a failure to read an
attachment, which aiohttp disguises as a lost connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from aiohttp import hdrs, payload
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from linq_async.errors import UploadError
from linq_async.transport.clock import AttemptClock
from linq_async.transport.idle import is_stale
from linq_async.uploads import BytesSource, ChunkSource, CopySource, Reader, Upload, reason_of
from linq_async.wire.body import NO_BODY, Body, File, Json, Multipart

CHUNK_BYTES = 512 << 10
AT_ONCE_BYTES = 32 << 10
"""So much, with its headers, is handed over in one piece; of more, aiohttp waits until the transport has taken it."""


class AttemptBody(payload.Payload):
    """A body that follows its recipe anew. One object serves one attempt."""

    _autoclose = True
    _transport: asyncio.WriteTransport | None = None
    left = False
    """Whether anything may have reached the server. Set before the first byte, so that it never wrongly says no."""
    pooled = False
    """Whether the connection may have carried an earlier request."""
    stale = False
    """Whether it had gone bad while it was idle, so that nothing was written to it."""
    out = False
    """Whether the whole body has been handed over."""
    failure: UploadError | None = None
    """Why an attachment could not be read, if that is what ended the attempt."""

    def __init__(self, recipe: Body, clock: AttemptClock) -> None:
        super().__init__(None, content_type=recipe.content_type)
        self._recipe = recipe
        self._clock = clock
        self._size = recipe.size
        self.without_headers = (hdrs.CONTENT_TYPE,) if recipe is NO_BODY else None
        """The headers that aiohttp must not add: nothing has no media type."""

    @property
    def took_idle(self) -> bool:
        """Whether the pool may have one idle connection less because of it."""
        return self.pooled and (self.stale or self._transport is not None)

    def over(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """Return headers with the body's own media type, over what a lent session sends by default."""
        if self._recipe is NO_BODY:
            return headers
        return CIMultiDict({**headers, hdrs.CONTENT_TYPE: self.content_type})

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: a body is written, never shown."""
        raise TypeError("a body is not decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body."""
        stream: Any = writer
        transport = stream.transport
        if stream.protocol.should_close or (self.pooled and is_stale(stream.protocol, transport)):
            self.stale = self.pooled
            if transport is not None:
                transport.abort()
            raise ConnectionResetError("the connection was closed, or written on, before the request")
        self._transport = transport
        self.left = True
        recipe = self._recipe
        if isinstance(recipe, Json) and recipe.size <= AT_ONCE_BYTES:
            await writer.write(recipe.data)
        elif recipe is not NO_BODY:
            self._clock.watch_over(transport)
            self._clock.body_moves()
            await self._write_long(writer)
        self.out = True
        self._clock.body_is_out()

    def abort(self) -> None:
        """Drop the connection now: to close it would wait for a peer that may never read."""
        if self._transport is not None:
            self._transport.abort()

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body, whose length is what was declared."""
        await self.write(writer)

    async def _write_long(self, writer: AbstractStreamWriter) -> None:
        recipe = self._recipe
        if isinstance(recipe, Json):
            await self._write_bytes(writer, recipe.data)
        elif isinstance(recipe, Multipart):
            await self._write_parts(writer, recipe)

    async def _write_parts(self, writer: AbstractStreamWriter, recipe: Multipart) -> None:
        try:
            for part in recipe.parts:
                if isinstance(part, File):
                    await self._write_file(writer, part)
                else:
                    await self._write_bytes(writer, part)
        except UploadError as error:
            self.failure = error
            raise

    async def _write_file(self, writer: AbstractStreamWriter, file: File) -> None:
        source = file.upload.source
        if isinstance(source, BytesSource):
            await self._write_bytes(writer, source.data)
        elif isinstance(source, CopySource):
            await self._write_bytes(writer, source.data())  # at hand, since it was measured
        elif isinstance(source, ChunkSource):
            await self._write_chunks(writer, file.upload, source, file.size)
        elif file.size:
            await self._write_from_disk(writer, file.upload, file.size)

    async def _write_bytes(self, writer: AbstractStreamWriter, data: bytes) -> None:
        if len(data) <= CHUNK_BYTES:
            await self._send(writer, data)
            return
        view = memoryview(data)
        for start in range(0, len(data), CHUNK_BYTES):
            await self._send(writer, bytes(view[start : start + CHUNK_BYTES]))

    async def _send(self, writer: AbstractStreamWriter, data: bytes) -> None:
        await writer.write(data)
        self._clock.body_moves()

    async def _write_chunks(
        self, writer: AbstractStreamWriter, upload: Upload, source: ChunkSource, size: int | None
    ) -> None:
        """Write a caller's stream, and hold it to the size that was declared for it."""
        sent = 0
        async with aclosing(_chunks(upload, source)) as chunks:
            async for chunk in chunks:
                sent += len(chunk)
                if size is not None and sent > size:
                    raise UploadError(upload.filename, f"gives more than the {size} bytes that were declared")
                await self._write_bytes(writer, chunk)
        if size is not None and sent < size:
            raise UploadError(upload.filename, f"gives {sent} of the {size} bytes that were declared")

    async def _write_from_disk(self, writer: AbstractStreamWriter, upload: Upload, size: int) -> None:
        """Write a file, each chunk read in a thread while the one before it goes out."""
        loop = asyncio.get_running_loop()
        reader = await _opened(loop, upload, size)
        ahead = loop.run_in_executor(None, _read, reader, upload, min(CHUNK_BYTES, size))
        try:
            while size:
                data = await asyncio.shield(ahead)  # a cancelled wait must not close the file under the thread
                size -= len(data)
                if size:
                    ahead = loop.run_in_executor(None, _read, reader, upload, min(CHUNK_BYTES, size))
                await self._send(writer, data)
        finally:
            ahead.add_done_callback(lambda done: _close(done, reader))


async def _opened(loop: asyncio.AbstractEventLoop, upload: Upload, size: int) -> Reader:
    opening = loop.run_in_executor(None, upload.open, size)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)
        raise


def _read(reader: Reader, upload: Upload, size: int) -> bytes:
    try:
        data = reader.read(size)
    except (OSError, ValueError) as error:
        raise UploadError(upload.filename, reason_of(error)) from None
    if not data:
        raise UploadError(upload.filename, "has become shorter while it was sent")
    return data


def _close(done: asyncio.Future[bytes], reader: Reader) -> None:
    """Close once no thread reads any more, and take note of a failure that nobody waited for."""
    if not done.cancelled():
        done.exception()
    reader.close()


def _close_unused(opening: asyncio.Future[Reader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _chunks(upload: Upload, source: ChunkSource) -> AsyncGenerator[bytes]:
    """Yield a caller's chunks; whatever goes wrong with them is an UploadError."""
    if source.spent:
        raise UploadError(upload.filename, "can be read only once, and it has been")
    try:
        async with _closing(_started(upload, source)) as chunks:
            async for chunk in chunks:
                yield _bytes(chunk, upload)
    except UploadError:
        raise
    except Exception as error:  # whatever the caller's stream raises: it is local, and never repeated
        raise UploadError(upload.filename, f"cannot be read: {type(error).__name__}") from error


def _bytes(chunk: object, upload: Upload) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, bytearray | memoryview):
        return bytes(cast("bytearray", chunk))
    raise UploadError(upload.filename, f"gives {type(chunk).__name__}, not bytes")


def _started(upload: Upload, source: ChunkSource) -> AsyncIterator[bytes]:
    chunks: object = source.open()
    if isinstance(chunks, AsyncIterator):
        return chunks
    raise UploadError(upload.filename, f"starts with {type(chunks).__name__}, not an async iterator")


@asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes]) -> AsyncGenerator[AsyncIterator[bytes]]:
    """Close a generator with the attempt; other iterators have nothing to close."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await cast("AsyncGenerator[bytes]", chunks).aclose()
