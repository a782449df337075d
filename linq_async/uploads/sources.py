"""The five sources of an attachment's bytes.

Sources raise SourceError, or whatever the system or a caller's object raises; ``reason_of`` puts it into words.
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
"""How much of a readable object that is not a file on disk is copied into memory."""
_COPY_CHUNK_BYTES = 256 << 10
_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # Windows has neither


class SourceError(Exception):
    """Says why a source cannot be read, in words that follow the attachment's name."""


class Reader(Protocol):
    """A file opened for one attempt: read to its end, then closed."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to ``size`` bytes; none at the end."""
        ...

    def close(self) -> None:
        """Release the descriptor."""
        ...


class Source(ABC):
    """Where an attachment's bytes come from."""

    __slots__ = ()

    @property
    def replayable(self) -> bool:
        """Whether it can be read again for another attempt."""
        return True

    @property
    def may_block(self) -> bool:
        """Whether measuring or opening it may block, so that it belongs in a thread."""
        return True

    @property
    def progress(self) -> int:
        """A number that changes as long as ``measure`` gets on."""
        return 0

    @abstractmethod
    def measure(self) -> int | None:
        """Return its size in bytes, None if it cannot be known."""


@attrs.frozen
class BytesSource(Source):
    """Bytes in memory."""

    data: bytes = attrs.field(repr=False)

    @property
    def may_block(self) -> bool:
        """It cannot."""
        return False

    def measure(self) -> int:
        """Return the number of bytes."""
        return len(self.data)


@attrs.frozen
class PathSource(Source):
    """A file that is opened by its path for each attempt."""

    path: str = attrs.field(repr=False)

    def measure(self) -> int:
        """Return the file's size, once the system has let us open it."""
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
        _check_kind(os.stat(self.path))  # opening a pipe would disturb whoever writes to it
        file = open(self.path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
        try:
            _check_kind(os.fstat(file.fileno()))  # it may have been replaced by a pipe meanwhile
        except BaseException:
            file.close()
            raise
        return file


@attrs.frozen
class HandleSource(Source):
    """A caller's open file, read by position: neither moved nor closed, whoever else reads it."""

    file: BinaryIO = attrs.field(repr=False)
    start: int
    identity: tuple[int, int] = attrs.field(repr=False)
    """The device and inode: once the file is closed, its descriptor may lead to another one."""

    def measure(self) -> int:
        """Return how many bytes follow the place where the file stood."""
        descriptor = os.dup(self.file.fileno())
        try:
            size = self._size(descriptor)
            _check_size(size, os.pread(descriptor, 1, self.start + max(size - 1, 0)))
            return size
        finally:
            os.close(descriptor)

    def open(self, size: int) -> Reader:
        """Return a reader of its own that starts where the file stood."""
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
            raise SourceError("was closed, and its descriptor leads to another file now")
        return max(status.st_size - self.start, 0)


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


_CHANGED = "has changed since it was measured"


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | _NONBLOCK)


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise SourceError("cannot be read: not a regular file")


def _check_size(size: int, last: bytes) -> None:
    """Refuse a file whose size is not the number of its bytes. ``last`` is its last byte, or what an empty file has."""
    if bool(size) != bool(last):
        raise SourceError(
            "does not state its true size, as files in /proc and /sys do not: read it, and attach the bytes"
        )


