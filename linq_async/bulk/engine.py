"""One run: a feeder for each line, workers that send, and one writer.

A row goes from its feeder, when its turn has come, to the writer, which makes it durable that the row begins; then to a
worker, which sends it; and back to the writer with its result. Whatever gathers while a transaction is under way goes
into the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from linq_async.bulk.errors import JournalError
from linq_async.bulk.journal import Journal
from linq_async.bulk.line import Line
from linq_async.bulk.pacing import Pacing
from linq_async.bulk.progress import Meter, Progress, Waits
from linq_async.bulk.rows import Counts, EndedRow, QueuedRow, RowResult, State
from linq_async.bulk.stopping import Stopped, StopWatch
from linq_async.client import LinqClient
from linq_async.errors import (
    AuthenticationError,
    ClientStateError,
    KeyReusedError,
    LinqError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)
from linq_async.models.chats import CreatedChat
from linq_async.models.outgoing import NewChat
from linq_async.timing import Timing
from linq_async.wire.comparison import Likeness, recipients_likeness, text_likeness

AHEAD = 0.1
"""Seconds: how far ahead of the workers rows are marked as begun, at the current rate."""
FLUSH = 0.25
"""Seconds: the longest time until a result is on disk."""
ROUNDS = (2.0, 8.0, 30.0)
"""Seconds before each round that sends unknown rows again, under the same keys."""
RATE_LIMITED = 30.0
"""Seconds to wait after a 429 without Retry-After that outlasted the retries of its call."""
LONGEST_WAIT = 3_600.0
UNPUBLISHED = 16
"""Batches of results that may wait for the caller. A caller that takes none stops the run."""

REPLAYED = "replayed"
"""The error of a row that was sent by an earlier run, with another journal."""

_STATES = {Outcome.SENT: State.SENT, Outcome.UNKNOWN: State.UNKNOWN, Outcome.NOT_SENT: State.FAILED}


class Engine:
    """The state and the tasks of one run."""

    def __init__(
        self,
        linq: LinqClient,
        journal: Journal,
        *,
        concurrency: int,
        pacing: Pacing,
        watch: StopWatch,
        repeat_within: float,
        timing: Timing,
        waits: Waits,
        limit: int | None,
    ) -> None:
        self.results: asyncio.Queue[list[RowResult]] = asyncio.Queue(UNPUBLISHED)
        """Results that are on disk."""
        self.stopped: Stopped | None = None
        self._linq = linq
        self._journal = journal
        self._concurrency = concurrency
        self._pacing = pacing
        self._watch = watch
        self._repeat_within = repeat_within
        self._timing = timing
        self._waits = waits
        self._limit = limit
        self._lines: dict[str, Line] = {}
        self._meter = Meter(timing.clock)
        self._counts = [0] * len(State)
        self._turned: list[QueuedRow] = []
        self._ready: asyncio.Queue[QueuedRow | None] = asyncio.Queue()
        self._ended: list[EndedRow] = []
        self._unsettled = 0
        """Rows that have had their turn, and whose result is not on disk."""
        self._accepted = False
        """Whether the server has accepted a row of this run."""
        self._target = concurrency
        """How many rows may wait for a worker."""
        self._restored = False
        """Whether a row was given back in this pass, and is to be sent in another."""
        self._closing = False
        self._feeding: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._space = asyncio.Event()
        self._written = asyncio.Event()

    def progress(self) -> Progress:
        """Return what a display shows."""
        rate = self._meter.rate
        left = sum(line.rows for line in self._lines.values())
        seconds: float | None = max((line.seconds_left for line in self._lines.values()), default=0.0)
        if not self._pacing.gap and left:
            seconds = max(seconds or 0.0, left / rate) if rate else None
        return Progress(Counts(*self._counts), rate, self._waits.current(), seconds, self.stopped)

    def stop(self, stopped: Stopped) -> None:
        """Start no more rows, and let those under way end."""
        if self.stopped is None:
            self.stopped = stopped
            for task in self._feeding:
                task.cancel()

    async def run(self) -> None:
        """Send everything that is to be sent.

        Raises:
            JournalError: If nothing is loaded, or the journal cannot be written. Nothing is sent any more.
            ClientStateError: If the client is closed.
        """
        if await self._journal.info() is None:  # rows of a load that was interrupted are not checked against each other
            raise JournalError("the journal has no campaign: load one first")
        await self._journal.settle(self._repeat_within)
        counts = await self._journal.counts()
        self._counts = [counts.pending, counts.begun, counts.sent, counts.failed, counts.unknown, counts.skipped]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                for _ in range(self._concurrency):
                    group.create_task(self._work())
                await self._passes(group)
                self._closing = True
                self._wake.set()
                for _ in range(self._concurrency):
                    self._ready.put_nowait(None)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._write_rest()
        await self._journal.finish()

    async def _passes(self, group: asyncio.TaskGroup) -> None:
        """Send all pending rows, and then the unknown ones again, in up to three rounds."""
        waits = iter(ROUNDS)
        while self.stopped is None:
            self._restored = False
            await self._pass(group, since=None)
            if self._restored:
                continue
            since = self._journal.clock() - self._repeat_within
            wait = next(waits, None)
            if wait is None or self.stopped is not None or not await self._journal.left(since=since):
                return
            self._waits.hold(None, "second_pass", wait)
            await self._feed_from([group.create_task(self._sleep(wait))])
            await self._pass(group, since=since)

    async def _sleep(self, seconds: float) -> None:
        await self._timing.sleep(seconds)

    async def _pass(self, group: asyncio.TaskGroup, *, since: float | None) -> None:
        """Send the pending rows of all lines once; with ``since``, the unknown ones that began later."""
        left = await self._journal.left(since=since)
        page = max(8, 4 * self._target // max(len(left), 1))
        for sender, rows in left.items():
            self._line(sender).rows = rows if self._limit is None else min(rows, self._limit)
        feeders = [group.create_task(self._feed(self._line(sender), page, since)) for sender in left]
        await self._feed_from(feeders)
        while self._unsettled:
            self._written.clear()
            self._wake.set()
            await self._written.wait()

    async def _feed_from(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for tasks that ``stop`` cancels."""
        self._feeding = list(tasks)
        if self.stopped is not None:
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _line(self, sender: str) -> Line:
        line = self._lines.get(sender)
        if line is None:
            line = Line(sender, self._journal, self._pacing, self._timing, self._waits, self._all_written)
            self._lines[sender] = line
        return line

    async def _feed(self, line: Line, page: int, since: float | None) -> None:
        """Give the rows of a line, each in its turn, to the writer."""
        after = 0
        while rows := await self._journal.next_rows(line.sender, after, page, since=since):
            for row in rows:
                if self._limit == 0 and row.begun is None:
                    return
                while len(self._turned) + self._ready.qsize() >= self._target:
                    self._space.clear()
                    await self._space.wait()
                await line.turn(is_new=row.begun is None)
                self._take(row)
            after = rows[-1].position

    def _take(self, row: QueuedRow) -> None:
        """Take a row whose turn has come. If it began too long ago, the server may have forgotten its key."""
        now = self._journal.clock()
        if row.begun is None or now - row.begun <= self._repeat_within:
            self._turned.append(row)
        elif row.state == State.BEGUN:
            self._ended.append(EndedRow(row, State.UNKNOWN, now, error="in doubt"))
        else:
            return
        self._unsettled += 1
        if self._limit is not None and row.begun is None:
            self._limit -= 1
        self._nudge()

    async def _work(self) -> None:
        while (row := await self._ready.get()) is not None:
            if self._ready.qsize() <= self._target // 3:
                self._space.set()
                if self._turned:
                    self._wake.set()
            ended = _not_sent(row) if self.stopped is not None else await self._send(row)
            self._ended.append(ended)  # not in one step: the list may be replaced during the await
            self._nudge()

    async def _send(self, row: QueuedRow) -> EndedRow:
        try:
            message = row.message()
            chat = await self._linq.chats.send(message)
            if _is_another(message, chat):
                raise KeyReusedError(result=chat)
        except ClientStateError:
            raise
        except LinqError as error:
            return self._failed(row, error)
        status = chat.message.delivery_status
        self._accepted = True
        self._watch.note(failed=False)
        self._line(row.sender).note(status)
        ended = EndedRow(row, State.SENT, self._journal.clock(), chat.attempts, chat.id, chat.message.id)
        ended.delivery_status = None if status is None else str(status)
        if chat.replayed and row.begun is None:  # a run with another journal has used the name of the campaign
            ended.error = REPLAYED
        return ended

    def _failed(self, row: QueuedRow, error: LinqError) -> EndedRow:
        """Return what became of a row. What is wrong with the token or the rate gives a row back that was not sent."""
        if isinstance(error, RateLimitError):
            self._waits.hold(None, "rate_limited", min(error.retry_after or RATE_LIMITED, LONGEST_WAIT))
        is_refused = isinstance(error, AuthenticationError) or (
            isinstance(error, PermissionDeniedError) and not self._accepted
        )
        if is_refused:
            self.stop(Stopped("rejected", f"the server rejected the token: {_cause(error)}"))
        if error.outcome is Outcome.NOT_SENT and (is_refused or isinstance(error, RateLimitError)):
            self._restored = True
            if self._limit is not None and row.begun is None:
                self._limit += 1
            return _not_sent(row)
        ended = _ended(row, error, self._journal.clock())
        stopped = self._watch.note(failed=ended.state is not State.SENT, cause=_cause(error))
        if stopped is not None:
            self.stop(stopped)
        return ended

    def _nudge(self) -> None:
        """Wake the writer if workers need rows, or everything under way has ended."""
        if self._is_urgent():
            self._wake.set()

    def _is_urgent(self) -> bool:
        if self._turned and self._ready.qsize() <= self._target // 3:
            return True
        return self._closing or 0 < self._unsettled == len(self._ended)

    async def _write(self) -> None:
        """Write what begins and what has ended, until the run is over."""
        while not self._closing or self._unsettled:
            self._wake.clear()
            if not self._is_urgent():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH):
                        await self._wake.wait()
            turned, self._turned = self._turned, []
            ended, self._ended = self._ended, []
            if turned or ended:
                await self._journal.write(turned, ended)
                self._settle(turned, ended)
                await self._publish(ended)
            self._written.set()

    def _settle(self, turned: list[QueuedRow], ended: list[EndedRow]) -> None:
        """Count what is on disk, and let the rows that begin go to the workers."""
        for row in turned:
            self._counts[row.state] -= 1
            self._ready.put_nowait(row)
        self._counts[State.BEGUN] += len(turned) - len(ended)
        for one in ended:
            self._counts[one.row.state if one.restored else one.state] += 1
        self._unsettled -= len(ended)
        self._meter.add(sum(not one.restored for one in ended))
        self._target = max(self._concurrency, int(self._meter.latest * AHEAD))
        self._space.set()

    async def _publish(self, ended: list[EndedRow]) -> None:
        results = [one.result() for one in ended if not one.restored]
        if results:
            await self.results.put(results)

    async def _all_written(self) -> None:
        """Wait until every row that has had its turn is marked as begun on disk."""
        while self._turned:
            self._written.clear()
            self._wake.set()
            await self._written.wait()

    async def _write_rest(self) -> None:
        """After an error or a cancellation: keep the results, and give back the rows that have not left."""
        ended, self._ended = self._ended, []
        while not self._ready.empty():
            row = self._ready.get_nowait()
            if row is not None:
                ended.append(_not_sent(row))
        if ended:
            with contextlib.suppress(JournalError):
                await asyncio.shield(self._journal.write([], ended))


