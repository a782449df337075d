"""Unusual files and streams: rejected with a reason, or sent as they are."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from linq_async import Attempt, InvalidArgumentError, Outcome, Upload, UploadError
from linq_async.uploads import sources
from tests.support.script import Behaviour

from .kinds import BIG, SMALL, Workshop, factory
from .recorder import BUSY, RESET, Recorder
from .sending import client, leaving_nothing, send, sent_file

ANY_UPLOAD: Any = Upload


async def refusal(server: Recorder, attachment: Any) -> UploadError:
    """Return the UploadError of an attachment that must be rejected before anything is sent."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError) as caught:
            await send(linq, attachment)
    assert (caught.value.attempts, caught.value.outcome, server.log) == (0, Outcome.NOT_SENT, [])
    return caught.value


# Wrong sizes, and files that are replaced.


SIZELESS = ["/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/notes"]


def _has_true_size(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == len(path.read_bytes())


@pytest.mark.asyncio
@pytest.mark.parametrize("opened", [False, True], ids=["path", "handle"])
@pytest.mark.parametrize("name", SIZELESS)
async def test_a_file_without_a_true_size_is_refused(
    server: Recorder, workshop: Workshop, name: str, *, opened: bool
) -> None:
    """Files of /proc, with a size of 0, and of /sys, with a size too large, are rejected before anything is sent."""
    path = Path(name)
    if _has_true_size(path):
        pytest.skip("not on this system")
    handle = workshop.enter_context(path.open("rb"))  # noqa: ASYNC230
    error = await refusal(server, handle if opened else path)
    assert "does not report its true size" in error.reason


@pytest.mark.parametrize(("size", "last"), [(0, b"x"), (4_096, b"")])
def test_a_size_is_believed_if_the_last_byte_is_there(size: int, last: bytes) -> None:
    """A size of 0 for a file with content, or a size beyond its last byte, is rejected."""
    with pytest.raises(sources.SourceError, match="true size"):
        sources._check_size(size, last)


@pytest.mark.asyncio
async def test_an_empty_file_that_fills_is_not_sent_as_empty(server: Recorder, workshop: Workshop) -> None:
    """A file that was empty when it was measured, and is not when it is sent, ends the attempt."""
    path = workshop.file("late.txt", b"")

    def fill(attempt: Attempt) -> None:
        if not attempt.finished:
            path.write_bytes(b"now")

    async with leaving_nothing(server, on_attempt=fill) as linq:
        with pytest.raises(UploadError, match="has changed since it was measured"):
            await send(linq, path)


@pytest.mark.asyncio
async def test_a_file_swapped_for_a_pipe_is_not_waited_for(
    server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that replaces a file before it is opened is rejected, and no thread hangs."""
    path, really = workshop.file("scan.pdf"), os.stat

    def swap(name: Any, *args: Any, **options: Any) -> os.stat_result:
        status = really(name, *args, **options)
        if name == str(path):
            path.unlink()
            os.mkfifo(path)
        return status

    monkeypatch.setattr(os, "stat", swap)
    async with asyncio.timeout(5):
        error = await refusal(server, path)
    assert error.reason == "cannot be read: not a regular file"


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["measured", "sent"])
async def test_a_descriptor_that_is_used_again_sends_no_other_file(
    server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """If the descriptor of a closed file is reused for another file, nothing of that file is sent."""
    handle, other, really = workshop.opened("mine.txt", b"mine"), workshop.file("other.txt", b"them"), os.dup
    dups: list[int] = []

    def close_first(descriptor: int) -> int:
        dups.append(descriptor)
        if len(dups) == (1 if when == "measured" else 2):
            handle.close()
            assert workshop.enter_context(other.open("rb")).fileno() == descriptor
        return really(descriptor)

    upload = Upload.from_file(handle)
    monkeypatch.setattr(os, "dup", close_first)
    async with client(server) as linq:
        with pytest.raises(UploadError, match="now refers to another file") as caught:
            await send(linq, upload)
    assert (caught.value.attempts, b"them" in b"".join(seen.body for seen in server.log)) == (when == "sent", False)


# Endless ones.


def _bomb(shop: Workshop) -> Any:
    return shop.enter_context(gzip.open(shop.file("bomb.gz", gzip.compress(bytes(3 << 20)))))


ENDLESS: dict[str, Callable[[Workshop], Any]] = {
    "device": lambda shop: shop.enter_context(open("/dev/zero", "rb")),  # noqa: SIM115
    "unbuffered device": lambda shop: shop.enter_context(open("/dev/zero", "rb", buffering=0)),  # noqa: SIM115
    "gzip bomb": _bomb,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_endless_file_is_refused_at_the_cap(
    server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A device or a packed file that gives more than is copied into memory is refused, and read no further."""
    monkeypatch.setattr(sources, "MAX_COPY_BYTES", 1 << 20)
    handle = ENDLESS[kind](workshop)
    error = await refusal(server, Upload.from_file(handle, filename="zero.bin"))
    assert error.reason.startswith("has more than 1 MiB, the maximum that is copied into memory: attach a path")
    assert handle.tell() == 0


@pytest.mark.asyncio
async def test_the_cap_itself_is_sent(server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What just fits is sent whole."""
    monkeypatch.setattr(sources, "MAX_COPY_BYTES", 3 << 20)
    assert (await sent_file(server, Upload.from_file(_bomb(workshop), filename="a.bin"))).data == bytes(3 << 20)


def test_the_cap_is_documented() -> None:
    """The limit that ``from_file`` names is the one that holds."""
    assert f"{sources.MAX_COPY_BYTES >> 20} MiB" in (Upload.from_file.__doc__ or "")


# Streams.


def _same(size: int | None, *, slotted: bool = False) -> Upload:
    iterator: Any = _Slotted([SMALL]) if slotted else factory(SMALL)()
    return Upload.from_chunks(lambda: iterator, filename="a.bin", size=size)


class _Slotted:
    """An iterator to which no weak reference can be made."""

    __slots__ = ("chunks",)

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop()


@pytest.mark.asyncio
@pytest.mark.parametrize("slotted", [False, True])
@pytest.mark.parametrize("size", [None, len(SMALL)])
async def test_a_function_that_returns_its_iterator_twice_is_refused(
    server: Recorder, size: int | None, *, slotted: bool
) -> None:
    """The attempt after a 503 does not send an empty file because the function returned a spent iterator."""
    server.script[:] = [BUSY]
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match="returned the same iterator twice") as caught:
            await send(linq, _same(size, slotted=slotted))
    assert (caught.value.attempts, caught.value.outcome) == (2, Outcome.UNKNOWN)
    assert not any(request.body.endswith(b"--\r\n") for request in server.log[1:])


@pytest.mark.asyncio
async def test_a_second_send_of_the_same_iterator_is_refused(server: Recorder) -> None:
    """A function that returns its only iterator serves one send, and no second one with nothing in it."""
    upload = _same(None)
    async with leaving_nothing(server) as linq:
        await send(linq, upload)
        with pytest.raises(UploadError, match="the same iterator twice"):
            await send(linq, upload)


@pytest.mark.asyncio
@pytest.mark.parametrize("step", [BUSY, RESET])
async def test_a_stream_that_gives_less_on_a_repeat_is_refused(server: Recorder, step: Behaviour) -> None:
    """A new iterator over a source that is spent, or shorter, does not end in a message without its file."""
    rest = iter([BIG])

    async def stream() -> AsyncIterator[bytes]:
        for chunk in rest:
            yield chunk

    server.script[:] = [step]
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match=f"gives 0 bytes, and gave {len(BIG)} on an earlier attempt") as caught:
            await send(linq, Upload.from_chunks(stream, filename="a.bin"))
    assert caught.value.attempts == 2
    assert not any(request.body.endswith(b"--\r\n") for request in server.log[1:])


@pytest.mark.asyncio
async def test_a_function_with_a_new_stream_each_time_serves_many(server: Recorder) -> None:
    """Streams that run at the same time, each of its own, are none of them taken for a repeat."""
    upload = Upload.from_chunks(factory(BIG), filename="a.bin")
    server.script[:] = [BUSY] * 5
    async with leaving_nothing(server) as linq:
        await asyncio.gather(*(send(linq, upload) for _ in range(5)))
    assert sum(BIG in request.body for request in server.log) == 10


def _raising(error: type[BaseException], *, first: bytes | None) -> Callable[[], AsyncIterator[bytes]]:
    async def stream() -> AsyncIterator[bytes]:
        if first is not None:
            yield first
        raise error

    return stream


@pytest.mark.asyncio
@pytest.mark.parametrize("first", [None, b"first", BIG], ids=["at once", "after some", "after much"])
@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
async def test_a_stream_that_pretends_to_be_cancelled_is_not_repeated(
    server: Recorder, error: type[BaseException], first: bytes | None
) -> None:
    """A stream that raises CancelledError or StopAsyncIteration itself is an UploadError after one attempt."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match=f"cannot be read: {error.__name__}") as caught:
            await send(linq, Upload.from_chunks(_raising(error, first=first), filename="a.bin"))
    assert caught.value.attempts == 1
    assert len(server.log) <= 1


@pytest.mark.asyncio
async def test_a_stream_that_waits_for_a_cancelled_task_is_not_repeated(server: Recorder) -> None:
    """A stream whose own task was cancelled is an UploadError; the send is not cancelled."""
    task = asyncio.create_task(asyncio.sleep(60))

    async def stream() -> AsyncIterator[bytes]:
        yield b"first"
        task.cancel()
        await task

    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match="CancelledError"):
            await send(linq, Upload.from_chunks(stream, filename="a.bin"))


@pytest.mark.asyncio
async def test_a_function_that_fails_is_not_repeated(server: Recorder) -> None:
    """What the function itself raises, before it returns a stream, is the cause of an UploadError."""

    def fail() -> AsyncIterator[bytes]:
        raise KeyError("gone")

    async def is_no_stream() -> None: ...

    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match="cannot be read: KeyError") as caught:
            await send(linq, Upload.from_chunks(fail, filename="a.bin"))
        with pytest.raises(UploadError, match="has a function that returned coroutine, not an async iterator"):
            await send(linq, ANY_UPLOAD.from_chunks(is_no_stream, filename="a.bin"))
    assert isinstance(caught.value.__cause__, KeyError)


# Objects that only look like paths and files.


class _Path(os.PathLike[Any]):
    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        if isinstance(self.path, Exception):
            raise self.path
        return self.path


@pytest.mark.parametrize("path", [None, 5, [], _Path(None), _Path(5), _Path(KeyError("/srv/secret"))])
def test_what_is_no_path_is_refused(path: Any) -> None:
    """``from_path`` rejects a value that is not a path by the argument's name, whatever its ``__fspath__`` does."""
    with pytest.raises(InvalidArgumentError) as caught:
        Upload.from_path(path)
    assert [problem.argument for problem in caught.value.problems] == ["path"]
    assert "secret" not in str(caught.value)


@pytest.mark.asyncio
async def test_paths_of_bytes_are_paths(server: Recorder, workshop: Workshop) -> None:
    """An entry of ``os.scandir(b"...")``, and any path of bytes, is sent as the file that it names."""
    workshop.file("Grüße.txt", SMALL)
    with os.scandir(os.fsencode(workshop.folder)) as entries:
        (entry,) = entries
    for path in (entry, _Path(os.fsencode(entry.path)), _Path(os.fsdecode(entry.path))):
        part = await sent_file(server, path)  # type: ignore[arg-type]
        assert (part.filename, part.data) == ("Grüße.txt", SMALL)


class _Odd(io.BytesIO):
    """A file object whose methods and attributes raise."""

    name = "odd.bin"

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__(SMALL)
        self.what, self.error = what, error

    def __getattribute__(self, name: str) -> Any:
        if name not in {"what", "error"} and name == self.what:
            raise self.error
        return super().__getattribute__(name)


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [KeyError("secret"), OSError(5, "secret"), OSError("secret"), ValueError("secret")])
@pytest.mark.parametrize("what", ["read", "readable", "closed", "name", "tell", "seekable"])
async def test_an_odd_file_is_refused(server: Recorder, what: str, error: Exception) -> None:
    """Whatever an object raises when it is looked at or read, it is refused before anything is sent, text and all."""
    async with leaving_nothing(server) as linq:
        with pytest.raises((InvalidArgumentError, UploadError)) as caught:
            await send(linq, _Odd(what, error))
        with pytest.raises((InvalidArgumentError, UploadError)):
            await send(linq, Upload.from_file(_Odd(what, error)))
    assert (caught.value.attempts, caught.value.outcome, server.log) == (0, Outcome.NOT_SENT, [])
    assert "attachments[0]" in str(caught.value)
    assert "secret" not in str(caught.value)


class _Once(io.BytesIO):
    """A file that raises when it is looked at for the first time only."""

    name = "once.bin"
    looks = 0

    def readable(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise OSError(11, "try again")
        return True


@pytest.mark.asyncio
async def test_a_file_that_was_refused_stays_refused(server: Recorder) -> None:
    """A file that could not be attached as the message was built is not left out of it when it recovers."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(InvalidArgumentError, match=r"attachments\[0\] cannot be read"):
            await send(linq, _Once(SMALL))
    assert server.log == []


@pytest.mark.asyncio
async def test_an_asynchronous_read_is_refused(server: Recorder) -> None:
    """An object whose read is a coroutine, such as a web framework's upload, is refused, and nothing is left behind."""

    class Async:
        async def read(self, size: int = -1) -> bytes:
            return b""

    error = await refusal(server, ANY_UPLOAD.from_file(Async(), filename="a.bin"))
    assert error.reason == "returned coroutine, not bytes"
