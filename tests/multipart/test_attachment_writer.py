"""Writing the attachments of one attempt, and failures of the writing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linq_async import Attempt, Upload, UploadError
from linq_async.transport import attachments, threads
from linq_async.transport.attachments import AttachmentWriter
from linq_async.uploads import Reader
from linq_async.wire.body import File

from .kinds import BIG, Workshop, factory
from .recorder import Recorder
from .sending import leaving_nothing, open_descriptors, send, sent_file, settled


async def _take(_: bytes) -> None:
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_cancelled_wait_for_a_stream_stays_cancelled() -> None:
    """Cancelling a task that waits for a stream's next chunk is a CancelledError, not an UploadError."""
    reached = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"first"
        reached.set()
        await asyncio.Event().wait()

    upload = Upload.from_chunks(stream, filename="a.bin")
    writing = asyncio.create_task(_written(upload, None))
    await reached.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


async def _written(upload: Upload, size: int | None, write: Any = _take) -> None:
    await AttachmentWriter(write).write(File(upload, size))


@pytest.mark.asyncio
async def test_a_file_that_is_opened_too_late_is_closed(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelling a task while a thread opens its file is a CancelledError, and the file is closed."""
    begun, release, really = threading.Event(), threading.Event(), Upload.open

    def slowly(upload: Upload, size: int) -> Reader:
        begun.set()
        release.wait()
        return really(upload, size)

    upload, before = Upload.from_path(workshop.file("a.bin")), open_descriptors()
    monkeypatch.setattr(Upload, "open", slowly)
    writing = asyncio.create_task(_written(upload, len(BIG)))
    while not begun.is_set():  # noqa: ASYNC110  # a thread sets no event of the loop
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    release.set()
    assert await settled(lambda: [*(open_descriptors() - before)]) == []


@pytest.mark.asyncio
async def test_an_attempt_without_threads_ends_in_an_upload_error(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread can be started to read a file, the attempt ends in an UploadError."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(attachments, "in_thread", threads.FileThreads().submit)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(UploadError, match="the system can start no thread"):
        await _written(Upload.from_path(workshop.file("a.bin")), len(BIG))


@pytest.mark.asyncio
async def test_a_disk_that_fails_is_an_upload_error(
    server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk error within a file ends the only attempt, with the message of the system."""
    handle, really = workshop.opened("a.bin"), os.pread

    def fail(descriptor: int, size: int, position: int) -> bytes:
        if position > 0 and size > 1:
            raise OSError(5, "secret")
        return really(descriptor, size, position)

    monkeypatch.setattr(os, "pread", fail)
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match=f"cannot be read: {os.strerror(5)}") as caught:
            await send(linq, handle)
    assert caught.value.attempts == 1


@pytest.mark.asyncio
async def test_a_handle_whose_file_grows_is_refused(server: Recorder, workshop: Workshop) -> None:
    """A file that grows after it was measured ends the attempt and leaves no descriptor."""
    handle = workshop.opened("a.bin")

    def grow(attempt: Attempt) -> None:
        if not attempt.finished:
            os.truncate(workshop.folder / "a.bin", len(BIG) + 1)

    async with leaving_nothing(server, on_attempt=grow) as linq:
        with pytest.raises(UploadError, match="has changed since it was measured"):
            await send(linq, handle)


@pytest.mark.asyncio
async def test_a_stream_that_cannot_be_closed_says_so() -> None:
    """An exception from closing a stream early is the cause of an UploadError, not a connection error."""

    async def stream() -> AsyncIterator[bytes]:
        try:
            yield b"first"
        finally:
            raise KeyError

    async def lose(_: bytes) -> None:
        raise ConnectionResetError

    with pytest.raises(UploadError, match="cannot be closed: KeyError") as caught:
        await _written(Upload.from_chunks(stream, filename="a.bin"), None, lose)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.asyncio
async def test_a_stream_of_the_declared_size_is_written_whole() -> None:
    """A stream of exactly the declared size is sent."""
    seen = bytearray()

    async def take(data: bytes) -> None:
        seen.extend(data)

    await _written(Upload.from_chunks(factory(BIG), filename="a.bin", size=len(BIG)), len(BIG), take)
    assert seen == BIG


@pytest.mark.asyncio
@pytest.mark.parametrize("opened", [False, True], ids=["path", "handle"])
@pytest.mark.parametrize("data", [b"", b"1", b"12"])
async def test_the_smallest_files_are_sent(server: Recorder, workshop: Workshop, data: bytes, *, opened: bool) -> None:
    """Files of 0, 1 and 2 bytes are sent."""
    attachment = workshop.opened("a.txt", data) if opened else workshop.file("a.txt", data)
    assert (await sent_file(server, attachment)).data == data
