"""Attachments: measured before a send, and written by each attempt."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from linq_async.config import Settings
from linq_async.errors import ClientStateError, UploadError
from linq_async.transport.threads import in_thread, result_of
from linq_async.uploads import BytesSource, ChunkSource, CopySource, Reader, SourceError, Upload, reason_of
from linq_async.wire.body import File

READ_BYTES = 512 << 10
CHECKS = 4
"""How often the progress of a measurement is checked within its time limit."""

T = TypeVar("T")


async def measured(uploads: Iterable[Upload], settings: Settings, is_closed: Callable[[], bool]) -> list[int | None]:
    """Return the sizes of attachments in bytes, with None for an unknown one.

    Raises:
        UploadError: If one cannot be read, makes no progress within the write limit, or takes longer than the call may.
        ClientStateError: If the client is closed meanwhile.
    """
    sizes: list[int | None] = []
    for index, upload in enumerate(uploads):
        try:
            sizes.append(upload.measure() if upload.in_memory else await _measure(upload, settings, is_closed))
        except UploadError as error:
            failed = error.at(index)
        else:
            continue
        raise failed
    return sizes


async def _measure(upload: Upload, settings: Settings, is_closed: Callable[[], bool]) -> int | None:
    """Measure in a thread. One that is stuck is abandoned: it delays only this send."""
    stalled = math.inf if settings.timeouts.write is None else settings.timeouts.write
    within = settings.retry.max_elapsed
    measuring, loop = in_thread(upload.measure), asyncio.get_running_loop()
    waiting = asyncio.wrap_future(measuring)
    moved, progress = loop.time(), upload.source.progress
    end = moved + within
    try:
        while True:
            await asyncio.wait({waiting}, timeout=min(stalled / CHECKS, within / CHECKS, 1.0))
            now = loop.time()
            if measuring.done():  # even if the loop was too busy to notice
                return measuring.result()
            if is_closed():
                raise ClientStateError("the client was closed while an attachment was read")
            if upload.source.progress != progress:
                moved, progress = now, upload.source.progress
            if now >= moved + stalled:
                raise UploadError(upload.filename, f"cannot be read: nothing came for {stalled:g} s")
            if now >= end:
                raise UploadError(upload.filename, f"cannot be read within {within:g} s")
    finally:
        waiting.cancel()  # and the call, if it has not started


class AttachmentWriter:
    """Writes the attachments of one attempt. ``write`` waits until the transport has taken a piece."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self.waits_for: Upload | None = None
        """The attachment whose next bytes it waits for; None while it waits for the server."""

    async def write(self, file: File) -> None:
        """Write one attachment. Raises UploadError if it cannot be read or does not have the measured size."""
        source = file.upload.source
        if isinstance(source, BytesSource | CopySource):
            await self._write(source.data)
        elif isinstance(source, ChunkSource):
            await self._write_stream(file, source)
        else:
            assert file.size is not None
            await self._write_from_disk(file.upload, file.size)

    async def _write_stream(self, file: File, source: ChunkSource) -> None:
        """Write a stream of the caller, which must have its declared size and not be shorter than before."""
        sent, size, upload = 0, file.size, file.upload
        async with _started(upload, source) as chunks:
            while (chunk := await self._next(upload, chunks)) is not None:
                sent += len(chunk)
                if size is not None and sent > size:
                    raise UploadError(upload.filename, f"gives more than the {size} bytes that were declared")
                file.most = max(file.most, sent)
                await self._write(chunk)
        if size is not None and sent < size:
            raise UploadError(upload.filename, f"gives {sent} of the {size} bytes that were declared")
        if sent < file.most:
            raise UploadError(upload.filename, f"gives {sent} bytes, and gave {file.most} on an earlier attempt")

    async def _next(self, upload: Upload, chunks: AsyncIterator[bytes]) -> bytes | None:
        """Return the next chunk, or None at the end. Raises UploadError for anything that the stream raises."""
        self.waits_for = upload
        try:
            chunk: object = await anext(chunks)
        except StopAsyncIteration:
            return None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if self._is_ended(error):
                raise
            raise UploadError(upload.filename, f"cannot be read: {type(error).__name__}") from error
        finally:
            self.waits_for = None
        return _bytes(chunk, upload)

    def _is_ended(self, error: BaseException) -> bool:
        """Return whether the attempt was ended from outside: a stream may raise the same exceptions."""
        if isinstance(error, asyncio.CancelledError):
            return self._task is None or self._task.cancelling() > 0
        return isinstance(error, GeneratorExit) and asyncio.current_task(self._loop) is not self._task

    async def _write_from_disk(self, upload: Upload, size: int) -> None:
        """Write a file, and read each piece in a thread while the one before it is sent."""
        reader = await self._opened(upload, size)
        ahead = in_thread(_read, reader, upload, min(READ_BYTES, size))
        try:
            while size:
                data = await self._from_thread(upload, ahead)
                size -= len(data)
                if size:
                    ahead = in_thread(_read, reader, upload, min(READ_BYTES, size))
                await self._write(data)
        finally:
            ahead.add_done_callback(lambda _: reader.close())  # not while a thread is reading

    async def _opened(self, upload: Upload, size: int) -> Reader:
        opening = in_thread(upload.open, size)
        try:
            return await self._from_thread(upload, opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)
            raise

    async def _from_thread(self, upload: Upload, future: Future[T]) -> T:
        self.waits_for = upload
        try:
            return await result_of(future)
        except SourceError as error:
            reason = reason_of(error)
        finally:
            self.waits_for = None
        raise UploadError(upload.filename, reason)


def _read(reader: Reader, upload: Upload, size: int) -> bytes:
    if not size:
        return b""
    try:
        data = reader.read(size)
    except (OSError, ValueError) as error:
        raise UploadError(upload.filename, reason_of(error)) from None
    if not data:
        raise UploadError(upload.filename, "became shorter while it was sent")
    return data


def _close_unused(opening: Future[Reader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _bytes(chunk: object, upload: Upload) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, bytearray | memoryview):
        return bytes(cast("bytearray", chunk))
    raise UploadError(upload.filename, f"gives {type(chunk).__name__}, not bytes")


@asynccontextmanager
async def _started(upload: Upload, source: ChunkSource) -> AsyncGenerator[AsyncIterator[bytes]]:
    """Start a stream of the caller, and close it at the end if it is an asynchronous generator."""
    chunks = _start(upload, source)
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await _close(upload, cast("AsyncGenerator[bytes]", chunks))


def _start(upload: Upload, source: ChunkSource) -> AsyncIterator[bytes]:
    try:
        return source.open()
    except Exception as error:  # noqa: BLE001  # the function of the caller may raise anything
        reason, cause = reason_of(error), None if isinstance(error, SourceError) else error
    raise UploadError(upload.filename, reason) from cause


async def _close(upload: Upload, chunks: AsyncGenerator[bytes]) -> None:
    try:
        await chunks.aclose()
    except Exception as error:  # from the clean-up of the caller
        raise UploadError(upload.filename, f"cannot be closed: {type(error).__name__}") from error
