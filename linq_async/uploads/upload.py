"""The attachment itself, and what is accepted as one."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import PurePath
from typing import Any, BinaryIO, TypeAlias, Union, cast

import attrs

from linq_async.errors import InvalidArgumentError, Problem, UploadError
from linq_async.uploads.filenames import base_name
from linq_async.uploads.media_types import content_type_of, is_media_type
from linq_async.uploads.sources import (
    BytesSource,
    Chunks,
    ChunkSource,
    CopySource,
    HandleSource,
    PathSource,
    Reader,
    Source,
    reason_of,
)

Attachable: TypeAlias = Union["os.PathLike[str]", BinaryIO, "Upload"]  # a quoted name cannot be or-ed


@attrs.frozen
class Upload:
    """An attachment that can be opened again for every attempt. Made by one of the ``from_...`` methods."""

    filename: str = attrs.field(repr=False)
    """The name that the recipient sees, without folders. It may be personal, so no ``repr`` or error text shows it."""
    content_type: str
    """The media type, from the name's ending unless one was given."""
    source: Source = attrs.field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, *, filename: str, content_type: str | None = None) -> Upload:
        """Attach bytes that are already in memory.

        Raises:
            InvalidArgumentError: ``data`` is not bytes, or the name or the media type cannot be sent.
        """
        problems = [] if isinstance(data, bytes | bytearray | memoryview) else [Problem("data", "must be bytes")]
        problems += _name_problems(filename, content_type)
        if problems:
            del data  # a traceback shows it with this frame
            raise InvalidArgumentError(problems)
        return _named(filename, content_type, BytesSource(bytes(data)))

    @classmethod
    def from_path(
        cls, path: os.PathLike[str], *, filename: str | None = None, content_type: str | None = None
    ) -> Upload:
        """Attach a regular file by its path. It is opened anew for each attempt, and must not change meanwhile.

        A file that does not state its size, as in ``/proc``, is refused when it is sent.

        Raises:
            InvalidArgumentError: ``path`` is not a path, or the name or the media type cannot be sent.
        """
        found = _path_of(path)
        if isinstance(found, Problem):
            raise InvalidArgumentError([found])
        name = filename if filename is not None else PurePath(found).name
        problems = _name_problems(name, content_type)
        if problems:
            raise InvalidArgumentError(problems)
        return _named(name, content_type, PathSource(found))

    @classmethod
    def from_file(cls, file: BinaryIO, *, filename: str | None = None, content_type: str | None = None) -> Upload:
        """Attach an open binary file, from where it stands now. It is neither moved nor closed.

        A file on disk is read by position, so that it may serve many sends at once. Any other readable object is
        copied into memory once, by the first send: up to 100 MiB. Keep the file open until the send has ended.

        Raises:
            InvalidArgumentError: ``file`` is not an open binary file, or has no name and none is given.
            UploadError: The system refuses to tell where the file stands, or to write out what it buffers.
        """
        found = _source_and_name(file, filename)
        if isinstance(found, UploadError):
            raise found
        if isinstance(found, Problem):
            raise InvalidArgumentError([found])
        source, name = found
        problems = _name_problems(name, content_type)
        if problems:
            raise InvalidArgumentError(problems)
        return _named(name, content_type, source)

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

        The function must return a new iterator with the same bytes each time. An async iterator can be read only
        once, so a send with one gets one attempt. Without ``size``, in bytes, the body goes out in chunks of unstated
        length.

        Raises:
            InvalidArgumentError: ``chunks`` is neither, or the size, the name or the media type cannot be sent.
        """
        problems: list[Problem] = []
        if size is not None and (type(size) is not int or size < 0):
            problems.append(Problem("size", "must be a number of bytes, 0 or more"))
        if not callable(chunks) and not isinstance(chunks, AsyncIterator):
            problems.append(Problem("chunks", "must be a function that returns an async iterator"))
        problems += _name_problems(filename, content_type)
        if problems:
            raise InvalidArgumentError(problems)
        if isinstance(chunks, AsyncIterator):
            return _named(filename, content_type, ChunkSource(None, cast("Chunks", chunks), size))  # type: ignore[redundant-cast]
        return _named(filename, content_type, ChunkSource(chunks, None, size))

    @property
    def size(self) -> int | None:
        """The size that was declared for a stream, in bytes; None for all else."""
        return self.source.size if isinstance(self.source, ChunkSource) else None

    @property
    def replayable(self) -> bool:
        """Whether it can be read again for another attempt."""
        return self.source.replayable

    @property
    def in_memory(self) -> bool:
        """Whether measuring and opening it cannot block; otherwise both belong in a thread."""
        return not self.source.may_block

    def measure(self) -> int | None:
        """Return its size in bytes, None if it cannot be known. May block.

        Raises:
            UploadError: It cannot be read.
        """
        try:
            return self.source.measure()
        except Exception as error:  # noqa: BLE001  # whatever a caller's object raises: it is local, and never repeated
            reason = reason_of(error)
        raise UploadError(self.filename, reason)

    def open(self, size: int) -> Reader:
        """Open the file for one attempt. May block.

        Raises:
            UploadError: It cannot be read, or its size is no longer ``size``.
        """
        source = cast("PathSource | HandleSource", self.source)
        try:
            return source.open(size)
        except Exception as error:  # noqa: BLE001  # the same
            reason = reason_of(error)
        raise UploadError(self.filename, reason)


@attrs.frozen
class Unattachable:
    """An entry of ``attachments`` that was refused when the message was built."""

    reason: str


def as_upload(item: object) -> Upload | Unattachable:
    """Turn one entry of ``attachments`` into an Upload. Raises nothing, for its caller's frame holds the text."""
    if isinstance(item, Upload | Unattachable):
        return item
    if isinstance(item, str):
        return Unattachable("is a str: pass a pathlib.Path for a file, or attachment_urls for a URL")
    if isinstance(item, bytes | bytearray):
        return Unattachable("is bytes, which have no name: use Upload.from_bytes")
    try:
        if isinstance(item, os.PathLike):
            return Upload.from_path(cast("os.PathLike[str]", item))
        if hasattr(item, "read"):
            return Upload.from_file(cast(BinaryIO, item))
    except InvalidArgumentError as error:
        return Unattachable(f"cannot be attached: {error}; use Upload.from_file")
    except UploadError as error:
        return Unattachable(error.reason)
    except Exception as error:  # noqa: BLE001  # whatever an odd object raises when it is looked at
        return Unattachable(f"cannot be attached: it raised {type(error).__name__}")
    return Unattachable(f"is a {type(item).__name__}: pass a Path, an open binary file or an Upload")


