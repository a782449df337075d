"""The body of one attempt, as aiohttp writes it.

It says whether anything has left, moves the attempt's clock, and keeps the true cause of a failure to read an
attachment, which aiohttp disguises as a lost connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import hdrs, payload
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from linq_async.errors import UploadError
from linq_async.transport.attachments import AttachmentWriter
from linq_async.transport.clock import AttemptClock
from linq_async.transport.idle import is_stale
from linq_async.wire.body import NO_BODY, Body, File, Json, Multipart

CHUNK_BYTES = 512 << 10
AT_ONCE_BYTES = 32 << 10
"""So much, with its headers, is handed over in one piece; of more, aiohttp waits until the transport has taken it."""


def _retrieve_failure() -> None:
    """Look at what the task that writes ends in: aiohttp does not if its own last write fails, and the loop reports it.

    That write sends the headers of a request without a body, and the end of a chunked one. Small JSON has none.
    """
    task = asyncio.current_task()
    if task is not None:
        task.add_done_callback(lambda done: None if done.cancelled() else done.exception())


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
    _file: File | None = None
    attachments: AttachmentWriter | None = None
    """Writes the attachments, once it has come to them."""

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
            self.out = True
            self._clock.body_is_out()
            return
        _retrieve_failure()
        if recipe is not NO_BODY:
            self._clock.watch_over(transport, self._stands_still)
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
        self.attachments = attachments = AttachmentWriter(lambda data: self._write_bytes(writer, data))
        for part in recipe.parts:
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

    def _stands_still(self, seconds: float) -> None:
        """Take note of the attachment that gives no bytes: that is not the server's fault, and no repetition helps."""
        waits_for = None if self.attachments is None else self.attachments.waits_for
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
        self._clock.body_moves()