@attrs.define
class ChunkSource(Source):
    """A caller's stream: started anew by a factory, or given once."""

    factory: Callable[[], Chunks] | None = attrs.field(repr=False)
    once: Chunks | None = attrs.field(repr=False, default=None)
    size: int | None = None
    _latest: Callable[[], Chunks | None] = attrs.field(repr=False, default=lambda: None)

    @property
    def replayable(self) -> bool:
        """Whether a factory can start it again."""
        return self.factory is not None

    @property
    def may_block(self) -> bool:
        """It is measured by what was declared."""
        return False

    def measure(self) -> int | None:
        """Return the size that was declared."""
        if self.factory is None and self.once is None:
            raise SourceError(_SPENT)
        return self.size

    def open(self) -> Chunks:
        """Start the stream. Raises SourceError if it can only have ended, and what the factory raises."""
        if self.factory is not None:
            return self._fresh(self.factory())
        chunks, self.once = self.once, None
        if chunks is None:
            raise SourceError(_SPENT)
        return chunks

    def _fresh(self, chunks: Chunks) -> Chunks:
        """Refuse an iterator that was handed out before: what it gave then, it will not give again."""
        if not isinstance(chunks, AsyncIterator):
            if inspect.iscoroutine(chunks):
                chunks.close()
            raise SourceError(f"starts with {type(chunks).__name__}, not an async iterator")
        if self._latest() is chunks:
            raise SourceError("has a function that returned the same iterator twice: it must start a new one each time")
        self._latest = _weakly(chunks)
        return chunks


_SPENT = "can be read only once, and it has been"


def _weakly(chunks: Chunks) -> Callable[[], Chunks | None]:
    try:
        return weakref.ref(chunks)
    except TypeError:  # a class with __slots__
        return lambda: chunks


class _Turn:
    """The right to read and move one object. Counts what has been read, so that those who wait see it get on."""

    __slots__ = ("__weakref__", "count", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


_TURNS: weakref.WeakValueDictionary[int, _Turn] = weakref.WeakValueDictionary()
_TURNS_LOCK = threading.Lock()


def _turn_of(source: CopySource) -> _Turn:
    """Return the turn for the source's object, which others may have attached, too."""
    with _TURNS_LOCK:
        return _TURNS.setdefault(id(source.file), _Turn())


@attrs.define
class CopySource(Source):
    """A caller's readable object that is not a file on disk: copied into memory once, when it is measured."""

    file: BinaryIO = attrs.field(repr=False)
    start: int | None
    _copy: bytes | None = attrs.field(default=None, repr=False, init=False)
    _turn: _Turn = attrs.field(default=attrs.Factory(_turn_of, takes_self=True), repr=False, init=False)

    @property
    def progress(self) -> int:
        """How many reads of the object have returned."""
        return self._turn.count

    @property
    def data(self) -> bytes:
        """What was copied, once it has been measured."""
        assert self._copy is not None
        return self._copy

    def measure(self) -> int:
        """Copy what follows the place where the object stood, and return its size. The object is put back there."""
        if self._copy is None:
            with self._turn.lock:
                if self._copy is None:
                    self._copy = self._read()
        return len(self._copy)

    def _read(self) -> bytes:
        if self.start is None:
            return self._rest()
        stands = self.file.tell()
        self.file.seek(self.start)
        try:
            return self._rest()
        finally:
            self.file.seek(stands)

    def _rest(self) -> bytes:
        copy = io.BytesIO()
        while data := _bytes(self.file.read(_COPY_CHUNK_BYTES)):
            self._turn.count += 1
            if copy.tell() + len(data) > MAX_COPY_BYTES:
                raise SourceError(
                    f"gives more than {MAX_COPY_BYTES >> 20} MiB, the most that is copied into memory: "
                    "attach a path, or use Upload.from_chunks"
                )
            copy.write(data)
        return copy.getvalue()


def _bytes(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    if inspect.iscoroutine(data):
        data.close()  # it would complain that nobody has awaited it
    raise SourceError(f"gives {type(data).__name__}, not bytes")


def reason_of(error: BaseException) -> str:
    """Say why something could not be read, without its path or any of its bytes."""
    if isinstance(error, SourceError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError):
        return "is a directory"
    if isinstance(error, ValueError) and "closed file" in str(error):
        return "is closed"
    if isinstance(error, ValueError) and "null" in str(error):
        return "has a NUL in its path"
    number = error.errno if isinstance(error, OSError) else None
    return f"cannot be read: {os.strerror(number) if isinstance(number, int) else type(error).__name__}"
