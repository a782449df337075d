"""The body of one attempt, as a payload that aiohttp writes.

It knows whether anything may have been sent, moves the timeout of the attempt on, and keeps the cause if an attachment
cannot be read, which aiohttp reports as a lost connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import hdrs, payload
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict, istr

from linq_async.errors import UploadError
from linq_async.transport.attachments import AttachmentWriter
from linq_async.transport.idle import is_stale
from linq_async.transport.timeout import AttemptTimeout
from linq_async.wire.body import NO_BODY, Body, File, Json, Multipart

CHUNK_BYTES = 512 << 10
AT_ONCE_BYTES = 32 << 10
"""A body up to this size is handed over in one piece. Of a larger one, aiohttp waits for the transport to take it."""


class AttemptPayload(payload.Payload):
    """Writes a body once. Each attempt has a payload of its own."""

    _autoclose = True
    _transport: asyncio.WriteTransport | None = None
    may_have_sent: bool = False
    """Whether anything may have reached the server. Set before the first byte, so that it is never wrongly False."""
    pooled: bool = False
    """Whether the connection may have carried an earlier request."""
    stale: bool = False
    """Whether the server had closed it, or written on it, while it was idle. Then nothing was sent on it."""
    fully_written: bool = False
    """Whether the whole body was handed to the transport."""
    failure: UploadError | None = None
    """Why an attachment could not be read, if that is what ended the attempt."""
    skipped_headers: tuple[istr, ...] | None = None
    """The headers that aiohttp must not add: an empty body has no media type."""
    _file: File | None = None
    _attachments: AttachmentWriter | None = None

    def __init__(self, body: Body, timeout: AttemptTimeout) -> None:
        super().__init__(None, content_type=body.content_type)
        self._body = body
        self._timeout = timeout
        self._size = body.size
        if body is NO_BODY:
            self.skipped_headers = (hdrs.CONTENT_TYPE,)

    @property
    def took_idle(self) -> bool:
        """Whether the pool may have one idle connection less because of it."""
        return self.pooled and (self.stale or self._transport is not None)

    def with_content_type(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """Return headers with the media type of the body, which replaces the one that an external session sends."""
        if self._body is NO_BODY:
            return headers
        return CIMultiDict({**headers, hdrs.CONTENT_TYPE: self.content_type})

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Raise TypeError: a body is written, never shown."""
        raise TypeError("a body is not decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body, which has the declared length."""
        stream: Any = writer
        transport, protocol = stream.transport, stream.protocol
        if protocol.should_close or (self.pooled and is_stale(protocol, transport)):
            self.stale = self.pooled
            if transport is not None:
                transport.abort()
            raise ConnectionResetError("the connection was closed, or written on, before the request")
        self._transport = transport
        self.may_have_sent = True
        body = self._body
        if isinstance(body, Json) and len(body.data) <= AT_ONCE_BYTES:
            await writer.write(body.data)
            self.fully_written = True
            self._timeout.body_sent()
            return
        # If the last write fails, of headers or of the end of a chunked body, aiohttp leaves the exception to the loop.
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        if body is not NO_BODY:
            self._timeout.watch(transport, self._blame_attachment)
            self._timeout.body_progress()
        if isinstance(body, Json):
            await self._write_bytes(writer, body.data)
        elif isinstance(body, Multipart):
            await self._write_parts(writer, body)
        self.fully_written = True
        self._timeout.body_sent()

    def abort(self) -> None:
        """Drop the connection. Closing it would wait for a server that may never read."""
        if self._transport is not None:
            self._transport.abort()

    async def _write_parts(self, writer: AbstractStreamWriter, body: Multipart) -> None:
        self._attachments = attachments = AttachmentWriter(lambda data: self._write_bytes(writer, data))
        for part in body.parts:
            if isinstance(part, bytes):
                await self._write_bytes(writer, part)
                continue
            self._file = part
            try:
                await attachments.write(part)
            except UploadError as error:
                self.failure = error.at(part.index)
                self.failure.__cause__ = error.__cause__
                raise

    def _blame_attachment(self, seconds: float) -> None:
        """Note the attachment that the write waits for: the server is not at fault, and a retry would not help."""
        waits_for = None if self._attachments is None else self._attachments.waits_for
        if waits_for is not None and self._file is not None:
            reason = f"cannot be read: nothing came for {seconds:g} s"
            self.failure = UploadError(waits_for.filename, reason).at(self._file.index)

    async def _write_bytes(self, writer: AbstractStreamWriter, data: bytes) -> None:
        if len(data) <= CHUNK_BYTES:
            await self._send(writer, data)
            return
        view = memoryview(data)
        for start in range(0, len(data), CHUNK_BYTES):
            await self._send(writer, bytes(view[start : start + CHUNK_BYTES]))

    async def _send(self, writer: AbstractStreamWriter, data: bytes) -> None:
        await writer.write(data)
        self._timeout.body_progress()
