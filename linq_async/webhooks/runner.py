"""A dispatcher while it runs: takes events into the inbox, and runs their handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Generic, Literal

import attrs

from linq_async.client import LinqClient
from linq_async.errors import DecodeError
from linq_async.timing import Timing
from linq_async.webhooks.context import Context, State
from linq_async.webhooks.events import WebhookEvent, event_key
from linq_async.webhooks.inbox import Accepted, HandlerFailedError, Inbox, NotAcceptedError
from linq_async.webhooks.lanes import Burst, Job, Lanes
from linq_async.webhooks.memory_inbox import MemoryInbox
from linq_async.webhooks.parsing import parse
from linq_async.webhooks.routes import Failure, Routes

HANDLED_SECONDS = 8.0
"""How long a delivery waits for the handler with ``ack="handled"``. Linq gives up after 10 s."""
GRACE_SECONDS = 5.0
"""How long handlers that were cancelled may take to end."""
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
IDS_IN_A_LINE = 50

logger: logging.Logger = logging.getLogger("linq_async.webhooks")


@attrs.frozen(kw_only=True)
class DispatcherSettings:
    """The settings of a dispatcher."""

    name: str
    inbox: Inbox
    ack: Literal["taken", "handled"]
    max_running: int
    max_waiting: int
    attempts: int
    drain_seconds: float
    timing: Timing
    first_wait: float = FIRST_WAIT
    """Seconds before the second attempt. Each further wait is twice as long, up to ``LONGEST_WAIT``."""


class Runner(Generic[State]):
    """Runs the handlers of one dispatcher, for one client and state, until it is drained."""

    def __init__(self, settings: DispatcherSettings, routes: Routes[State], linq: LinqClient, state: State) -> None:
        self._settings = settings
        self._inbox = settings.inbox
        self._routes = routes
        self._linq = linq
        self._state = state
        self._refusal: str | None = "the dispatcher is starting"
        """Why no event is accepted."""
        self._draining = False
        self._runs_again: bool = settings.ack == "taken" and not isinstance(settings.inbox, MemoryInbox)
        """Whether an event that is left unhandled runs at the next start, and is not delivered again."""
        self._takes: set[asyncio.Task[Accepted]] = set()
        self._awaited: dict[str, Job] = {}
        """The jobs by key, with ``ack="handled"``: a delivery of the same event waits for the same result."""
        self._unhandled: list[Job] = []
        self.lanes: Lanes = Lanes(self._run, settings.max_running)

    async def restore(self) -> None:
        """Run the events again that were not handled when the inbox was left."""
        if not list(self._routes):
            logger.warning("the dispatcher has no handlers: every event is answered with 200 and dropped")
        ignored: list[Job] = []
        for body in await self._inbox.unfinished():
            try:
                event = parse(body)
            except DecodeError as error:
                logger.error("an event in the inbox cannot be decoded: %s", error)
                continue
            job = self._job(event, event_key(event))
            if self._routes.match(event):
                self.lanes.reserve()
                self.lanes.add(job)
            else:
                ignored.append(job)
        if self.lanes.waiting or self.lanes.running:
            logger.info("%d events were left unhandled, and run again", self.lanes.waiting + self.lanes.running)
        await self._settle(ignored, None)
        self._refusal = None

    async def accept(self, event: WebhookEvent) -> Accepted:
        """Take an event. With ``ack="handled"``, wait for its handler."""
        if self._refusal is not None:
            raise NotAcceptedError(self._refusal)
        if not self._routes.match(event):
            return Accepted.IGNORED
        key = event_key(event)
        joined = self._awaited.get(key)
        if joined is not None:
            await self._result(joined)
            return Accepted.DUPLICATE
        if self.lanes.waiting >= self._settings.max_waiting:
            raise NotAcceptedError(
                f"{self.lanes.waiting} events wait: raise max_running if the handlers mostly wait themselves, "
                "or run another dispatcher"
            )
        job = self._job(event, key)
        accepted = await self._take_unless_cancelled(job)
        if job.result is not None and accepted is Accepted.NEW:
            await self._result(job)
        return accepted

    def _job(self, event: WebhookEvent, key: str) -> Job:
        job = Job(event, key)
        if self._settings.ack == "handled":
            job.result = asyncio.get_running_loop().create_future()
            self._awaited[job.key] = job
        return job

    async def _take_unless_cancelled(self, job: Job) -> Accepted:
        """Take a job, even if the delivery is cancelled meanwhile: its key would be claimed for nothing."""
        self.lanes.reserve()
        if type(self._inbox) is MemoryInbox:  # it never waits, so nothing can be cancelled
            return await self._take(job)
        task = asyncio.create_task(self._take(job))
        self._takes.add(task)
        task.add_done_callback(self._takes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise NotAcceptedError(_SHUTTING_DOWN) from None
            raise

    async def _take(self, job: Job) -> Accepted:
        new = False
        try:
            new = await self._inbox.take(job.key, job.event.body)
        except BaseException as error:
            self._end(job, error)
            raise
        finally:
            if not new:
                self.lanes.release()
        if not new:
            self._end(job, None)
            return Accepted.DUPLICATE
        self.lanes.add(job)
        return Accepted.NEW

    async def handle(self, event: WebhookEvent, burst: Burst) -> Failure[State] | None:
        """Run the handler of an event until it succeeds or no attempt is left. Return the failure of the last one."""
        attempt = 1
        while True:
            context = Context(
                event, self._linq, state=self._state, name=self._settings.name, attempt=attempt, lane=burst
            )
            failure = await self._routes.run(context)
            if failure is None or burst.stopped or attempt == self._settings.attempts:
                return failure
            burst.give_back()
            wait = min(self._settings.first_wait * 2 ** (attempt - 1), LONGEST_WAIT)
            error = type(failure.error).__name__
            first = failure.error if attempt == 1 else None
            text = "%s: attempt %d failed with %s, again in %g s"
            logger.warning(text, event_key(event), attempt, error, wait, exc_info=first)
            await self._settings.timing.sleep(wait)
            attempt += 1

    async def _run(self, burst: Burst) -> None:
        error: BaseException | None = None
        try:
            failure = await self.handle(burst.job.event, burst)
            if failure is not None:
                error = failure.error
                logger.error(_FAILED, burst.job.key, exc_info=error)
                if burst.stopped:  # perhaps it failed because it was cancelled
                    self._leave(burst.jobs)
                    return
                await failure.report()
        except asyncio.CancelledError as raised:
            task = asyncio.current_task()
            assert task is not None
            if task.cancelling() and (self._draining or self._runs_again):
                self._leave(burst.jobs)
                raise
            error = raised
            logger.error(_FAILED, burst.job.key, exc_info=error)
        except BaseException as raised:
            logger.error(_FAILED, burst.job.key, exc_info=raised)
            if burst.stopped or isinstance(raised, _ENDS_THE_LOOP):
                self._leave(burst.jobs)
                raise
            error = raised
        burst.end()
        await self._settle(burst.jobs, error)

    async def _settle(self, jobs: Sequence[Job], error: BaseException | None) -> None:
        if len(jobs) == 1:
            await self._record(jobs[0], error)
        else:
            await asyncio.gather(*[self._record(job, error) for job in jobs])

    async def _record(self, job: Job, error: BaseException | None) -> None:
        try:
            if error is None:
                await self._inbox.done(job.key)
            else:
                await self._inbox.failed(job.key, type(error).__name__)
        except Exception:
            logger.exception("%s: its end could not be stored, so it may run again", job.key)
        finally:
            self._end(job, error)

    def _end(self, job: Job, error: BaseException | None) -> None:
        self._awaited.pop(job.key, None)
        job.end(error)

    async def _result(self, job: Job) -> None:
        assert job.result is not None
        if not await done_within(self._settings.timing, HANDLED_SECONDS, job.result):
            raise NotAcceptedError(f"{job.key}: the handler has not ended within {HANDLED_SECONDS:g} s")
        error = job.result.result()
        if isinstance(error, NotAcceptedError):
            raise NotAcceptedError(str(error))
        if error is not None:
            raise HandlerFailedError(f"{job.key}: the handler failed with {type(error).__name__}")

    async def drain(self) -> None:
        """Accept nothing more, and wait until all events are handled. After ``drain_seconds``, cancel the others."""
        self._draining, self._refusal = True, _SHUTTING_DOWN
        idle = asyncio.ensure_future(self.lanes.idle())
        try:
            await done_within(self._settings.timing, self._settings.drain_seconds, idle)
        finally:
            idle.cancel()
            await self._stop()

    async def _stop(self) -> None:
        waiting, tasks = self.lanes.stop()
        for take in self._takes:
            take.cancel()
        pending = {*tasks, *self._takes}
        try:
            if pending:
                ended = asyncio.ensure_future(asyncio.wait(pending))
                if not await done_within(self._settings.timing, GRACE_SECONDS, ended):
                    text = "%d handlers have not ended %g s after they were cancelled: %s"
                    logger.error(text, self.lanes.running, GRACE_SECONDS, ", ".join(self.lanes.running_keys()))
                ended.cancel()
        finally:
            self._leave(waiting)
            self.lanes.release(len(waiting))
            self._report_unhandled()

    def _leave(self, jobs: list[Job]) -> None:
        """Note that jobs are not handled, unless the inbox still has them at the next start."""
        self._unhandled += jobs
        for job in jobs:
            self._end(job, NotAcceptedError("the dispatcher was shut down before the handler had ended"))
        if not self._draining:
            self._report_unhandled()

    def _report_unhandled(self) -> None:
        keys = [job.key for job in self._unhandled]
        self._unhandled.clear()
        if self._settings.ack == "taken" and isinstance(self._inbox, MemoryInbox):
            for start in range(0, len(keys), IDS_IN_A_LINE):
                some = keys[start : start + IDS_IN_A_LINE]
                logger.error("%d events are lost, because they were in memory: %s", len(some), ", ".join(some))
        elif keys:
            when = "run at the next start" if self._runs_again else "will be delivered again"
            logger.warning("%d events are not handled yet, and %s", len(keys), when)


_SHUTTING_DOWN = "the dispatcher is shutting down"
_FAILED = "%s: the handler failed"
_ENDS_THE_LOOP = KeyboardInterrupt, SystemExit, GeneratorExit
"""What cannot be stored in the inbox, because nothing can be awaited after it."""


async def done_within(timing: Timing, seconds: float, future: asyncio.Future[Any]) -> bool:
    """Wait until a future is done, but not longer than this. Return whether it is. It is not cancelled."""
    timer = asyncio.ensure_future(timing.sleep(seconds))
    try:
        await asyncio.wait({future, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return future.done()
