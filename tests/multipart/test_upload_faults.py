"""Attachments that fail: named in the error, not retried, and closed."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from linq_async import Attempt, LinqError, Outcome, Timeouts, Upload, UploadError
from tests.support.script import Behaviour

from .kinds import BIG, HANDLES, KINDS, Workshop, factory
from .recorder import BUSY, EARLY_CLOSE, EARLY_OPEN, EARLY_STALL, RESET, STALL, Recorder
from .sending import KEY, PATIENCE, leaving_nothing, send, settled


def _missing(shop: Workshop) -> Path:
    return shop.folder / "gone.pdf"


def _directory(shop: Workshop) -> Path:
    path = shop.folder / "gone.pdf"
    path.mkdir()
    return path


def _fifo(shop: Workshop) -> Path:
    path = shop.folder / "gone.pdf"
    os.mkfifo(path)
    return path


def _broken_link(shop: Workshop) -> Path:
    path = shop.folder / "gone.pdf"
    path.symlink_to(shop.folder / "nowhere")
    return path


def _below_a_file(shop: Workshop) -> Path:
    return shop.file("a.txt") / "gone.pdf"


def _forbidden(shop: Workshop) -> Path:
    path = shop.file("gone.pdf")
    path.chmod(0)
    return path


BAD_PATHS: dict[str, tuple[Callable[[Workshop], Path], str]] = {
    "missing": (_missing, "does not exist"),
    "directory": (_directory, "is a directory"),
    "fifo": (_fifo, "cannot be read: not a regular file"),
    "broken link": (_broken_link, "does not exist"),
    "below a file": (_below_a_file, "cannot be read: Not a directory"),
    "forbidden": (_forbidden, "cannot be read: Permission denied"),
    "NUL in a folder": (lambda shop: shop.folder / "a\0b" / "gone.pdf", "has a NUL character in its path"),
}


def assert_upload_error(error: BaseException, name: str, folder: Path) -> None:
    """Assert that an error has the file's name, and that its message shows neither name nor directory."""
    assert isinstance(error, UploadError)
    assert error.filename == name
    assert re.match(r"attachments\[\d\] ", error.message)
    for text in (str(error), repr(error)):
        assert name not in text
        assert str(folder) not in text


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", BAD_PATHS)
async def test_a_path_that_cannot_be_read_sends_nothing(server: Recorder, workshop: Workshop, kind: str) -> None:
    """A path without a readable file is an UploadError before anything is sent."""
    make, reason = BAD_PATHS[kind]
    if kind == "forbidden" and os.geteuid() == 0:
        pytest.skip("root may read anything")
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError) as caught:
            await send(linq, Upload.from_bytes(BIG, filename="first.bin"), make(workshop))
    error = caught.value
    assert (error.attempts, error.outcome, server.log) == (0, Outcome.NOT_SENT, [])
    assert (error.reason, error.index) == (reason, 1)
    assert_upload_error(error, "gone.pdf", workshop.folder)


@pytest.mark.asyncio
async def test_an_upload_error_holds_the_key(server: Recorder, workshop: Workshop) -> None:
    """The key of the send is on the error, whether the file failed before the first attempt or within it."""
    async with leaving_nothing(server) as linq:
        for attachment in (Upload.from_chunks(_raises, filename="a.bin"), workshop.folder / "gone.pdf"):
            with pytest.raises(UploadError) as caught:
                await send(linq, attachment)
            assert caught.value.idempotency_key == KEY


Change = Callable[[Path], object]


def _become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _at(finished: bool, act: Callable[[], object]) -> Callable[[Attempt], None]:
    """Return a hook that acts as an attempt begins, or as it ends."""

    def hook(attempt: Attempt) -> None:
        if attempt.finished is finished:
            act()

    return hook


