"""Open files stay the caller's: neither closed nor moved."""

from __future__ import annotations

import asyncio
import bz2
import codecs
import gzip
import io
import lzma
import mmap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linq_async import InvalidArgumentError, Outcome, RetryPolicy, Upload, UploadError

from .kinds import BIG, HANDLES, OFFSET, Workshop
from .reading import read_python_multipart
from .recorder import BUSY, CREATE, RESET, Recorder
from .sending import client, leaving_nothing, send, sent_file

ANY_UPLOAD: Any = Upload
"""The class, for calls that a type checker would reject."""
PLAIN = BIG[: 64 << 10]
SECRET = bytes(byte ^ 0x55 for byte in PLAIN)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", HANDLES)
async def test_a_handle_is_neither_closed_nor_moved(server: Recorder, workshop: Workshop, kind: str) -> None:
    """After three attempts the caller's file is open and at its old position."""
    handle = HANDLES[kind](workshop)
    stood = handle.tell()
    server.script[:] = [BUSY, RESET]
    async with leaving_nothing(server) as linq:
        await send(linq, Upload.from_file(handle, filename="scan.pdf"))
    assert not handle.closed
    assert handle.tell() == stood
    assert handle.read() == BIG[stood:]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", HANDLES)
async def test_one_handle_serves_twenty_sends_at_once(server: Recorder, workshop: Workshop, kind: str) -> None:
    """Twenty concurrent sends of one open file all arrive whole, though some are reset or rejected."""
    handle = HANDLES[kind](workshop)
    server.script[:] = [RESET, CREATE, BUSY] * 4
    patient = RetryPolicy(max_attempts=9, initial_delay=0.0)  # should one send meet all eight failures
    async with leaving_nothing(server, retry=patient) as linq:
        await asyncio.gather(*(send(linq, Upload.from_file(handle, filename="a.pdf")) for _ in range(20)))
    whole = server.seen
    assert len(whole) == 24
    for request in whole:
        part = read_python_multipart(request.body, request.headers["content-type"])[-1]
        assert part.data == BIG[handle.tell() :]


@pytest.mark.asyncio
async def test_an_upload_starts_at_the_position_of_the_file(server: Recorder, workshop: Workshop) -> None:
    """The position counts when the file is attached: reading on or appending does not change the upload."""
    handle = workshop.opened("scan.pdf", offset=OFFSET)
    upload = Upload.from_file(handle)
    handle.read(1_000)
    assert (await sent_file(server, upload)).data == BIG[OFFSET:]


@pytest.mark.asyncio
async def test_what_was_written_and_not_flushed_is_sent(server: Recorder, workshop: Workshop) -> None:
    """Bytes in the buffer of a writable file are sent."""
    handle = workshop.opened("notes.txt", b"", mode="w+b")
    handle.write(b"not flushed")
    handle.seek(4)
    assert (await sent_file(server, handle)).data == b"flushed"


@pytest.mark.asyncio
async def test_a_position_beyond_the_end_is_empty(server: Recorder, workshop: Workshop) -> None:
    """A file positioned beyond its end is sent as empty."""
    assert (await sent_file(server, workshop.opened("notes.txt", b"short", offset=99))).data == b""


class _Decrypting(io.FileIO):
    """A file object that returns other bytes than those on disk."""

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = super().readinto(view) or 0
        view[:count] = bytes(byte ^ 0x55 for byte in view[:count])
        return count

    def readall(self) -> bytes:
        return bytes(byte ^ 0x55 for byte in super().readall())

    def read(self, size: int | None = -1, /) -> bytes:
        return bytes(byte ^ 0x55 for byte in super().read(-1 if size is None else size))


class _Wrapper:
    """An object with its own ``read()``, and the file in an attribute."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def read(self, size: int = -1) -> bytes:
        return bytes(byte ^ 0x55 for byte in self.file.read(size))


def _zip_member(shop: Workshop) -> Any:
    archive = shop.folder / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.txt", PLAIN)
    opened = shop.enter_context(zipfile.ZipFile(archive))
    return shop.enter_context(opened.open("a.txt"))


DECODING: dict[str, Callable[[Workshop], Any]] = {
    "bz2": lambda shop: shop.enter_context(bz2.BZ2File(shop.file("a.bz2", bz2.compress(PLAIN)))),
    "lzma": lambda shop: shop.enter_context(lzma.LZMAFile(shop.file("a.xz", lzma.compress(PLAIN)))),  # noqa: SIM115
    "zip member": _zip_member,
    "file subclass": lambda shop: shop.enter_context(_Decrypting(shop.file("a.bin", SECRET))),
    "buffered file subclass": lambda shop: shop.enter_context(
        io.BufferedReader(_Decrypting(shop.file("a.bin", SECRET)))
    ),
    "wrapper": lambda shop: _Wrapper(shop.opened("a.bin", SECRET)),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", DECODING)
async def test_a_file_that_decodes_is_read_by_its_own_read(server: Recorder, workshop: Workshop, kind: str) -> None:
    """The bytes sent are those of the object's ``read()``, not those on disk."""
    upload = Upload.from_file(DECODING[kind](workshop), filename="a.bin")
    assert (await sent_file(server, upload)).data == PLAIN


@pytest.mark.asyncio
async def test_an_unpacked_file_is_not_named_as_packed(server: Recorder, workshop: Workshop) -> None:
    """An opened gzip file is sent unpacked, with the name and type of its content."""
    handle = workshop.enter_context(gzip.GzipFile(workshop.file("scan.pdf.gz", gzip.compress(PLAIN))))
    part = await sent_file(server, handle)  # type: ignore[arg-type]
    assert (part.filename, part.content_type, part.data) == ("scan.pdf", "application/pdf", PLAIN)


