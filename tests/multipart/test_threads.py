"""No disk is touched on the loop's thread."""

from __future__ import annotations

import gzip
import io
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from linq_async import Upload
from linq_async.uploads import sources

from .kinds import BIG, HANDLES, OFFSET, Workshop
from .recorder import BUSY, Recorder
from .sending import client, send


class _Reads(io.FileIO):
    """A file that notes which thread reads it."""

    noted: set[int]

    def read(self, size: int | None = -1, /) -> bytes:
        self.noted.add(threading.get_ident())
        return super().read(-1 if size is None else size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Give the threads that open or read a file, as they come to be noted."""
    noted: set[int] = set()

    def note(call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **options: Any) -> Any:
            noted.add(threading.get_ident())
            return call(*args, **options)

        return noting

    def opened(path: str, mode: str, **_: Any) -> _Reads:
        file = _Reads(path, mode)
        file.noted = noted
        return file

    monkeypatch.setattr(os, "pread", note(os.pread))
    monkeypatch.setattr(sources, "open", note(opened), raising=False)
    return noted


DISK_KINDS = [name for name in HANDLES if "BytesIO" not in name and "memory" not in name and "gzip" not in name]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["Path", *DISK_KINDS])
async def test_files_are_read_in_other_threads(server: Recorder, workshop: Workshop, disk: set[int], kind: str) -> None:
    """Measuring, opening and reading happen in other threads, on the first attempt and on the second."""
    attachment = (
        workshop.file("a.pdf") if kind == "Path" else Upload.from_file(HANDLES[kind](workshop), filename="a.pdf")
    )
    server.script[:] = [BUSY]
    async with client(server) as linq:
        await send(linq, attachment)
    assert disk
    assert threading.get_ident() not in disk
    assert server.log[1].body.count(BIG[OFFSET:]) == 1


@pytest.mark.asyncio
async def test_a_file_that_decodes_is_read_in_another_thread(server: Recorder, workshop: Workshop) -> None:
    """A compressed file that is attached inside a coroutine is not read and unpacked on the loop's thread."""
    below = workshop.enter_context(_Reads(workshop.file("a.gz", gzip.compress(BIG, 1))))
    below.noted = set()
    handle: Any = workshop.enter_context(gzip.GzipFile(filename="a.pdf", fileobj=below))
    async with client(server) as linq:
        await send(linq, handle)
    assert server.log[0].body.count(BIG) == 1
    assert threading.get_ident() not in below.noted
