"""The five sources that the bytes of an attachment can come from.

A source raises SourceError, or whatever the system or a caller's object raises. ``reason_of`` describes the failure.
"""

from __future__ import annotations

import inspect
import io
import os
import stat
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, Protocol, TypeAlias

import attrs

Chunks: TypeAlias = AsyncIterator[bytes]

MAX_COPY_BYTES = 100 << 20
"""The maximum size of a readable object that is not a file on disk, which is copied into memory."""
_COPY_CHUNK_BYTES = 256 << 10
_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # Windows has neither


class SourceError(Exception):
    """The reason why a source cannot be read, as a predicate that follows the attachment's name."""


class Reader(Protocol):
    """A file that is open for one attempt. It is read to its end and closed."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to ``size`` bytes, or none at the end."""
        ...

    def close(self) -> None:
        """Close the file descriptor."""
        ...


class Source(ABC):
    """Base of the sources of an attachment's bytes."""

    __slots__ = ()

    @property
    def replayable(self) -> bool:
        """Whether it can be read again for another attempt."""
        return True

    @property
    def may_block(self) -> bool:
        """Whether measuring or opening it may block, and must be done in a thread."""
        return True

    @property
    def progress(self) -> int:
        """A number that changes while ``measure`` makes progress."""
        return 0

    @abstractmethod
    def measure(self) -> int | None:
        """Return its size in bytes, or None if it is unknown."""


@attrs.frozen
class BytesSource(Source):
    """Bytes in memory."""

    data: bytes = attrs.field(repr=False)

    @property
    def may_block(self) -> bool:
        """Always False."""
        return False

    def measure(self) -> int:
        """Return the number of bytes."""
        return len(self.data)


@attrs.frozen
class PathSource(Source):
    """A file that is opened by its path for each attempt."""

    path: str = attrs.field(repr=False)

    def measure(self) -> int:
        """Open the file and return its size."""
        with self._opened() as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(size - 1, 0))
            _check_size(size, file.read(1))
            return size

    def open(self, size: int) -> Reader:
        """Open the file, which must still have this size."""
        file = self._opened()
        if os.fstat(file.fileno()).st_size != size:
            file.close()
            raise SourceError(_CHANGED)
        return file

    def _opened(self) -> io.FileIO:
        _check_kind(os.stat(self.path))  # before it is opened: opening a pipe would affect its writer
        file = open(self.path, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | _NONBLOCK))  # noqa: SIM115
        try:
            _check_kind(os.fstat(file.fileno()))  # it may have been replaced by a pipe since
        except BaseException:
            file.close()
            raise
        return file


@attrs.frozen
class HandleSource(Source):
    """A caller's open file. It is read by position, and neither moved nor closed."""

    file: BinaryIO = attrs.field(repr=False)
    start: int
    identity: tuple[int, int] = attrs.field(repr=False)
    """Device and inode. After the file is closed, its descriptor may refer to another file."""

    def measure(self) -> int:
        """Return the number of bytes after the start position."""
        descriptor = os.dup(self.file.fileno())
        try:
            size = self._size(descriptor)
            _check_size(size, os.pread(descriptor, 1, self.start + max(size - 1, 0)))
            return size
        finally:
            os.close(descriptor)

    def open(self, size: int) -> Reader:
        """Return an independent reader at the start position."""
        descriptor = os.dup(self.file.fileno())
        try:
            if self._size(descriptor) != size:
                raise SourceError(_CHANGED)
        except BaseException:
            os.close(descriptor)
            raise
        return _PositionReader(descriptor, self.start)

    def _size(self, descriptor: int) -> int:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self.identity:
            raise SourceError("was closed, and its descriptor now refers to another file")
        return max(status.st_size - self.start, 0)


@attrs.define
class _PositionReader:
    """Reads a duplicated descriptor at its own position."""

    descriptor: int
    position: int

    def read(self, size: int, /) -> bytes:
        data = os.pread(self.descriptor, size, self.position)
        self.position += len(data)
        return data

    def close(self) -> None:
        os.close(self.descriptor)


_CHANGED = "has changed since it was measured"


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise SourceError("cannot be read: not a regular file")


def _check_size(size: int, last: bytes) -> None:
    """Refuse a file that reports a wrong size. ``last`` is its last byte, or what reading an empty file returns."""
    if bool(size) != bool(last):
        raise SourceError("does not report its true size, like files in /proc and /sys: read it and attach the bytes")


