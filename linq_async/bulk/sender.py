"""``BulkSender``: sends what a journal holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from linq_async.bulk.engine import Engine
from linq_async.bulk.journal import Journal
from linq_async.bulk.pacing import Pacing
from linq_async.bulk.progress import Progress, Wait, Waits
from linq_async.bulk.rows import Counts, RowResult
from linq_async.bulk.stopping import Stopped, StopRules, StopWatch
from linq_async.client import LinqClient
from linq_async.errors import ClientStateError, InvalidArgumentError, Problem
from linq_async.timing import Timing


class BulkSender:
    """Sends the rows of a journal, each line at its pace. After any kind of end, another run goes on with the rest.

    The client should have at least ``concurrency`` connections.
    """

    def __init__(
        self,
        linq: LinqClient,
        journal: Journal,
        *,
        concurrency: int = 20,
        pacing: Pacing = Pacing(),  # noqa: B008  # frozen
        stop: StopRules = StopRules(),  # noqa: B008
        repeat_within: float = 3_600.0,
        timing: Timing = Timing(),  # noqa: B008
        on_wait: Callable[[Wait], None] | None = None,
    ) -> None:
        """Check the settings. They may differ between two runs of one journal.

        Args:
            linq: The client. Its retry policy applies to each row.
            journal: The journal, with its rows loaded.
            concurrency: How many messages may be under way at once, over all lines.
            pacing: How fast each line sends.
            stop: When failures end the run.
            repeat_within: Seconds after its first attempt during which a row in doubt is sent again under its key. How
                long a key is kept by the server is not documented, so later it stays unknown.
            timing: The clock, the sleep and the random numbers of the pace.
            on_wait: Called when a line, or all of them, begin to wait for another reason than the pace. It must not
                raise.

        Raises:
            InvalidArgumentError: If a value is out of range.
        """
        problems: list[Problem] = []
        if type(concurrency) is not int or not 1 <= concurrency <= 10_000:
            problems.append(Problem("concurrency", "must be an int from 1 to 10000"))
        if not isinstance(repeat_within, int | float) or not repeat_within >= 0:
            problems.append(Problem("repeat_within", "must be a number of seconds from 0"))
        if problems:
            raise InvalidArgumentError(problems)
        self._linq = linq
        self._journal = journal
        self._concurrency = concurrency
        self._pacing = pacing
        self._rules = stop
        self._repeat_within = repeat_within
        self._timing = timing
        self._on_wait = on_wait
        self._engine: Engine | None = None
        self._is_running = False

    @property
    def counts(self) -> Counts:
        """How many rows are in each state, as they are on disk. All are 0 before the run begins."""
        return self.progress().counts

    @property
    def stopped(self) -> Stopped | None:
        """Why the last run stopped before its end; None if it did not."""
        return None if self._engine is None else self._engine.stopped

    def progress(self) -> Progress:
        """Return what a display shows. Cheap enough to be called several times a second."""
        if self._engine is None:
            return Progress(Counts(), 0.0, (), None, None)
        return self._engine.progress()

    def stop(self, message: str = "stop was called") -> None:
        """End the run: no row starts any more, those under way end, and their results are yielded."""
        if self._engine is not None:
            self._engine.stop(Stopped("requested", message))

    async def run(self, *, limit: int | None = None) -> AsyncGenerator[RowResult]:
        """Send, and yield the result of each row once it is on disk.

        ``limit`` is the maximum number of rows that start in this run, for a test send. A row whose result is unknown
        is sent up to three more times at the end, under the same key, and yields a result each time. If the caller
        leaves the loop early, requests under way are cancelled: use ``contextlib.aclosing`` to wait for that.

        Raises:
            InvalidArgumentError: If ``limit`` is out of range.
            JournalError: If the journal has no campaign, or cannot be read or written. Nothing is sent any more.
            ClientStateError: If the client is closed, or this sender runs already.
        """
        if limit is not None and (type(limit) is not int or limit < 1):
            raise InvalidArgumentError([Problem("limit", "must be an int above 0, or None")])
        if self._is_running:
            raise ClientStateError("this BulkSender runs already")
        waits = Waits(self._timing.clock, self._journal.clock, self._on_wait)
        engine = self._engine = Engine(
            self._linq,
            self._journal,
            concurrency=self._concurrency,
            pacing=self._pacing,
            watch=StopWatch(self._rules),
            repeat_within=self._repeat_within,
            timing=self._timing,
            waits=waits,
            limit=limit,
        )
        self._is_running = True
        task = asyncio.create_task(engine.run())
        try:
            while not (task.done() and engine.results.empty()):
                getter = asyncio.create_task(engine.results.get())
                await asyncio.wait([task, getter], return_when=asyncio.FIRST_COMPLETED)
                if not getter.done():
                    getter.cancel()
                    continue
                for result in getter.result():
                    yield result
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._is_running = False
            if not task.cancelled():
                task.exception()  # the caller has left: otherwise asyncio would log that it was never retrieved
