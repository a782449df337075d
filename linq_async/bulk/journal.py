"""The journal of a run, which is also its queue: one campaign in one SQLite file.

A run has two phases. The first loads the whole file: every row is checked, gets its key and is stored, and nothing is
sent. The second sends from the journal alone. A row is marked as begun, durably, before its request may leave.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson

from linq_async.bulk import statements as sql
from linq_async.bulk.campaign import Campaign, Message, messages
from linq_async.bulk.errors import (
    CampaignChange,
    CampaignChangedError,
    JournalError,
    Problems,
    RowProblem,
)
from linq_async.bulk.journal_file import journal_error, open_file, transaction
from linq_async.bulk.keys import idempotency_key
from linq_async.bulk.recipients import RecipientFile
from linq_async.bulk.records import Loaded, RunInfo, Slice, Timeline
from linq_async.bulk.rows import Counts, EndedRow, QueuedRow, RowResult, State
from linq_async.errors import LinqError
from linq_async.resources.coroutines import returns_coroutine

T = TypeVar("T")

BATCH = 2_000
"""Rows in one statement or page."""
BATCH_SIZE = 1 << 22
"""Characters in one statement, as far as rows are not longer."""


class Journal:
    """A journal file. Use it as ``async with Journal("run.db") as journal``.

    It is created for its owner alone, because it holds numbers and texts. One process at a time can open it. All work
    is done in one thread of its own.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        self.path: Path = Path(path)
        """The path of the file."""
        self.clock: Callable[[], float] = clock
        """The time that is written, in seconds since 1970."""
        self._thread: ThreadPoolExecutor | None = None
        self._db: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file, and create it if it does not exist.

        Raises:
            JournalInUseError: If another process uses it.
            JournalError: If it cannot be opened, or is not a journal.
        """
        if self._thread is not None:
            raise JournalError("the journal is open already")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="linq-journal")
        try:
            self._db = await self._run(lambda: open_file(self.path))
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the file, after the writes under way. A second call does nothing."""
        thread, self._thread = self._thread, None
        db, self._db = self._db, None
        if thread is not None:
            if db is not None:
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(thread, db.close))
            thread.shutdown(wait=False)

    # Not async: this frame holds phone numbers, and must not be in the traceback of a failed load.
    @returns_coroutine
    def load(
        self, campaign: Campaign, recipients: RecipientFile, *, suppressed: Iterable[str] = ()
    ) -> Coroutine[Any, Any, Loaded]:
        """Check and store all rows of a file, or resume: if the journal has this campaign, the file is only compared.

        ``suppressed`` are numbers in E.164 that must not be texted, as ``read_suppressed`` returns them. They also
        apply to the rows of a resumed run that have not begun.

        Raises:
            BulkInputError: If the file has problems. Nothing is stored.
            CampaignChangedError: If the journal has another campaign or file. Nothing is changed.
            JournalError: If the journal cannot be written.
        """
        listed = orjson.dumps(sorted(suppressed)).decode()
        return self._on_db(lambda db: self._load(db, campaign, recipients, listed))

    async def info(self) -> RunInfo | None:
        """Return what run the journal holds; None if it is empty."""
        return await self._on_db(_info)

    async def counts(self) -> Counts:
        """Return how many rows are in each state."""
        found = await self._on_db(lambda db: dict(db.execute(sql.COUNTS).fetchall()))
        return Counts(*[found.get(int(state), 0) for state in State])

    async def rows(self) -> AsyncGenerator[RowResult]:
        """Yield all rows in the order of the file."""
        after = 0
        while page := await self._fetched(sql.REPORT, (after, BATCH)):
            for row in page:
                result = RowResult(*row)
                result.state = State(result.state)
                yield result
            after = page[-1][0]

    async def timeline(self, buckets: int = 60) -> Timeline | None:
        """Return the results over time, in ``buckets`` equal stretches; None if there are none."""
        ((first, last),) = await self._fetched(sql.SPAN)
        if first is None:
            return None
        seconds = max((last - first) / buckets, 1e-3) * (1 + 1e-9)  # the last result belongs to the last stretch
        found = await self._fetched(sql.OVER_TIME, (first, seconds))
        slices = tuple(Slice(bucket, State(state), cause, count) for bucket, state, cause, count in found)
        return Timeline(first, seconds, buckets, slices)

    async def retry(self) -> int:
        """Give the failed rows new keys, so that the next run sends them again. Return how many there are.

        Only rows that were certainly not sent: never one that is unknown.
        """
        return await self._on_db(_retry)

    # Not async, as load.
    @returns_coroutine
    def suppress(self, numbers: Iterable[str]) -> Coroutine[Any, Any, int]:
        """Skip the rows of numbers that must not be texted any more. Return how many there are.

        A row in doubt becomes unknown, and is not sent again. ``load`` does this with its ``suppressed``.
        """
        listed = orjson.dumps(sorted(numbers)).decode()
        return self._on_db(lambda db: db.execute(sql.SUPPRESS, (listed,)).rowcount)

    async def settle(self, repeat_within: float) -> int:
        """Make rows in doubt unknown that began too long ago. Return how many there are."""
        now = self.clock()
        return await self._on_db(lambda db: db.execute(sql.SETTLE, (now, now - repeat_within)).rowcount)

    async def left(self, *, since: float | None = None) -> dict[str, int]:
        """Return how many rows each line has still to send; with ``since``, unknown ones that began later."""
        found = await self._fetched(sql.LEFT.format(condition=_condition(since)), {"since": since})
        return dict(found)

    async def next_rows(self, sender: str, after: int, limit: int, *, since: float | None = None) -> list[QueuedRow]:
        """Return the next rows of a line in the order of the file; with ``since`` as ``left`` does."""
        values = {"sender": sender, "after": after, "limit": limit, "since": since}
        found = await self._fetched(sql.NEXT.format(condition=_condition(since)), values)
        return [QueuedRow(*row) for row in found]

    async def begun_since(self, sender: str, since: float) -> tuple[int, float | None]:
        """Return how many rows of a line have begun after a time, and when the first of them did."""
        ((count, first),) = await self._fetched(sql.BEGUN_SINCE, (sender, since))
        return count, first

    async def write(self, begun: Sequence[QueuedRow], ended: Sequence[EndedRow]) -> None:
        """Write that rows begin, and the results of others, in one transaction. It is durable at the return.

        Sets ``started`` of the rows that begin.

        Raises:
            JournalError: If it cannot be written, for example because the disk is full.
        """
        now = self.clock()
        positions = orjson.dumps([row.position for row in begun]).decode()
        for row in begun:
            row.started = now
        results = orjson.dumps([one.values() for one in ended if not one.restored]).decode()
        restored = [(one.row.position, one.row.state, one.row.begun) for one in ended if one.restored]

        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                if begun:
                    db.execute(sql.BEGIN, (now, positions))
                if ended:
                    db.execute(sql.END, (results,))
                if restored:
                    db.execute(sql.RESTORE, (orjson.dumps(restored).decode(),))

        await self._on_db(work)

    async def finish(self) -> None:
        """Note that the run is finished, unless rows are left."""
        now = self.clock()
        await self._on_db(lambda db: db.execute(sql.FINISH, (now,)))

    def _load(self, db: sqlite3.Connection, campaign: Campaign, recipients: RecipientFile, listed: str) -> Loaded:
        source = recipients.fingerprint()
        found = _info(db)
        if found is not None:
            _compare(found, campaign, source)
        else:
            self._store(db, campaign, recipients, source)
        db.execute(sql.SUPPRESS, (listed,))
        if found is None:
            db.execute("UPDATE run SET loaded = ?", (self.clock(),))
        rows, suppressed, duplicates = db.execute(sql.SKIPPED).fetchone()
        return Loaded(rows, int(duplicates), int(suppressed), resumed=found is not None)

    def _store(self, db: sqlite3.Connection, campaign: Campaign, recipients: RecipientFile, source: str) -> None:
        """Store all rows. Until ``run.loaded`` is set, they count for nothing."""
        db.executescript(sql.CLEAR)
        settings = orjson.dumps(campaign.settings()).decode()
        values = (campaign.name, settings, source, self.clock())
        db.execute("INSERT INTO run VALUES (1, ?, ?, ?, ?, NULL, NULL)", values)
        problems = _insert(db, messages(campaign, recipients.rows(campaign.required)), self._check_open)
        if problems.count:
            db.executescript(sql.CLEAR)
            problems.check("the file has problems, so nothing was stored or sent")
        db.executescript(sql.INDEXES)
        db.execute(sql.DUPLICATES)

    async def _fetched(self, statement: str, values: Any = ()) -> list[Any]:
        return await self._on_db(lambda db: db.execute(statement, values).fetchall())

    async def _on_db(self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._check_open()
        return await self._run(lambda: work(db))

    def _check_open(self) -> sqlite3.Connection:
        if self._db is None:
            raise JournalError("the journal is not open: use `async with Journal(path)`")
        return self._db

    async def _run(self, work: Callable[[], T]) -> T:
        """Run something in the journal's thread. Errors of SQLite become JournalErrors without a cause."""
        try:
            # A write that is cancelled while it waits for the thread would lose results.
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))
        except (sqlite3.Error, UnicodeError) as error:  # SQLite quotes what it has read, whatever bytes these are
            failed: LinqError = journal_error(error)
        except LinqError as error:
            failed = error
        failed.__context__ = None
        raise failed.with_traceback(None)  # the frames of the thread hold phone numbers and texts

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _info(db: sqlite3.Connection) -> RunInfo | None:
    """Return the run, unless its load was interrupted."""
    found = db.execute("SELECT campaign, settings, source, created, loaded, finished FROM run").fetchone()
    if found is None or found[4] is None:
        return None
    return RunInfo(found[0], orjson.loads(found[1]), *found[2:])