@pytest.mark.asyncio
async def test_a_recoded_file_is_sent_recoded(server: Recorder, workshop: Workshop) -> None:
    """A recoding file of the standard library is sent as it reads."""
    handle = codecs.EncodedFile(workshop.opened("notes.txt", "Grüße".encode("latin-1")), "utf-8", "latin-1")
    upload = Upload.from_file(handle, filename="notes.txt")
    assert (await sent_file(server, upload)).data == "Grüße".encode()


@pytest.mark.asyncio
async def test_a_memory_map_is_not_moved(server: Recorder, workshop: Workshop) -> None:
    """Attaching a memory map keeps its position."""
    opened = workshop.opened("scan.pdf")
    with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.seek(OFFSET)
        upload = Upload.from_file(mapped, filename="scan.pdf")  # type: ignore[arg-type]
        assert mapped.tell() == OFFSET
        assert (await sent_file(server, upload)).data == BIG[OFFSET:]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", HANDLES)
async def test_a_handle_that_was_closed_before_is_refused(server: Recorder, workshop: Workshop, kind: str) -> None:
    """A file that is already closed is rejected by the name of its argument."""
    handle = HANDLES[kind](workshop)
    handle.close()
    async with leaving_nothing(server) as linq:
        with pytest.raises(InvalidArgumentError, match=r"attachments\[0\] .*is closed"):
            await send(linq, handle)
    assert server.log == []


@pytest.mark.asyncio
async def test_a_handle_that_is_closed_meanwhile_is_an_upload_error(server: Recorder, workshop: Workshop) -> None:
    """A file closed between attaching and sending is an UploadError that says so, and nothing is sent."""
    handle = workshop.opened("scan.pdf")
    upload = Upload.from_file(handle)
    handle.close()
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match=r"attachments\[0\] is closed") as caught:
            await send(linq, upload)
    assert (caught.value.attempts, caught.value.outcome) == (0, Outcome.NOT_SENT)
    assert server.log == []


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["wb", "ab"])
async def test_a_handle_for_writing_is_refused(server: Recorder, workshop: Workshop, mode: str) -> None:
    """A file that is not open for reading is rejected before anything is sent."""
    handle = workshop.opened("scan.pdf", mode=mode)
    handle.seek(0)
    async with leaving_nothing(server) as linq:
        with pytest.raises((InvalidArgumentError, UploadError)) as caught:
            await send(linq, handle)
    assert (caught.value.attempts, caught.value.outcome, server.log) == (0, Outcome.NOT_SENT, [])


@pytest.mark.asyncio
async def test_a_handle_in_place_of_a_list_is_refused_unread(server: Recorder, workshop: Workshop) -> None:
    """A file in place of a list of files is one problem, and is not read."""
    handle = workshop.opened("notes.txt", b"one\ntwo\nthree\n")
    async with client(server) as linq:
        with pytest.raises(InvalidArgumentError) as caught:
            await linq.chats.create(send_from="+1", phone_numbers=["+2"], text="Hello!", attachments=handle)
    assert [problem.argument for problem in caught.value.problems] == ["attachments"]
    assert handle.tell() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("given", ["text", None, 5])
async def test_a_read_that_gives_no_bytes_is_refused(server: Recorder, given: object) -> None:
    """An object whose ``read()`` does not return bytes is rejected, and nothing is sent."""

    class Odd:
        def read(self, *_: object) -> object:
            return given

    handle: Any = Odd()
    async with leaving_nothing(server) as linq:
        with pytest.raises((InvalidArgumentError, UploadError), match="bytes"):
            await send(linq, Upload.from_file(handle, filename="a.txt"))
    assert server.log == []


@pytest.mark.asyncio
async def test_a_read_that_fails_is_an_upload_error(server: Recorder, workshop: Workshop) -> None:
    """A broken archive, which cannot be copied, is an UploadError."""
    handle: Any = workshop.enter_context(bz2.BZ2File(workshop.file("a.bz2", b"BZh9 not really")))
    async with leaving_nothing(server) as linq:
        with pytest.raises(UploadError, match=r"attachments\[0\] cannot be read") as caught:
            await send(linq, Upload.from_file(handle, filename="a.txt"))
    assert (caught.value.attempts, caught.value.outcome, server.log) == (0, Outcome.NOT_SENT, [])


def _of_a_text_file() -> Upload:
    with Path(__file__).open(encoding="utf-8") as file:
        upload: Upload = ANY_UPLOAD.from_file(file)
    return upload


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (_of_a_text_file, "file"),
        (lambda: ANY_UPLOAD.from_file(io.BytesIO(b"x")), "filename"),
        (lambda: ANY_UPLOAD.from_file(io.StringIO("x"), filename="a.txt"), "file"),
        (lambda: ANY_UPLOAD.from_file(b"x", filename="a.txt"), "file"),
        (lambda: ANY_UPLOAD.from_bytes("x", filename="a.txt"), "data"),
        (lambda: ANY_UPLOAD.from_bytes(b"x", filename=""), "filename"),
        (lambda: ANY_UPLOAD.from_bytes(b"x", filename=5), "filename"),
        (lambda: ANY_UPLOAD.from_chunks([b"x"], filename="a.txt"), "chunks"),
        (lambda: ANY_UPLOAD.from_chunks(iter, filename="a.txt", size=-1), "size"),
        (lambda: ANY_UPLOAD.from_chunks(iter, filename="a.txt", size=True), "size"),
    ],
)
def test_what_cannot_be_an_upload_is_refused(make: Callable[[], object], argument: str) -> None:
    """The constructors of Upload reject an invalid argument by its name."""
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert [problem.argument for problem in caught.value.problems] == [argument]
