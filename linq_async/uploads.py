"""Attachments: what is uploaded, and how it is opened again for every attempt.

Nothing here awaits. What touches a disk is called in a thread by the transport.
"""

from __future__ import annotations

import io
import mimetypes
import os
import re
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import PurePath
from typing import Any, BinaryIO, Protocol, TypeAlias, Union, cast

import attrs

from linq_async.errors import InvalidArgumentError, Problem, UploadError
from linq_async.filenames import base_name

Chunks: TypeAlias = AsyncIterator[bytes]
Attachable: TypeAlias = Union["os.PathLike[str]", BinaryIO, "Upload"]  # a quoted name cannot be or-ed

_TYPES = mimetypes.MimeTypes(filenames=())  # the system's own tables would make a type depend on the machine
_OTHER_TYPES = {  # what phones send and Python's table lacks, or holds under an older name
    ".amr": "audio/amr",
    ".caf": "audio/x-caf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".vcf": "text/vcard",
    ".webp": "image/webp",
}
_ANY_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+( *;[\x20-\x7e]+)?")


class Reader(Protocol):
    """An open file of ours: read on, then closed."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to ``size`` bytes; none at the end."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


@attrs.frozen
class BytesSource:
    """Bytes in memory."""

    data: bytes = attrs.field(repr=False)


@attrs.frozen
class PathSource:
    """A file that is opened by its path, for each attempt."""

    path: str = attrs.field(repr=False)

    def stat(self) -> os.stat_result:
        """Return what the system says of the file, once it has let us open it."""
        if not stat.S_ISREG(os.stat(self.path).st_mode):  # opening a pipe would wait for its other end
            raise IsADirectoryError if os.path.isdir(self.path) else OSError("not a regular file")
        with open(self.path, "rb", buffering=0) as file:
            return os.fstat(file.fileno())

    def open(self) -> Reader:
        """Open the file."""
        return open(self.path, "rb", buffering=0)


@attrs.frozen
class HandleSource:
    """A caller's open file, read by position: neither moved nor closed, whoever else reads it."""

    file: BinaryIO = attrs.field(repr=False)
    start: int

    def stat(self) -> os.stat_result:
        """Return what the system says of the file."""
        return os.fstat(self.file.fileno())

    def open(self) -> Reader:
        """Return a reader of its own that starts where the file stood."""
        return _PositionReader(os.dup(self.file.fileno()), self.start)


@attrs.define
class _PositionReader:
    """Reads a duplicate of a descriptor, at a position of its own."""

    descriptor: int
    position: int

    def read(self, size: int, /) -> bytes:
        data = os.pread(self.descriptor, size, self.position)
        self.position += len(data)
        return data

    def close(self) -> None:
        os.close(self.descriptor)


@attrs.define
class ChunkSource:
    """A caller's stream: made anew by a factory, or given once."""

    factory: Callable[[], Chunks] | None = attrs.field(repr=False)
    once: Chunks | None = attrs.field(repr=False, default=None)

    def open(self) -> Chunks:
        """Return the stream, or raise LookupError where it was given once and is spent."""
        if self.factory is not None:
            return self.factory()
        chunks, self.once = self.once, None
        if chunks is None:
            raise LookupError
        return chunks

    @property
    def spent(self) -> bool:
        """Whether nothing can be read from it any more."""
        return self.factory is None and self.once is None


_ONE_READER = threading.Lock()  # for all objects: the same one may stand in several sends, each with a place of its own


@attrs.define
class CopySource:
    """A caller's readable object that is no file on disk: read once, into memory, when it is measured."""

    file: BinaryIO = attrs.field(repr=False)
    start: int | None
    _copy: bytes | None = attrs.field(default=None, repr=False)

    def data(self) -> bytes:
        """Return what can be read from where the object stood, and put it back there. May block."""
        with _ONE_READER:
            if self._copy is None:
                self._copy = self._read()
            return self._copy

    def _read(self) -> bytes:
        if self.start is None:
            return _bytes(self.file.read())
        stands = self.file.tell()
        self.file.seek(self.start)
        try:
            return _bytes(self.file.read())
        finally:
            self.file.seek(stands)


def _bytes(data: object) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"gives {type(data).__name__}, not bytes")
    return data