def _compare(found: RunInfo, campaign: Campaign, source: str) -> None:
    """Raise CampaignChangedError if the journal has another campaign or file."""
    new = {**campaign.settings(), "file": source}
    old = {**found.settings, "file": found.source}
    changes = [CampaignChange(name, old.get(name, ""), new[name]) for name in new if old.get(name, "") != new[name]]
    if changes:
        names = ", ".join(change.name for change in changes)
        raise CampaignChangedError(
            f"the journal has another run: {names} changed; send it under another name and with another journal",
            changes=changes,
        )


def _insert(
    db: sqlite3.Connection, found: Iterator[Message | RowProblem], check_open: Callable[[], object]
) -> Problems:
    """Insert all rows up to the first problem. Return all problems."""
    problems = Problems()
    for batch in _batches(found):
        check_open()
        rows: list[tuple[int | str, ...]] = []
        for one in batch:
            if isinstance(one, RowProblem):
                problems.add(one)
            else:
                rows.append((one.number, one.key, one.recipient, one.row_id, one.sender, one.body))
        if not problems.count:
            db.execute(sql.INSERT, (orjson.dumps(rows).decode(),))
    return problems


def _batches(found: Iterator[Message | RowProblem]) -> Iterator[list[Message | RowProblem]]:
    """Yield what is found in lists, each of which takes a limited amount of memory."""
    batch: list[Message | RowProblem] = []
    size = 0
    for one in found:
        batch.append(one)
        if isinstance(one, Message):
            size += len(one.body)
        if len(batch) == BATCH or size > BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _retry(db: sqlite3.Connection) -> int:
    ((campaign,),) = db.execute("SELECT campaign FROM run").fetchall() or [("",)]
    after = total = 0
    with transaction(db):
        while page := db.execute(sql.FAILED, (after, BATCH)).fetchall():
            keys = [(row[0], idempotency_key(campaign, row[1], row[2], row[3]), row[3]) for row in page]
            db.execute(sql.AGAIN, (orjson.dumps(keys).decode(),))
            after, total = page[-1][0], total + len(page)
        if total:
            db.execute("UPDATE run SET finished = NULL")
    return total


def _condition(since: float | None) -> str:
    return sql.PENDING if since is None else sql.IN_DOUBT