def _name_problems(filename: object, content_type: object) -> list[Problem]:
    problems: list[Problem] = []
    if not isinstance(filename, str) or not base_name(filename):
        problems.append(Problem("filename", "must be a str that is not empty"))
    if content_type is not None and not is_media_type(content_type):
        problems.append(Problem("content_type", "must look like image/png"))
    return problems


def _named(filename: str, content_type: str | None, source: Source) -> Upload:
    name = base_name(filename)
    return Upload(name, content_type or content_type_of(name), source)


def _path_of(path: object) -> str | Problem:
    """Return a path as a str; one of bytes as the system would decode it."""
    if not isinstance(path, str | bytes | os.PathLike):
        return Problem("path", f"must be a pathlib.Path, not {type(path).__name__}")
    try:
        return os.fsdecode(cast("os.PathLike[str]", path))
    except Exception as error:  # noqa: BLE001  # whatever its __fspath__ raises
        return Problem("path", f"cannot be used: it raised {type(error).__name__}")


def _source_and_name(file: BinaryIO, filename: str | None) -> tuple[Source, str] | Problem | UploadError:
    """Return how a caller's file is read and what it is called, or what is wrong with it."""
    try:
        problem = _unreadable(file)
        if problem is not None:
            return Problem("file", problem)
        name = filename if filename is not None else _name_of(file)
        if name is None:
            return Problem("filename", "is required because the file has no name")
        return _source_of(file), name
    except OSError as error:
        return UploadError(filename or "", reason_of(error))
    except Exception as error:  # noqa: BLE001  # whatever a caller's object raises
        return Problem("file", f"cannot be used: it raised {type(error).__name__}")


def _unreadable(file: BinaryIO) -> str | None:
    """Say why an object cannot serve as an open binary file; None if it can."""
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
    """Choose how a caller's file is read: by position if it is plainly a file on disk, else by a copy."""
    inner = _unwrapped(file)
    raw = inner.raw if type(inner) in {io.BufferedReader, io.BufferedRandom} else inner
    # Exactly this type: a GzipFile has a descriptor too, and it leads to the compressed bytes.
    if type(raw) is io.FileIO and hasattr(os, "pread"):
        status = os.fstat(raw.fileno())
        if stat.S_ISREG(status.st_mode):
            if file.writable():
                file.flush()
            return HandleSource(inner, file.tell(), (status.st_dev, status.st_ino))
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
