"""A caller's open files: whether they can be read, what they are called, and how they are read."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from pathlib import PurePath
from typing import Any, BinaryIO

from linq_async.uploads.sources import BytesSource, CopySource, HandleSource, Source


def unreadable_reason(file: BinaryIO) -> str | None:
    """Return why an object cannot be read as an open binary file, or None if it can."""
    if isinstance(file, io.TextIOBase):
        return "is open for text: open it with mode 'rb'"
    if not callable(getattr(file, "read", None)):
        return "has no read()"
    if getattr(file, "closed", False):
        return "is closed"
    readable: object = getattr(file, "readable", None)
    return "is not open for reading" if callable(readable) and not readable() else None


def name_of(file: BinaryIO) -> str | None:
    """Return the file name of an open file, or None if it has none."""
    name = getattr(file, "name", None)
    if not isinstance(name, str):
        return None
    unpacked = name.removesuffix(".gz") if type(file).__module__ == "gzip" else name
    return PurePath(unpacked).name or None


def source_of(file: BinaryIO) -> Source:
    """Choose the source of a caller's file: by position if it is certainly a file on disk, else a copy."""
    inner: Any = file
    if isinstance(file, tempfile.SpooledTemporaryFile):
        inner = file.__dict__.get("_file", file)
    elif type(file).__module__ == "tempfile":  # its wrappers do not change how the file is read
        inner = getattr(file, "file", file)
    raw = inner.raw if type(inner) in {io.BufferedReader, io.BufferedRandom} else inner
    # Exactly this type: a GzipFile also has a descriptor, but of the compressed bytes.
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