def _not_sent(row: QueuedRow) -> EndedRow:
    """Return the result of a row that gets its earlier state back."""
    return EndedRow(row, State(row.state), 0.0, restored=True)


def _is_another(message: NewChat, chat: CreatedChat) -> bool:
    """Return whether the server has kept an earlier message under the key. For a derived key, that is not an error."""
    if not chat.replayed:
        return False
    shown = [handle.phone_number for handle in chat.chat_handles]
    people = recipients_likeness(message.phone_numbers, message.send_from, shown)
    return max(people, text_likeness(message.text, chat.message.text)) >= Likeness.UNLIKE


def _ended(row: QueuedRow, error: LinqError, now: float) -> EndedRow:
    """Return the result of a failed send. FAILED means that ``retry`` may send a second message, so it must be certain.

    It is not if an earlier run or round may have sent the row. A KeyReusedError is unknown, whatever its outcome says
    of this text: the server has stored a message of this campaign for this recipient.
    """
    state = _STATES[error.outcome]
    if state is State.FAILED and (row.state != State.PENDING or isinstance(error, KeyReusedError)):
        state = State.UNKNOWN
    ended = EndedRow(row, state, now, error.attempts, status=getattr(error, "status", None), error=type(error).__name__)
    shown: Any = error.result if isinstance(error, KeyReusedError) else None
    if shown is not None:
        ended.chat_id, ended.message_id = shown.id, shown.message.id
    return ended


def _cause(error: LinqError) -> str:
    status = getattr(error, "status", None)
    return type(error).__name__ if status is None else f"{type(error).__name__} {status}"