Source: TypeAlias = BytesSource | CopySource | PathSource | HandleSource | ChunkSource


@attrs.frozen
class Upload:
    """An attachment that can be opened again for every attempt. Made by one of the ``from_...`` methods."""

    filename: str
    """The name that the recipient sees, without folders."""
    content_type: str
    """The media type, from the name's ending where none was given."""
    source: Source = attrs.field(repr=False)
    size: int | None = attrs.field(default=None, repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, *, filename: str, content_type: str | None = None) -> Upload:
        """Attach bytes that are already in memory."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidArgumentError([Problem("data", "must be bytes")])
        return _named(filename, content_type, BytesSource(bytes(data)))

    @classmethod
    def from_path(
        cls, path: os.PathLike[str], *, filename: str | None = None, content_type: str | None = None
    ) -> Upload:
        """Attach a file by its path. It is opened anew for each attempt, and must not change meanwhile."""
        name = os.fspath(path)
        return _named(filename if filename is not None else PurePath(name).name, content_type, PathSource(name))

    @classmethod
    def from_file(cls, file: BinaryIO, *, filename: str | None = None, content_type: str | None = None) -> Upload:
        """Attach an open binary file, from where it stands now. It is neither moved nor closed.

        A file on disk is read by position, so that it may serve many sends at once; any other readable object is read
        into memory once, by the first send. Keep the file open until the send has ended.
        """
        problem = _unreadable(file)
        if problem is not None:
            raise InvalidArgumentError([Problem("file", problem)])
        name = filename if filename is not None else _name_of(file)
        if name is None:
            raise InvalidArgumentError([Problem("filename", "is needed, for this file has no name")])
        try:
            return _named(name, content_type, _source_of(file))
        except OSError as error:
            reason = reason_of(error)
        raise UploadError(name, reason)

    @classmethod
    def from_chunks(
        cls,
        chunks: Callable[[], Chunks] | Chunks,
        *,
        filename: str,
        size: int | None = None,
        content_type: str | None = None,
    ) -> Upload:
        """Attach a stream of bytes: a function that starts it anew for each attempt, or an async iterator.

        An async iterator can be read only once, so a send with one gets one attempt. Without ``size``, in bytes, the
        body goes out in chunks of unstated length.
        """
        if size is not None and (type(size) is not int or size < 0):
            raise InvalidArgumentError([Problem("size", "must be a number of bytes, 0 or more")])
        if isinstance(chunks, AsyncIterator):
            return _named(filename, content_type, ChunkSource(None, cast("Chunks", chunks)), size)  # type: ignore[redundant-cast]
        if not callable(chunks):
            raise InvalidArgumentError([Problem("chunks", "must be a function that returns an async iterator")])
        return _named(filename, content_type, ChunkSource(chunks), size)

    @property
    def replayable(self) -> bool:
        """Whether it can be read again for another attempt."""
        return not (isinstance(self.source, ChunkSource) and self.source.factory is None)

    @property
    def in_memory(self) -> bool:
        """Whether its bytes are at hand; else measuring and opening it may block, and belongs in a thread."""
        return isinstance(self.source, BytesSource | ChunkSource)

    def measure(self) -> int | None:
        """Return its size in bytes, None where it cannot be known. May block. Raises UploadError."""
        source = self.source
        if isinstance(source, BytesSource):
            return len(source.data)
        if isinstance(source, ChunkSource):
            if source.spent:
                raise UploadError(self.filename, "can be read only once, and it has been")
            return self.size
        try:
            if isinstance(source, CopySource):
                return len(source.data())
            return max(source.stat().st_size - getattr(source, "start", 0), 0)
        except Exception as error:  # noqa: BLE001  # whatever a caller's object raises: it is local, and never repeated
            reason = reason_of(error)
        raise UploadError(self.filename, reason)

    def open(self, size: int) -> Reader:
        """Open the file for one attempt. May block. Raises UploadError, also where its size is no longer ``size``."""
        if self.measure() != size:
            raise UploadError(self.filename, "has changed since it was measured")
        source = cast("PathSource | HandleSource", self.source)
        try:
            return source.open()
        except (OSError, ValueError) as error:
            reason = reason_of(error)
        raise UploadError(self.filename, reason)


def reason_of(error: Exception) -> str:
    """Say why something could not be read, without its path."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError):
        return "is a directory"
    if isinstance(error, TypeError) and str(error).startswith("gives "):
        return str(error)
    if isinstance(error, ValueError) and "closed file" in str(error):
        return "is closed"
    if isinstance(error, ValueError) and "null" in str(error):
        return "has a NUL in its path"
    told = isinstance(error, OSError | ValueError)
    return f"cannot be read: {getattr(error, 'strerror', None) or (error if told else type(error).__name__)}"


