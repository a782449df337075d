"""The attachment, and conversion of what is accepted as one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import PurePath
from typing import BinaryIO, TypeAlias, Union, cast

import attrs

from linq_async.errors import InvalidArgumentError, Problem, UploadError
from linq_async.uploads.filenames import base_name
from linq_async.uploads.media_types import content_type_of, is_media_type
from linq_async.uploads.open_files import name_of, source_of, unreadable_reason
from linq_async.uploads.sources import (
    BytesSource,
    Chunks,
    ChunkSource,
    HandleSource,
    PathSource,
    Reader,
    Source,
    reason_of,
)

Attachable: TypeAlias = Union["os.PathLike[str]", BinaryIO, "Upload"]  # a quoted name does not support |


@attrs.frozen
class Upload:
    """An attachment that can be read again for each attempt. Use one of the ``from_...`` methods to create it."""

    filename: str = attrs.field(repr=False)
    """The name that the recipient sees, without folders. It may be personal, so errors and ``repr`` do not show it."""
    content_type: str
    """The media type. By default it is guessed from the file extension."""
    source: Source = attrs.field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, *, filename: str, content_type: str | None = None) -> Upload:
        """Attach bytes that are already in memory.

        Raises:
            InvalidArgumentError: If ``data`` is not bytes, or the name or media type cannot be sent.
        """
        problems = [] if isinstance(data, bytes | bytearray | memoryview) else [Problem("data", "must be bytes")]
        problems += _name_problems(filename, content_type)
        if problems:
            del data  # tracebacks show the local variables of this frame
            raise InvalidArgumentError(problems)
        return _named(filename, content_type, BytesSource(bytes(data)))

    @classmethod
    def from_path(
        cls, path: os.PathLike[str], *, filename: str | None = None, content_type: str | None = None
    ) -> Upload:
        """Attach a regular file by its path. It is opened for each attempt and must not change between them.

        A file that does not report its size, such as those in ``/proc``, is refused when it is sent.

        Raises:
            InvalidArgumentError: If ``path`` is not a path, or the name or media type cannot be sent.
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
        """Attach an open binary file from its current position. Neither is the position changed nor the file closed.

        A file on disk is read by position, so several sends can use it at once. Any other readable object is copied
        into memory by the first send, up to 100 MiB. Keep the file open until the send has ended.

        Raises:
            InvalidArgumentError: If ``file`` is not an open binary file, or has no name and you pass none.
            UploadError: If the position of the file cannot be read, or its buffer cannot be flushed.
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
        """Attach a stream of bytes: a function that returns an async iterator for each attempt, or one async iterator.

        The function must return a new iterator over the same bytes each time. An async iterator can be read only once,
        so its send is never retried. Without ``size``, in bytes, the body is sent with chunked transfer encoding.

        Raises:
            InvalidArgumentError: If ``chunks`` is neither, or the size, name or media type cannot be sent.
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
        """The declared size of a stream in bytes. None for all other sources."""
        return self.source.size if isinstance(self.source, ChunkSource) else None

    @property
    def replayable(self) -> bool:
        """Whether it can be read again for another attempt."""
        return self.source.replayable

    @property
    def in_memory(self) -> bool:
        """Whether measuring and opening it cannot block. Otherwise both must be done in a thread."""
        return not self.source.may_block

    def measure(self) -> int | None:
        """Return its size in bytes, or None if it is unknown. May block.

        Raises:
            UploadError: If it cannot be read.
        """
        try:
            return self.source.measure()
        except Exception as error:  # noqa: BLE001  # a caller's object may raise anything
            reason = reason_of(error)
        raise UploadError(self.filename, reason)

    def open(self, size: int) -> Reader:
        """Open the file for one attempt. May block.

        Raises:
            UploadError: If it cannot be read, or its size has changed.
        """
        source = cast("PathSource | HandleSource", self.source)
        try:
            return source.open(size)
        except Exception as error:  # noqa: BLE001  # as in measure
            reason = reason_of(error)
        raise UploadError(self.filename, reason)


@attrs.frozen
class Unattachable:
    """Replaces an entry of ``attachments`` that cannot be attached. Holds the reason."""

    reason: str


def as_upload(item: object) -> Upload | Unattachable:
    """Convert an entry of ``attachments``. Never raises, because the caller's frame holds the text."""
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
    except Exception as error:  # noqa: BLE001  # a caller's object may raise anything
        return Unattachable(f"cannot be attached: it raised {type(error).__name__}")
    return Unattachable(f"is a {type(item).__name__}: pass a Path, an open binary file or an Upload")


def _name_problems(filename: object, content_type: object) -> list[Problem]:
    problems: list[Problem] = []
    if not isinstance(filename, str) or not base_name(filename):
        problems.append(Problem("filename", "must be a non-empty str"))
    if content_type is not None and not is_media_type(content_type):
        problems.append(Problem("content_type", "must look like image/png"))
    return problems


def _named(filename: str, content_type: str | None, source: Source) -> Upload:
    name = base_name(filename)
    return Upload(name, content_type or content_type_of(name), source)


def _path_of(path: object) -> str | Problem:
    """Return a path as a str. Bytes are decoded as the operating system does."""
    if not isinstance(path, str | bytes | os.PathLike):
        return Problem("path", f"must be a pathlib.Path, not {type(path).__name__}")
    try:
        return os.fsdecode(cast("os.PathLike[str]", path))
    except Exception as error:  # noqa: BLE001  # a caller's __fspath__ may raise anything
        return Problem("path", f"cannot be used: it raised {type(error).__name__}")


def _source_and_name(file: BinaryIO, filename: str | None) -> tuple[Source, str] | Problem | UploadError:
    """Return the source and name of a caller's file, or what is wrong with it."""
    try:
        problem = unreadable_reason(file)
        if problem is not None:
            return Problem("file", problem)
        name = filename if filename is not None else name_of(file)
        if name is None:
            return Problem("filename", "is required because the file has no name")
        return source_of(file), name
    except OSError as error:
        return UploadError(filename or "", reason_of(error))
    except Exception as error:  # noqa: BLE001  # a caller's object may raise anything
        return Problem("file", f"cannot be used: it raised {type(error).__name__}")