CHANGES: dict[str, tuple[Change, str]] = {
    "shrinks": (lambda path: os.truncate(path, 10), "has changed since it was measured"),
    "is emptied": (lambda path: os.truncate(path, 0), "has changed since it was measured"),
    "grows": (lambda path: os.truncate(path, len(BIG) + 1), "has changed since it was measured"),
    "is deleted": (lambda path: path.unlink(), "does not exist"),
    "becomes a directory": (_become_a_directory, "is a directory"),
    "becomes a fifo": (_become_a_fifo, "cannot be read: not a regular file"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("change", CHANGES)
async def test_a_file_that_changes_before_it_is_sent(server: Recorder, workshop: Workshop, change: str) -> None:
    """What changes between measuring and sending ends the one attempt: the server never gets a whole body."""
    path = workshop.file("scan.pdf")
    act, reason = CHANGES[change]
    async with leaving_nothing(server, on_attempt=_at(False, lambda: act(path))) as linq:
        with pytest.raises(UploadError) as caught:
            await send(linq, path)
    assert (caught.value.attempts, caught.value.reason) == (1, reason)
    assert_upload_error(caught.value, "scan.pdf", workshop.folder)
    assert server.seen == []


@pytest.mark.asyncio
@pytest.mark.parametrize("change", CHANGES)
async def test_a_file_that_changes_between_attempts(server: Recorder, workshop: Workshop, change: str) -> None:
    """A retry that cannot read the file is the last attempt, and keeps the outcome of the first."""
    path = workshop.file("scan.pdf")
    act, reason = CHANGES[change]
    server.script[:] = [BUSY]
    async with leaving_nothing(server, on_attempt=_at(True, lambda: act(path))) as linq:
        with pytest.raises(UploadError) as caught:
            await send(linq, path)
    assert (caught.value.attempts, caught.value.outcome, caught.value.reason) == (2, Outcome.UNKNOWN, reason)
    assert_upload_error(caught.value, "scan.pdf", workshop.folder)


@pytest.mark.asyncio
async def test_a_file_that_shrinks_while_it_is_sent(
    server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file truncated after it was opened is an UploadError, and the body stays incomplete."""
    handle, pread = workshop.opened("scan.pdf"), os.pread

    def read_and_cut(descriptor: int, size: int, position: int) -> bytes:
        if size > 1:  # before its end is checked
            os.truncate(workshop.folder / "scan.pdf", 700_000)
        return pread(descriptor, size, position)

    monkeypatch.setattr(os, "pread", read_and_cut)
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match="became shorter while it was sent") as caught:
            await send(linq, handle)
    assert caught.value.attempts == 1
    assert_upload_error(caught.value, "scan.pdf", workshop.folder)


@pytest.mark.asyncio
async def test_a_handle_that_is_closed_between_attempts(server: Recorder, workshop: Workshop) -> None:
    """A file closed after the first attempt is an UploadError with the outcome of that attempt."""
    handle = workshop.opened("scan.pdf")
    server.script[:] = [BUSY]
    async with leaving_nothing(server, on_attempt=_at(True, handle.close)) as linq:
        with pytest.raises(UploadError, match=r"attachments\[0\] is closed") as caught:
            await send(linq, handle)
    assert (caught.value.attempts, caught.value.outcome) == (2, Outcome.UNKNOWN)


async def _raises() -> AsyncIterator[bytes]:
    yield b"first"
    raise ConnectionResetError("the source went away")


async def _times_out() -> AsyncIterator[bytes]:
    raise TimeoutError
    yield b""


async def _gives_str() -> AsyncIterator[Any]:
    yield "text"


async def _gives_none() -> AsyncIterator[Any]:
    yield None


def _is_no_stream() -> Any:
    return [b"x"]


BAD_CHUNKS: dict[str, tuple[Callable[[], Any], int | None, str]] = {
    "raises": (_raises, None, "ConnectionResetError"),
    "raises, with a size": (_raises, 99, "ConnectionResetError"),
    "times out": (_times_out, None, "TimeoutError"),
    "gives str": (_gives_str, None, "str|bytes"),
    "gives None": (_gives_none, None, "None|bytes"),
    "gives no stream": (_is_no_stream, None, "list|iterator"),
    "gives too much": (factory(b"123456789", 4), 8, "gives more than the 8 bytes that were declared"),
    "gives too little": (factory(b"123456789", 4), 10, "gives 9 of the 10 bytes that were declared"),
    "gives something for nothing": (factory(b"1"), 0, "gives more than the 0 bytes"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", BAD_CHUNKS)
async def test_a_stream_that_fails_is_not_repeated(server: Recorder, workshop: Workshop, kind: str) -> None:
    """A stream that raises, or gives what it should not, is an UploadError of one attempt, whatever it raised."""
    stream, size, reason = BAD_CHUNKS[kind]
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError) as caught:
            await send(linq, Upload.from_chunks(stream, filename="voice.caf", size=size))
    assert caught.value.attempts == 1
    assert len(server.log) <= 1
    assert re.search(reason, caught.value.reason)
    assert_upload_error(caught.value, "voice.caf", workshop.folder)


@pytest.mark.asyncio
async def test_a_spent_stream_is_rejected_before_anything_is_sent(server: Recorder) -> None:
    """A second send of a stream that can be read only once fails at once, and sends nothing."""
    upload = Upload.from_chunks(factory(b"once")(), filename="voice.caf")
    async with leaving_nothing(server) as linq:
        await send(linq, upload)
        with pytest.raises(UploadError, match="can be read only once and has been read already") as caught:
            await send(linq, upload)
    assert (caught.value.attempts, caught.value.outcome, len(server.log)) == (0, Outcome.NOT_SENT, 1)


def _file_names(name: str) -> list[Callable[[Workshop], Any]]:
    return [
        lambda shop: Upload.from_path(shop.folder / "gone.pdf", filename=name),
        lambda shop: Upload.from_chunks(_raises, filename=name),
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("make", _file_names("/srv/secret/plan.pdf"))
async def test_a_name_is_reported_without_directories(
    server: Recorder, workshop: Workshop, make: Callable[[Workshop], Any]
) -> None:
    """An error shows a file's name as it is sent: the folders that a caller gave with it stay with the caller."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError) as caught:
            await send(linq, make(workshop))
    assert caught.value.filename == "plan.pdf"
    assert "secret" not in str(caught.value)


UNTIL_CANCELLED = [*KINDS, "one-shot stream"]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", UNTIL_CANCELLED)
async def test_a_cancelled_upload_leaves_nothing(server: Recorder, workshop: Workshop, kind: str) -> None:
    """A send that is cancelled in the middle of its upload leaves no descriptor, task or closed handle."""
    stream = Upload.from_chunks(factory(BIG)(), filename="a.bin")
    attachment: Any = stream if kind == "one-shot stream" else KINDS[kind](workshop).attachment
    filler = Upload.from_path(workshop.file("filler.bin", BIG * 8))
    server.script[:] = [STALL]
    async with leaving_nothing(server) as linq:
        sending = asyncio.create_task(send(linq, filler, attachment))
        await server.arrived(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", HANDLES)
async def test_a_handle_survives_a_cancelled_upload(server: Recorder, workshop: Workshop, kind: str) -> None:
    """A handle is open and unmoved after a send of it was cancelled, and can be sent again."""
    handle = HANDLES[kind](workshop)
    stood = handle.tell()
    server.script[:] = [STALL]
    async with leaving_nothing(server) as linq:
        sending = asyncio.create_task(send(linq, *[Upload.from_file(handle, filename="a.bin")] * 9))
        await server.arrived(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await send(linq, Upload.from_file(handle, filename="a.bin"), idempotency_key="another")
    assert not handle.closed
    assert handle.tell() == stood
    assert server.log[-1].body.count(BIG[stood:]) == 1


def test_a_loop_that_ends_at_once_leaves_nothing(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is closed even if the loop ends while a thread still reads it."""
    pread = os.pread
    path = workshop.file("scan.pdf", BIG * 8)
    before = set(os.listdir("/proc/self/fd"))

    async def cancelled() -> None:
        loop, reading = asyncio.get_running_loop(), asyncio.Event()

        def slow(descriptor: int, size: int, position: int) -> bytes:
            loop.call_soon_threadsafe(reading.set)
            return pread(descriptor, size, position)

        monkeypatch.setattr(os, "pread", slow)
        async with Recorder([STALL]) as server, leaving_nothing(server) as linq:
            with path.open("rb") as handle:
                sending = asyncio.create_task(send(linq, handle))
                await reading.wait()
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending

    asyncio.run(cancelled())
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.asyncio
@pytest.mark.slow
@pytest.mark.parametrize("step", [EARLY_CLOSE, EARLY_OPEN, EARLY_STALL])
@pytest.mark.parametrize(
    "kind", ["Path", "open file", "gzip file", "Upload.from_bytes, big", "Upload.from_chunks, no size"]
)
async def test_an_early_answer_leaves_nothing(server: Recorder, workshop: Workshop, kind: str, step: Behaviour) -> None:
    """A 503 before the body is read, whatever becomes of the connection, is repeated, and nothing is left open."""
    filler, given = Upload.from_path(workshop.file("filler.bin", BIG * 8)), KINDS[kind](workshop)
    server.script[:] = [step]
    limits = Timeouts(write=0.1 if step is EARLY_STALL else PATIENCE)
    async with leaving_nothing(server, timeouts=limits) as linq:
        chat = await send(linq, filler, given.attachment)
    assert chat.attempts == len(server.log) == 2
    assert server.log[1].body.count(BIG * 8) == 1


def _noting(closed: list[int]) -> Callable[[], AsyncIterator[bytes]]:
    async def stream() -> AsyncIterator[bytes]:
        try:
            for _ in range(9):
                yield BIG
        finally:
            closed.append(1)

    return stream


@pytest.mark.asyncio
@pytest.mark.parametrize("step", [BUSY, RESET])
async def test_streams_of_the_caller_are_closed(server: Recorder, step: Behaviour) -> None:
    """Each generator that a factory made is closed with its attempt, not left to the collector."""
    closed: list[int] = []
    server.script[:] = [step]
    async with leaving_nothing(server) as linq:
        await send(linq, Upload.from_chunks(_noting(closed), filename="a.bin"))
        assert len(closed) == 2


@pytest.mark.asyncio
async def test_a_stream_of_a_cancelled_upload_is_closed(server: Recorder) -> None:
    """A generator is closed when its send is cancelled in the middle of the upload."""
    closed: list[int] = []
    server.script[:] = [STALL]
    async with leaving_nothing(server) as linq:
        sending = asyncio.create_task(send(linq, Upload.from_chunks(_noting(closed), filename="a.bin")))
        await server.arrived(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await settled(lambda: [] if closed else ["open"]) == []


@pytest.mark.asyncio
async def test_a_bad_file_does_not_hold_up_others(server: Recorder, workshop: Workshop) -> None:
    """Among twenty sends at once, those whose file is missing fail alone, and all connections are given back."""
    good, bad = workshop.file("good.bin"), workshop.folder / "bad.bin"
    async with leaving_nothing(server, max_connections=2) as linq:
        sends = (send(linq, bad if number % 2 else good) for number in range(20))
        results = await asyncio.gather(*sends, return_exceptions=True)
        await send(linq, good)
    assert [isinstance(result, LinqError) for result in results] == [bool(number % 2) for number in range(20)]
    assert len(server.log) == 11