def content_type_of(filename: str) -> str:
    """Return the media type that a name's ending stands for."""
    suffix = PurePath(filename).suffix.lower()
    if suffix in _OTHER_TYPES:
        return _OTHER_TYPES[suffix]
    found, encoding = _TYPES.guess_type("name" + suffix)
    return found if found is not None and encoding is None else _ANY_TYPE


def as_upload(item: object) -> Upload | str:
    """Turn one entry of ``attachments`` into an Upload, or say what is wrong with it."""
    if isinstance(item, Upload):
        return item
    if isinstance(item, str):
        return "is a str: pass a pathlib.Path for a file, or attachment_urls for a URL"
    if isinstance(item, bytes | bytearray):
        return "is bytes, which have no name: use Upload.from_bytes"
    try:
        if isinstance(item, os.PathLike):
            return Upload.from_path(cast("os.PathLike[str]", item))
        if hasattr(item, "read"):
            return Upload.from_file(cast(BinaryIO, item))
    except InvalidArgumentError as error:
        return f"cannot be attached: {error}; use Upload.from_file"
    except UploadError as error:
        return error.reason
    return f"is a {type(item).__name__}: pass a Path, an open binary file or an Upload"


def _named(filename: str, content_type: str | None, source: Source, size: int | None = None) -> Upload:
    problems: list[Problem] = []
    name = base_name(filename) if isinstance(filename, str) else ""
    if not name:
        problems.append(Problem("filename", "must be a str that is not empty"))
    if content_type is not None and not _is_media_type(content_type):
        problems.append(Problem("content_type", "must look like image/png"))
    if problems:
        raise InvalidArgumentError(problems)
    return Upload(name, content_type or content_type_of(name), source, size)


def _is_media_type(value: object) -> bool:
    return isinstance(value, str) and _MEDIA_TYPE.fullmatch(value) is not None


def _unreadable(file: BinaryIO) -> str | None:
    """Say why an object cannot serve as an open binary file; None where it can."""
    if isinstance(file, io.TextIOBase):
        return "is open for text: open it with mode 'rb'"
    if not callable(getattr(file, "read", None)):
        return "has no read()"
    if getattr(file, "closed", False):
        return "is closed"
    readable: object = getattr(file, "readable", None)
    return "is not open for reading" if callable(readable) and not readable() else None


def _name_of(file: BinaryIO) -> str | None:
    name = getattr(file, "name", None)
    if not isinstance(name, str):
        return None
    unpacked = name.removesuffix(".gz") if type(file).__module__ == "gzip" else name
    return PurePath(unpacked).name or None


def _source_of(file: BinaryIO) -> Source:
    """Choose how a caller's file is read: by position where it is plainly a file on disk, else by a copy."""
    inner = _unwrapped(file)
    raw = inner.raw if type(inner) in {io.BufferedReader, io.BufferedRandom} else inner
    # Exactly this type: a GzipFile has a descriptor too, and it leads to the compressed bytes.
    if type(raw) is io.FileIO and hasattr(os, "pread") and stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        if file.writable():
            file.flush()
        return HandleSource(inner, file.tell())
    if type(inner) is io.BytesIO:
        return BytesSource(inner.getvalue()[inner.tell() :])
    movable = file.seekable() if hasattr(file, "seekable") else hasattr(file, "seek")
    return CopySource(file, file.tell() if movable else None)


def _unwrapped(file: Any) -> Any:
    """Look through the wrappers of tempfile, which add nothing to reading."""
    if isinstance(file, tempfile.SpooledTemporaryFile):
        return file.__dict__.get("_file", file)
    if type(file).__module__ == "tempfile":
        return getattr(file, "file", file)
    return file
