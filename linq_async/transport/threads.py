"""Threads for calls that may block on a file.

The default executor of the loop has few threads, and resolves host names as well: a few files that block forever would
hold up every connection, and the end of the program.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from linq_async.uploads import SourceError

MAX_THREADS = 256
"""How many files may block before others wait for a thread."""
IDLE_SECONDS = 5.0

P = ParamSpec("P")
T = TypeVar("T")


class FileThreads:
    """Runs each call on an idle thread or on a new one. The threads do not keep the program alive."""

    def __init__(self, max_threads: int = MAX_THREADS, idle_seconds: float = IDLE_SECONDS) -> None:
        self._max_threads = max_threads
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._idle = 0
        self.count: int = 0
        """The number of threads."""

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the call. The future raises SourceError if the system cannot start a thread."""
        future: Future[T] = Future()
        with self._changed:
            self._jobs.append((future, lambda: function(*args, **kwargs)))
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self.count < self._max_threads:
                self._start()
        return future

    def _start(self) -> None:
        self.count += 1
        try:
            threading.Thread(target=self._work, name="linq_async-file", daemon=True).start()
        except RuntimeError:
            self.count -= 1
            if not self.count:  # otherwise another thread takes the job
                future, _ = self._jobs.pop()
                future.set_exception(SourceError("cannot be read: the system can start no thread"))

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            _run(*job)
            del job  # an idle thread must not keep the result or the file of the caller

    def _next_job(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            while not self._jobs:
                self._idle += 1
                woken = self._changed.wait(self._idle_seconds)
                self._idle -= 1
                if not woken and not self._jobs:
                    self.count -= 1
                    return None
            return self._jobs.popleft()


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # it is raised where the future is awaited
        future.set_exception(error)
    else:
        future.set_result(result)


_threads = FileThreads()


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Run a call that may block on a file."""
    return _threads.submit(function, *args, **kwargs)


async def result_of(future: Future[T]) -> T:
    """Return the result of a call. Cancelling this wait cancels the call unless it is running."""
    if future.done():
        await asyncio.sleep(0)  # with a fast disk and a fast server, other tasks must get their turn, too
        return future.result()
    return await asyncio.wrap_future(future)


def _after_fork() -> None:
    global _threads
    _threads = FileThreads()  # the parent's threads are not in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