@attrs.define
class ChunkSource(Source):
    """A caller's stream: a factory that can restart it, or an iterator that can be read once."""

    factory: Callable[[], Chunks] | None = attrs.field(repr=False)
    once: Chunks | None = attrs.field(repr=False, default=None)
    size: int | None = None
    _latest: Callable[[], Chunks | None] = attrs.field(repr=False, default=lambda: None)

    @property
    def replayable(self) -> bool:
        """Whether there is a factory that can restart it."""
        return self.factory is not None

    @property
    def may_block(self) -> bool:
        """Always False: its size is the declared one."""
        return False

    def measure(self) -> int | None:
        """Return the declared size."""
        if self.factory is None and self.once is None:
            raise SourceError(_READ_ALREADY)
        return self.size

    def open(self) -> Chunks:
        """Start the stream.

        Raises:
            SourceError: If it has been read already.
            Exception: Whatever the factory raises.
        """
        if self.factory is not None:
            return self._checked(self.factory())
        chunks, self.once = self.once, None
        if chunks is None:
            raise SourceError(_READ_ALREADY)
        return chunks

    def _checked(self, chunks: Chunks) -> Chunks:
        """Refuse an iterator that was returned before: it has been read already."""
        if not isinstance(chunks, AsyncIterator):
            if inspect.iscoroutine(chunks):
                chunks.close()
            raise SourceError(f"has a function that returned {type(chunks).__name__}, not an async iterator")
        if self._latest() is chunks:
            raise SourceError("has a function that returned the same iterator twice: it must return new ones")
        try:
            self._latest = weakref.ref(chunks)
        except TypeError:  # a class with __slots__
            self._latest = lambda: chunks
        return chunks


_READ_ALREADY = "can be read only once and has been read already"


class _ReadLock:
    """Serializes the reads of one object, and counts them so that waiting tasks can see progress."""

    __slots__ = ("__weakref__", "count", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


_LOCKS: weakref.WeakValueDictionary[int, _ReadLock] = weakref.WeakValueDictionary()
_GUARD = threading.Lock()


def _lock_of(source: CopySource) -> _ReadLock:
    """Return the lock of the source's object, which other sends may have attached too."""
    with _GUARD:
        return _LOCKS.setdefault(id(source.file), _ReadLock())


@attrs.define
class CopySource(Source):
    """A caller's readable object that is not a file on disk. It is copied into memory once, when it is measured."""

    file: BinaryIO = attrs.field(repr=False)
    start: int | None
    _copy: bytes | None = attrs.field(default=None, repr=False, init=False)
    _read_lock: _ReadLock = attrs.field(default=attrs.Factory(_lock_of, takes_self=True), repr=False, init=False)

    @property
    def progress(self) -> int:
        """The number of completed reads of the object."""
        return self._read_lock.count

    @property
    def data(self) -> bytes:
        """The copied bytes. ``measure`` must have been called."""
        assert self._copy is not None
        return self._copy

    def measure(self) -> int:
        """Copy the bytes after the start position and return their number. The object's position is restored."""
        if self._copy is None:
            with self._read_lock.lock:
                if self._copy is None:
                    self._copy = self._read()
        return len(self._copy)

    def _read(self) -> bytes:
        if self.start is None:
            return self._read_all()
        position = self.file.tell()
        self.file.seek(self.start)
        try:
            return self._read_all()
        finally:
            self.file.seek(position)

    def _read_all(self) -> bytes:
        copy = io.BytesIO()
        while data := _bytes(self.file.read(_COPY_CHUNK_BYTES)):
            self._read_lock.count += 1
            if copy.tell() + len(data) > MAX_COPY_BYTES:
                raise SourceError(
                    f"has more than {MAX_COPY_BYTES >> 20} MiB, the maximum that is copied into memory: "
                    "attach a path or use Upload.from_chunks"
                )
            copy.write(data)
        return copy.getvalue()


def _bytes(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    if inspect.iscoroutine(data):
        data.close()  # otherwise Python warns that it was never awaited
    raise SourceError(f"returned {type(data).__name__}, not bytes")


def reason_of(error: BaseException) -> str:
    """Return why something could not be read, without its path or content."""
    if isinstance(error, SourceError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError):
        return "is a directory"
    if isinstance(error, ValueError) and "closed file" in str(error):
        return "is closed"
    if isinstance(error, ValueError) and "null" in str(error):
        return "has a NUL character in its path"
    number = error.errno if isinstance(error, OSError) else None
    return f"cannot be read: {os.strerror(number) if isinstance(number, int) else type(error).__name__}"
