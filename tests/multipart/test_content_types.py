"""The media type of a file: from its extension, the same on every machine, or from the caller."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import AsyncIterator

import pytest

from linq_async import InvalidArgumentError, Upload

from .kinds import Workshop
from .recorder import Recorder
from .sending import sent_parts

ANY = "application/octet-stream"
BY_ENDING = {
    "photo.heic": "image/heic",
    "photo.HEIC": "image/heic",
    "photo.heif": "image/heif",
    "voice.caf": "audio/x-caf",
    "Audio Message.CAF": "audio/x-caf",
    "voice.m4a": "audio/mp4",
    "voice.amr": "audio/amr",
    "card.vcf": "text/vcard",
    "picture.jpg": "image/jpeg",
    "picture.JPEG": "image/jpeg",
    "picture.png": "image/png",
    "picture.gif": "image/gif",
    "picture.webp": "image/webp",
    "clip.mov": "video/quicktime",
    "clip.mp4": "video/mp4",
    "song.mp3": "audio/mpeg",
    "quote.pdf": "application/pdf",
    "notes.txt": "text/plain",
    "table.csv": "text/csv",
    "letter.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "archive.zip": "application/zip",
    "archive.tar.gz": ANY,
    "archive.tgz": ANY,
    "what.unknown": ANY,
    "noending": ANY,
    ".heic": ANY,
    "dir.png/noending": ANY,
    "a.png\n": ANY,
    "日本語.png": "image/png",
    "two.png.pdf": "application/pdf",
    "trailing.": ANY,
}


@pytest.mark.asyncio
async def test_the_type_follows_the_ending(server: Recorder) -> None:
    """Common extensions have their media type on the wire; an unknown one is application/octet-stream."""
    files = [Upload.from_bytes(b"x", filename=name) for name in BY_ENDING]
    parts = await sent_parts(server, *files)
    assert [part.content_type for part in parts if part.filename] == list(BY_ENDING.values())


def test_the_machine_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own table of media types is not used."""
    known = {"a.unknown": ANY, "a.heic": "image/heic", "a.png": "image/png"}
    mimetypes.init()
    for ending in (".unknown", ".heic", ".png"):
        monkeypatch.setitem(mimetypes.types_map, ending, "application/x-local")
    for name in known:
        assert Upload.from_bytes(b"x", filename=name).content_type == known[name]


@pytest.mark.asyncio
@pytest.mark.parametrize("given", ["image/png", "text/plain; charset=utf-8", "application/vnd.x+json;v=1"])
async def test_a_type_that_is_given_goes_out_as_it_is(server: Recorder, workshop: Workshop, given: str) -> None:
    """The caller's media type takes precedence over the extension in every constructor of Upload."""
    uploads = [
        Upload.from_bytes(b"x", filename="a.heic", content_type=given),
        Upload.from_path(workshop.file("a.heic"), content_type=given),
        Upload.from_file(io.BytesIO(b"x"), filename="a.heic", content_type=given),
        Upload.from_chunks(_nothing, filename="a.heic", content_type=given),
    ]
    parts = await sent_parts(server, *uploads)
    assert [part.content_type for part in parts if part.filename] == [given] * 4


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


@pytest.mark.parametrize(
    "given",
    ["image/png\r\nX-Evil: 1", "image/png\n", "image/\0png", "image/pñg", "png", "", "a/b/c", "/", "image/", " / ", 5],
)
def test_a_type_that_is_none_is_refused(given: str) -> None:
    """An invalid media type, or one that would end its header line, is rejected."""
    with pytest.raises(InvalidArgumentError) as caught:
        Upload.from_bytes(b"x", filename="a.png", content_type=given)
    assert [problem.argument for problem in caught.value.problems] == ["content_type"]


def test_invalid_name_and_type_are_reported_at_once() -> None:
    """One error names both an invalid name and an invalid type."""
    with pytest.raises(InvalidArgumentError) as caught:
        Upload.from_bytes(b"x", filename="", content_type="\n")
    assert [problem.argument for problem in caught.value.problems] == ["filename", "content_type"]
