"""Attachments: kept in memory or in a temporary file, and served again."""

import mimetypes
import re
import tempfile
from contextlib import suppress
from io import BytesIO
from threading import Lock
from typing import IO
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

import attrs

from .limits import Budget, Storage, StorageFullError

MAX_IN_MEMORY = 1 << 20
IMAGES = ("png", "jpeg", "gif", "webp", "heic", "heif", "bmp", "tiff", "avif")
AUDIO = ("mpeg", "mp4", "aac", "ogg", "wav", "x-wav", "x-m4a", "amr", "x-caf")
VIDEO = ("mp4", "quicktime", "webm", "3gpp", "mpeg")
INLINE_TYPES = frozenset(f"image/{name}" for name in IMAGES)
SAFE_TYPES = INLINE_TYPES.union(
    (f"audio/{name}" for name in AUDIO), (f"video/{name}" for name in VIDEO), ("application/pdf",)
)
TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
UNSAFE_IN_HEADER = re.compile(r"[^ !#-\[\]-~]|%")


class UploadedFile:
    """One uploaded file; over 1 MiB it is a temporary file, which `close` deletes."""

    def __init__(self, filename: str, content_type: str | None, storage: Storage) -> None:
        self.filename = filename
        self.content_type: str = media_type(content_type) or guessed_type(filename)
        self.size: int = 0
        self.kept = False
        self._storage = storage
        self._budget: Budget = storage.memory
        self._content: IO[bytes] = BytesIO()
        self._place = Lock()  # a test may read in its own thread what the server reads in another

    def write(self, chunk: bytes) -> None:
        """Append to the file.

        Raises:
            StorageFullError: If there is not enough room.
        """
        if self._budget is self._storage.memory and self.size + len(chunk) > MAX_IN_MEMORY:
            self._move_to_disk()
        self._budget.take(len(chunk))
        self.size += len(chunk)
        try:
            self._content.write(chunk)
            self._content.flush()
        except OSError as error:
            raise StorageFullError(f"The file cannot be stored: {error.strerror}") from None

    def _move_to_disk(self) -> None:
        self._storage.files.take(1)
        content, size, self.size = self.read(), self.size, 0
        self._budget.give_back(size)
        self._budget = self._storage.disk
        self._budget.take(size)
        self.size = size
        try:
            self._content = tempfile.TemporaryFile()  # noqa: SIM115
            self._content.write(content)
        except OSError as error:
            raise StorageFullError(f"The file cannot be stored: {error.strerror}") from None

    def read(self, offset: int = 0, size: int = -1) -> bytes:
        """Read from a position, by default everything."""
        with self._place:
            self._content.seek(offset)
            return self._content.read(size)

    def close(self) -> None:
        """Drop the content and give its room back."""
        if self._content.closed:
            return
        with suppress(OSError):  # a full disk
            self._content.close()
        self._budget.give_back(self.size)
        if self._budget is self._storage.disk:
            self._storage.files.give_back(1)


@attrs.frozen
class SandboxAttachment:
    """An attachment of a message: an uploaded file, or a URL that was given in its place."""

    id: str
    url: str
    filename: str
    content_type: str
    size: int
    file: UploadedFile | None = attrs.field(default=None, repr=False)

    def read(self) -> bytes:
        """Read the bytes that were uploaded; an attachment given as a URL has none."""
        if self.file is None:
            raise ValueError("an attachment given as a URL is not downloaded by the sandbox")
        return self.file.read()


def stored_attachment(file: UploadedFile, base_url: str) -> SandboxAttachment:
    """Keep an uploaded file as an attachment under a URL of the sandbox."""
    file.kept = True
    attachment = SandboxAttachment(str(uuid4()), "", file.filename, file.content_type, file.size, file)
    return attrs.evolve(attachment, url=stored_url(base_url, attachment))


def stored_url(base_url: str, attachment: SandboxAttachment) -> str:
    """Return the URL of an attachment whose file is stored here."""
    return f"{base_url}/files/{attachment.id}/{quote(attachment.filename, safe='', errors='replace')}"


def linked_attachment(url: str) -> SandboxAttachment:
    """Return an attachment for a URL, without downloading it."""
    filename = unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
    return SandboxAttachment(str(uuid4()), url, filename, guessed_type(filename), 0)


def media_type(header: str | None) -> str | None:
    """Return the media type of a Content-Type header, or None if it is not valid."""
    bare = (header or "").partition(";")[0].strip().lower()
    return bare if TYPE.fullmatch(bare) else None


def guessed_type(filename: str) -> str:
    """Guess the media type of a file name."""
    # Only the suffix: guess_type would take a name such as "data:..." for a URL.
    kind, packing = mimetypes.guess_type(f"file.{filename.rpartition('.')[2]}")
    return kind if kind and not packing else "application/octet-stream"


def serving_headers(attachment: SandboxAttachment) -> dict[str, str]:
    """Return headers with which a browser shows images, saves everything else and runs nothing."""
    kind = attachment.content_type if attachment.content_type in SAFE_TYPES else "application/octet-stream"
    place = "inline" if kind in INLINE_TYPES else "attachment"
    plain = UNSAFE_IN_HEADER.sub("_", attachment.filename)[:200]
    full = quote(attachment.filename[:200], safe="", errors="replace")
    return {
        "Content-Type": kind,
        "Content-Disposition": f"{place}; filename=\"{plain}\"; filename*=UTF-8''{full}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
