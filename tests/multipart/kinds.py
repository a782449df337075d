"""Every kind of attachment, with the bytes that must arrive."""

from __future__ import annotations

import gzip
import io
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

from linq_async import Upload
from linq_async.uploads import Attachable

SMALL = b"\x00\xff\r\n--boundary\r\n" + bytes(range(256))
BIG = random.Random(7).randbytes((512 << 10) * 2 + 12_345)
"""More than two chunks of the size in which files are read."""
OFFSET = 600_001


@dataclass
class Given:
    """An attachment, and the bytes that must arrive."""

    attachment: Attachable
    data: bytes = field(repr=False)
    filename: str
    content_type: str
    sized: bool = True
    """Whether the length of the body can be known before it is sent."""


class Workshop(ExitStack):
    """A directory for files; files that were opened in it are closed at the end."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def file(self, name: str, data: bytes = BIG) -> Path:
        """Return the path of a new file."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def opened(self, name: str, data: bytes = BIG, *, offset: int = 0, mode: str = "rb") -> Any:
        """Return a new file, open and moved to an offset."""
        handle = self.enter_context(self.file(name, data).open(mode))
        handle.seek(offset)
        return handle

    def adopt(self, handle: Any, data: bytes = b"", *, offset: int = 0) -> Any:
        """Fill a handle, move it to an offset and see to it that it is closed."""
        self.enter_context(handle)
        handle.write(data)
        handle.seek(offset)
        return handle


Maker: TypeAlias = Callable[[Workshop], Given]
KINDS: dict[str, Maker] = {}
HANDLES: dict[str, Callable[[Workshop], Any]] = {
    "open file": lambda shop: shop.opened("scan.pdf"),
    "open file at an offset": lambda shop: shop.opened("scan.pdf", offset=OFFSET),
    "file open for writing too": lambda shop: shop.opened("scan.pdf", offset=OFFSET, mode="r+b"),
    "unbuffered file": lambda shop: shop.adopt(shop.file("scan.pdf", b"").open("r+b", buffering=0), BIG, offset=OFFSET),
    "BytesIO": lambda shop: shop.adopt(io.BytesIO(), BIG),
    "BytesIO at an offset": lambda shop: shop.adopt(io.BytesIO(), BIG, offset=OFFSET),
    "spooled file in memory": lambda shop: shop.adopt(tempfile.SpooledTemporaryFile(), BIG, offset=OFFSET),  # noqa: SIM115
    "spooled file rolled over": lambda shop: shop.adopt(tempfile.SpooledTemporaryFile(9), BIG, offset=OFFSET),  # noqa: SIM115
    "temporary file": lambda shop: shop.adopt(tempfile.TemporaryFile(), BIG, offset=OFFSET),  # noqa: SIM115
    "named temporary file": lambda shop: shop.adopt(tempfile.NamedTemporaryFile(dir=shop.folder), BIG, offset=OFFSET),  # noqa: SIM115
    "gzip file": lambda shop: _gzip_file(shop),
    "gzip file at an offset": lambda shop: _gzip_file(shop, offset=OFFSET),
}


def kind(name: str) -> Callable[[Maker], Maker]:
    """Register a maker in the table."""

    def enter(maker: Maker) -> Maker:
        KINDS[name] = maker
        return maker

    return enter


def factory(data: bytes, size: int = 300_000) -> Callable[[], AsyncIterator[bytes]]:
    """Return a function that starts a new stream of the data on each call."""

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return stream


def _gzip_file(shop: Workshop, *, offset: int = 0) -> gzip.GzipFile:
    opened = shop.enter_context(gzip.GzipFile(shop.file("scan.pdf.gz", gzip.compress(BIG, 1))))
    opened.seek(offset)
    return opened


def _handle_kind(name: str) -> Maker:
    def make(shop: Workshop) -> Given:
        handle = HANDLES[name](shop)
        upload = Upload.from_file(handle, filename="scan.pdf")
        return Given(upload, BIG[handle.tell() :], "scan.pdf", "application/pdf")

    return make


KINDS.update({name: _handle_kind(name) for name in HANDLES})


@kind("Path")
def _path(shop: Workshop) -> Given:
    return Given(shop.file("photo.HEIC"), BIG, "photo.HEIC", "image/heic")


@kind("Path of an empty file")
def _empty_path(shop: Workshop) -> Given:
    return Given(shop.file("empty.txt", b""), b"", "empty.txt", "text/plain")


@kind("open file as it is")
def _open_file(shop: Workshop) -> Given:
    return Given(shop.opened("scan.pdf", offset=OFFSET), BIG[OFFSET:], "scan.pdf", "application/pdf")


@kind("Upload.from_path")
def _from_path(shop: Workshop) -> Given:
    upload = Upload.from_path(shop.file("x.bin"), filename="card.vcf", content_type="text/x-vcard; charset=utf-8")
    return Given(upload, BIG, "card.vcf", "text/x-vcard; charset=utf-8")


@kind("Upload.from_bytes, small")
def _small_bytes(_: Workshop) -> Given:
    return Given(Upload.from_bytes(SMALL, filename="map.png"), SMALL, "map.png", "image/png")


@kind("Upload.from_bytes, none")
def _no_bytes(_: Workshop) -> Given:
    return Given(Upload.from_bytes(b"", filename="map.png"), b"", "map.png", "image/png")


@kind("Upload.from_bytes, middling")
def _middling_bytes(_: Workshop) -> Given:
    data = BIG[: 200 << 10]
    return Given(Upload.from_bytes(bytearray(data), filename="map.png"), data, "map.png", "image/png")  # type: ignore[arg-type]


@kind("Upload.from_bytes, big")
def _big_bytes(_: Workshop) -> Given:
    return Given(Upload.from_bytes(BIG, filename="voice.caf"), BIG, "voice.caf", "audio/x-caf")


@kind("Upload.from_chunks with a size")
def _chunks_with_size(_: Workshop) -> Given:
    upload = Upload.from_chunks(factory(BIG), filename="voice.m4a", size=len(BIG))
    return Given(upload, BIG, "voice.m4a", "audio/mp4")


@kind("Upload.from_chunks, no size")
def _chunks(_: Workshop) -> Given:
    upload = Upload.from_chunks(factory(BIG), filename="voice.amr")
    return Given(upload, BIG, "voice.amr", "audio/amr", sized=False)


@kind("Upload.from_chunks, one chunk and none")
def _chunks_of_any_size(_: Workshop) -> Given:
    upload = Upload.from_chunks(factory(BIG, len(BIG)), filename="voice.amr", size=len(BIG))
    return Given(upload, BIG, "voice.amr", "audio/amr")
