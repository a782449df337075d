"""Lanes: the events of a chat run one at a time in order of arrival, and chats run in parallel."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import attrs

from linq_async.webhooks.events import Event, WebhookEvent

A = TypeVar("A", bound=Event)


@attrs.define(eq=False)
class Job:
    """An event that is in the inbox and not handled yet."""

    event: WebhookEvent = attrs.field(repr=False)
    key: str
    """The key of the event in the inbox."""
    result: asyncio.Future[BaseException | None] | None = None
    """Becomes None if the event was handled, or the reason why it was not. Only exists if a delivery waits for it."""
    taken: bool = False
    """Whether the handler of an earlier event has taken this one."""

    def end(self, error: BaseException | None = None) -> None:
        """Set the result, if a delivery waits for it."""
        if self.result is not None and not self.result.done():
            self.result.set_result(error)


class Burst:
    """A job that runs, and the waiting jobs of its lane that its handler has taken."""

    def __init__(self, job: Job, queue: deque[Job] | None = None) -> None:
        self.job = job
        self.taken: list[Job] = []
        """The jobs that end with this one, oldest first."""
        self.stopped: bool = False
        """Whether a drain has cancelled the handler."""
        self.ended: bool = False
        """Whether the handler has ended. From then on it takes nothing, and a drain does not cancel it."""
        self._queue: deque[Job] = deque() if queue is None else queue

    @property
    def jobs(self) -> list[Job]:
        """All jobs of the burst."""
        return [self.job, *self.taken]

    @property
    def waiting(self) -> int:
        """The number of jobs of the lane that wait and are not taken."""
        return 0 if self.ended else len(self._queue) - len(self.taken)

    def take_waiting(self, kind: type[A]) -> list[A]:
        """Take the waiting events of a class, oldest first: they end with the event that runs."""
        if self.ended:
            return []
        found: list[A] = []
        for job in self._queue:
            if not job.taken and isinstance(job.event, kind):
                job.taken = True
                self.taken.append(job)
                found.append(job.event)
        return found

    def give_back(self) -> None:
        """Let the taken jobs wait again, each in its place."""
        for job in self.taken:
            job.taken = False
        self.taken.clear()

    def end(self) -> None:
        """Remove the taken jobs from the lane."""
        self.ended = True
        if self.taken:
            rest = [job for job in self._queue if not job.taken]
            self._queue.clear()
            self._queue.extend(rest)


@attrs.define(eq=False)
class Lane:
    """The waiting jobs of one chat, or a single job without a chat."""

    chat_id: int | None
    queue: deque[Job] = attrs.field(repr=False)


class Lanes:
    """Runs jobs: a task for each chat that has any, up to a limit, and nothing for those that wait.

    Args:
        run: Runs a job to its end, and logs what goes wrong. Whatever it raises, the lane goes on.
        max_running: The limit of tasks.
    """

    def __init__(self, run: Callable[[Burst], Coroutine[Any, Any, None]], max_running: int) -> None:
        self._run = run
        self._max_running = max_running
        self._lanes: dict[int, Lane] = {}
        self._ready: deque[Lane] = deque()
        """The lanes with a job that may start, the longest waiting first."""
        self._running: dict[asyncio.Task[None], Burst] = {}
        self._jobs = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False

    def __len__(self) -> int:
        """Return the number of lanes that wait or run."""
        return len(self._lanes)

    @property
    def running(self) -> int:
        """The number of jobs that run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """The number of jobs that wait, with the places that are reserved."""
        return self._jobs - len(self._running)

    def running_keys(self) -> list[str]:
        """Return the keys of the jobs that run."""
        return [burst.job.key for burst in self._running.values()]

    async def idle(self) -> None:
        """Wait until no job waits or runs, and no place is reserved."""
        await self._idle.wait()

    def reserve(self) -> None:
        """Reserve a place for a job."""
        self._jobs += 1
        self._idle.clear()

    def release(self, count: int = 1) -> None:
        """Give places back."""
        self._jobs -= count
        if not self._jobs:
            self._idle.set()

    def add(self, job: Job) -> None:
        """Add a job, for which a place was reserved, to the end of its lane."""
        chat_id = job.event.chat_id
        lane = None if chat_id is None else self._lanes.get(chat_id)
        if lane is not None:
            lane.queue.append(job)
            return
        lane = Lane(chat_id, deque((job,)))
        if chat_id is not None:
            self._lanes[chat_id] = lane
        self._ready.append(lane)
        self._start()

    def _start(self) -> None:
        while self._ready and len(self._running) < self._max_running and not self._stopped:
            lane = self._ready.popleft()
            burst = Burst(lane.queue.popleft(), lane.queue)
            task = asyncio.create_task(self._run(burst))
            self._running[task] = burst
            task.add_done_callback(partial(self._ended, lane))

    def _ended(self, lane: Lane, task: asyncio.Task[None]) -> None:
        burst = self._running.pop(task)
        burst.end()
        if lane.queue:
            self._ready.append(lane)
        elif lane.chat_id is not None:
            del self._lanes[lane.chat_id]
        self._start()
        self.release(len(burst.jobs))
        if not task.cancelled():
            task.exception()  # so that asyncio does not report it: it is in the log

    def stop(self) -> tuple[list[Job], set[asyncio.Task[None]]]:
        """Start no more jobs, and cancel those whose handlers run. Return the jobs that wait, and the tasks."""
        self._stopped = True
        for task, burst in self._running.items():
            if not burst.ended:
                burst.stopped = True
                task.cancel()
        lanes = dict.fromkeys([*self._lanes.values(), *self._ready])
        return [job for lane in lanes for job in lane.queue if not job.taken], set(self._running)
