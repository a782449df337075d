"""An inbox in an SQLite file, which survives its process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from linq_async.errors import InvalidArgumentError, Problem
from linq_async.webhooks.inbox import InboxError, keep_problems
from linq_async.webhooks.sqlite_file import Batch, InboxFile


@attrs.frozen(eq=False)
class Pending:
    """What the next transaction will write, and who waits for it."""

    batch: Batch = attrs.field(factory=Batch)
    takes: list[tuple[str, asyncio.Future[bool]]] = attrs.field(factory=list[tuple[str, "asyncio.Future[bool]"]])
    ends: list[asyncio.Future[None]] = attrs.field(factory=list["asyncio.Future[None]"])

    def __bool__(self) -> bool:
        return bool(self.takes or self.ends)

    def resolve(self, new: set[str]) -> None:
        """Set the results. Of several that took the same key, the first one has it."""
        for key, future in self.takes:
            if not future.done():
                future.set_result(key in new)
            new.discard(key)
        for ended in self.ends:
            if not ended.done():
                ended.set_result(None)

    def fail(self, message: str) -> None:
        """Raise an error in everybody who waits."""
        waiting: list[asyncio.Future[Any]] = [*[future for _, future in self.takes], *self.ends]
        for future in waiting:
            if not future.done():
                future.set_exception(InboxError(message))  # one for each, because raising adds to its traceback


class SqliteInbox:
    """Stores events in an SQLite file. Those that are not handled when the process is killed run at the next start.

    A dispatcher opens the file when it starts, and closes it when it ends. Meanwhile no other process can open it.
    Only the user of the process may read it (mode 0600), because it contains texts and phone numbers. The body of an
    event is deleted once it is handled, and its key after the time to keep it. An event whose handler failed keeps
    its body for that time: docs/inbox.md describes how to run it again.

    Args:
        path: The path of the file. It is created if it does not exist.
        keep: For how long the keys of events are remembered.
        clock: Returns the time in seconds since 1970; for tests.

    Raises:
        InvalidArgumentError: If ``keep`` is not a timedelta above 0, or the path is not that of a file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        keep: timedelta = timedelta(days=7),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        problems = keep_problems(keep)
        if os.fspath(path) in ("", ":memory:"):
            problems.append(Problem("path", "must be the path of a file: use a MemoryInbox for memory"))
        if "\0" in os.fspath(path):
            problems.append(Problem("path", "must not contain a NUL character"))
        if problems:
            raise InvalidArgumentError(problems)
        self._path = Path(path)
        self._keep_seconds = keep.total_seconds()
        self._clock = clock
        self._file: InboxFile | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._pending = Pending()
        self._writing: asyncio.Future[set[str]] | None = None

    def __repr__(self) -> str:
        return f"<SqliteInbox {str(self._path)!r}, {'closed' if self._thread is None else 'open'}>"

    async def __aenter__(self) -> Self:
        """Open the file. A dispatcher does this.

        Raises:
            InboxError: If it is in use, is not an inbox, or cannot be read or written.
        """
        if self._thread is not None:
            raise InboxError(f"{self._path} is open already: each dispatcher needs an inbox of its own")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="linq_async-inbox")
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except BaseException:
            self._close_soon()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is left, and close the file."""
        try:
            while self._writing is not None:
                await asyncio.wait([self._writing])
        finally:
            closed = self._close_soon()
        await asyncio.wrap_future(closed)

    async def take(self, key: str, body: bytes) -> bool:
        """Store an event, and return True once it is on the disk; return False if its key is known.

        Raises:
            InboxError: If it cannot be stored.
        """
        if not body:
            raise InboxError("an event without a body cannot be stored: make events with unwrap or parse")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.batch.taken.append((key, body))
        self._pending.takes.append((key, future))
        del body  # tracebacks show the local variables of this frame
        self._flush()
        return await future

    async def done(self, key: str) -> None:
        """Keep the key and delete the body.

        Raises:
            InboxError: If that cannot be stored.
        """
        self._pending.batch.done.append(key)
        await self._ended()

    async def failed(self, key: str, error: str) -> None:
        """Keep the body and give up the key: another delivery is new.

        Raises:
            InboxError: If that cannot be stored.
        """
        self._pending.batch.failed.append((key, error))
        await self._ended()

    async def unfinished(self) -> Sequence[bytes]:
        """Return the bodies of the events that are neither done nor failed, oldest first.

        Raises:
            InboxError: If the file is not open or cannot be read.
        """
        if self._file is None:
            raise InboxError(self._not_open())
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._file.unfinished)

    async def _ended(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.ends.append(future)
        self._flush()
        await future

    def _flush(self) -> None:
        """Write what is pending, unless a transaction is under way: what arrives meanwhile is written in the next."""
        if self._writing is not None or not self._pending:
            return
        pending, self._pending = self._pending, Pending()
        if self._file is None or self._thread is None:
            pending.fail(self._not_open())
            return
        self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._file.write, pending.batch)
        self._writing.add_done_callback(partial(self._written, pending))

    def _written(self, pending: Pending, writing: asyncio.Future[set[str]]) -> None:
        self._writing = None
        error = writing.exception()
        if error is None:
            pending.resolve(writing.result())
        else:
            known = isinstance(error, InboxError)
            pending.fail(str(error) if known else f"{self._path} cannot be used: {type(error).__name__}")
        self._flush()

    def _open(self) -> None:
        self._file = InboxFile(self._path, self._keep_seconds, self._clock)

    def _close_soon(self) -> Future[None]:
        """Close the file after what the thread does now, and end the thread."""
        assert self._thread is not None
        closed = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        self._thread = None
        return closed

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _not_open(self) -> str:
        return f"{self._path} is not open: use it as the inbox of a dispatcher that runs"
