"""Calls that are interrupted at an exact point, and what must be true of them afterwards."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from linq_async import Attempt, LinqClient, LinqError, Outcome
from tests.support.scripted_server import ScriptedServer
from tests.support.store import Stored

from .addresses import client_sockets, open_files, other_tasks
from .time_travel import advance

KEY = "order-1017"
PATIENCE = 10.0
Act = Callable[[LinqClient, str], Coroutine[Any, Any, Any]]
Interrupt = Callable[[LinqClient, Coroutine[Any, Any, Any]], Awaitable[asyncio.Task[Any]]]
"""Runs a call as a task, interrupts it, and returns the task once it has ended."""
Scope = Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, Any]]
"""Awaits a call within a time limit of the caller's, and raises a CancelledError once that has passed."""
CALLERS_LIMIT = 50.0


@types.coroutine
def cancelled_at(awaitable: Awaitable[Any], suspension: int) -> Generator[Any, Any, Any]:
    """Await, and cancel the running task at this suspension of it, counted from 0."""
    steps = awaitable.__await__()
    task = asyncio.current_task()
    assert task is not None
    number, thrown = 0, None
    while True:
        try:
            waited = steps.send(None) if thrown is None else steps.throw(thrown)
        except StopIteration as stop:
            return stop.value
        if number == suspension:
            task.cancel()
        number, thrown = number + 1, None
        try:
            yield waited
        except BaseException as error:
            thrown = error


def at_suspension(number: int) -> Interrupt:
    """Cancel a call when it yields to the loop for the nth time, counted from 0."""

    async def run(_: LinqClient, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(_cancelled(call, number))
        await asyncio.wait([task], timeout=PATIENCE)
        return task

    return run


async def _cancelled(call: Coroutine[Any, Any, Any], number: int) -> Any:
    return await cancelled_at(call, number)


def cancel_after(steps: int) -> Interrupt:
    """Cancel a call after this many steps of the loop."""

    async def run(_: LinqClient, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(call)
        await turns(steps, task)
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        return task

    return run


def close_after(steps: int) -> Interrupt:
    """Close the client after this many steps of the loop."""

    async def run(linq: LinqClient, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(call)
        await turns(steps, task)
        await linq.aclose()
        await asyncio.wait([task], timeout=PATIENCE)
        return task

    return run


async def within_timeout(call: Coroutine[Any, Any, Any]) -> Any:
    """Use ``asyncio.timeout``."""
    try:
        async with asyncio.timeout(CALLERS_LIMIT):
            return await call
    except TimeoutError as error:
        raise _given_up(error) from error


async def within_wait_for(call: Coroutine[Any, Any, Any]) -> Any:
    """Use ``asyncio.wait_for``."""
    try:
        return await asyncio.wait_for(call, CALLERS_LIMIT)
    except TimeoutError as error:
        raise _given_up(error) from error


async def within_task_group(call: Coroutine[Any, Any, Any]) -> Any:
    """Use a ``TaskGroup`` whose other task fails."""
    try:
        async with asyncio.TaskGroup() as group:
            failing = group.create_task(_fail(asyncio.get_running_loop().time() + CALLERS_LIMIT))
            result = await group.create_task(call)
            failing.cancel()
            return result
    except ExceptionGroup as errors:
        raise _given_up(errors.exceptions[0]) from errors


async def _fail(moment: float) -> None:
    async with asyncio.timeout_at(moment):
        await asyncio.Event().wait()


async def within_fail_after(call: Coroutine[Any, Any, Any]) -> Any:
    """Use ``anyio.fail_after``, which cancels again and again until its block is left."""
    try:
        with anyio.fail_after(CALLERS_LIMIT):
            return await call
    except TimeoutError as error:
        raise _given_up(error) from error


async def within_move_on_after(call: Coroutine[Any, Any, Any]) -> Any:
    """Use ``anyio.move_on_after``."""
    with anyio.move_on_after(CALLERS_LIMIT):
        return await call
    raise asyncio.CancelledError


def _given_up(error: BaseException) -> BaseException:
    return error if isinstance(error, LinqError) else asyncio.CancelledError()


def times_out_after(scope: Scope, steps: int) -> Interrupt:
    """Let the caller's own timeout expire after this many steps of the loop."""

    async def run(_: LinqClient, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(scope(call))
        await asyncio.sleep(0)
        await turns(steps, task)
        if not task.done():
            advance(CALLERS_LIMIT + 1.0)
        await asyncio.wait([task], timeout=PATIENCE)
        return task

    return run


async def turns(steps: int, task: asyncio.Task[Any]) -> None:
    """Run this many steps of the loop, or fewer if the task ends before."""
    for _ in range(steps):
        if task.done():
            return
        await asyncio.sleep(0)


@dataclass
class Observed:
    """How an interrupted call ended, and the records of its attempts."""

    records: list[Attempt] = field(default_factory=list[Attempt])
    cancelled: bool = False
    error: LinqError | None = None
    result: Any = None

    def take(self, task: asyncio.Task[Any]) -> None:
        """Note how the task ended. Anything but a result, a LinqError or a cancellation is raised."""
        assert task.done(), "it does not end"
        self.cancelled = task.cancelled()
        error = None if self.cancelled else task.exception()
        if isinstance(error, LinqError):
            self.error = error
        elif error is not None:
            raise error
        elif not self.cancelled:
            self.result = task.result()

    def check(self, stored: list[Stored]) -> None:
        """Compare what the caller can know with what the server stored of this call."""
        assert len(stored) <= 1
        assert {record.idempotency_key for record in self.records} <= {KEY}
        if self.result is not None:
            assert [message.id for message in stored] == [getattr(self.result, "message", self.result).id]
            return
        told = self.error.outcome if self.error is not None else self._recorded()
        assert told is not None, "an attempt began, and no record says how it ended"
        assert told is not Outcome.NOT_SENT or not stored
        assert told is not Outcome.SENT or stored

    def _recorded(self) -> Outcome | None:
        return self.records[-1].outcome if self.records else Outcome.NOT_SENT


@asynccontextmanager
async def leaving_nothing() -> AsyncGenerator[None]:
    """Hold the block to leaving no task, descriptor or thread that was not there before."""
    tasks, files = other_tasks(), open_files()
    yield
    async with asyncio.timeout(PATIENCE):
        while other_tasks() - tasks or open_files() - files:  # noqa: ASYNC110  # they close without an event
            await asyncio.sleep(0.001)


async def no_socket_is_left(server: ScriptedServer) -> None:
    """Hold a closed client to having no connection to the server, on either side's account."""
    async with asyncio.timeout(PATIENCE):
        while client_sockets(server.port):  # noqa: ASYNC110  # the same
            await asyncio.sleep(0.001)
    assert await server.settled() == 0
