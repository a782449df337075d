"""Calls interrupted at any moment report the truth, leak nothing, and leave the pool usable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linq_async import LinqClient, LinqError, RetryPolicy, Timeouts
from tests.support.script import Behaviour, good
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .calls import hurry
from .interrupted import (
    KEY,
    PATIENCE,
    Act,
    Interrupt,
    Observed,
    Scope,
    at_suspension,
    cancel_after,
    close_after,
    leaving_nothing,
    no_socket_is_left,
    times_out_after,
    within_fail_after,
    within_move_on_after,
    within_task_group,
    within_timeout,
    within_wait_for,
)
from .time_travel import MovableLoop

CREATE: dict[str, Any] = {"send_from": "+15175269229", "phone_numbers": ["+13343284472", "+13344713465"]}
PATIENT = Timeouts(connect=None, write=None, read=None)
LAST = 5_000
"""More steps than any call takes."""


async def create(linq: LinqClient, key: str) -> Any:
    """Create a chat, with JSON."""
    return await linq.chats.create(**CREATE, text="Hello!", idempotency_key=key)


async def create_with_a_file(linq: LinqClient, key: str) -> Any:
    """Create a chat with a file from disk."""
    return await linq.chats.create(**CREATE, text="Hello!", attachments=[Path(__file__)], idempotency_key=key)


async def message(linq: LinqClient, key: str) -> Any:
    """Send a message into a chat."""
    return await linq.messages.send(45, "Hello!", idempotency_key=key)


async def _nothing(linq: LinqClient, server: ScriptedServer) -> None:
    del linq, server


async def _warm(linq: LinqClient, server: ScriptedServer) -> None:
    await create(linq, "warm-up")


async def _closed_gate(linq: LinqClient, server: ScriptedServer) -> None:
    server.script.insert(0, answers.status(429, Retry_After="30"))
    with pytest.raises(LinqError):
        await create(linq.with_options(retry=RetryPolicy.none()), "closes-the-gate")


async def _taken_slot(linq: LinqClient, server: ScriptedServer) -> None:
    """Let another call hold the only slot for as many steps of the loop as a call needs to queue."""
    server.script.insert(0, broken_wire.after(server.cue, good))
    holder = asyncio.create_task(create(linq, "holds-the-slot"))
    holder.add_done_callback(lambda done: done.cancelled() or done.exception())
    await server.arrived(1)
    _later(asyncio.get_running_loop(), 12, server.cue.set)


def _later(loop: asyncio.AbstractEventLoop, steps: int, call: Callable[[], None]) -> None:
    if steps:
        loop.call_soon(_later, loop, steps - 1, call)
    else:
        call()


@dataclass(frozen=True)
class Scene:
    """A call, what the server does with its attempts, and what has gone before it."""

    act: Act
    script: tuple[Behaviour, ...] = ()
    before: Callable[[LinqClient, ScriptedServer], Awaitable[None]] = _nothing


LOST_AFTER_STORING = broken_wire.close_after_request.storing()
SCENES = {
    "create": Scene(create),
    "create on a warm connection": Scene(create, before=_warm),
    "create with a file": Scene(create_with_a_file),
    "message": Scene(message),
    "retry after a 503": Scene(create, (answers.status(503), answers.status(503))),
    "retry after a lost answer": Scene(create, (LOST_AFTER_STORING,)),
    "retry of a file after a lost answer": Scene(create_with_a_file, (LOST_AFTER_STORING,)),
    "retry after 429": Scene(message, (answers.status(429, Retry_After="3"),)),
    "cut answer": Scene(create, (broken_wire.length_too_long,)),
    "gate": Scene(create, before=_closed_gate),
    "line for a slot": Scene(create, before=_taken_slot),
    "line for a slot, with a file": Scene(create_with_a_file, before=_taken_slot),
}


async def play(scene: Scene, interrupt: Interrupt) -> Observed:
    """Interrupt a call, use the pool again unless it was closed, and compare the report with the server."""
    observed = Observed()
    async with leaving_nothing(), ScriptedServer(scene.script) as server:
        policy = RetryPolicy(max_attempts=4, max_elapsed=3_600)
        async with LinqClient("token", base_url=server.url, retry=policy, timeouts=PATIENT, max_connections=1) as linq:
            hurry(linq)
            await scene.before(linq, server)
            watched = linq.with_options(on_attempt=observed.records.append)
            observed.take(await interrupt(linq, scene.act(watched, KEY)))
            server.cue.set()
            server.script.clear()
            if "closed" not in repr(linq):
                await serves_on(linq, scene)
        await no_socket_is_left(server)
        observed.check([kept for kept in server.stored if kept.key == KEY])
        await can_be_repeated(server, scene)
    return observed


async def serves_on(linq: LinqClient, scene: Scene) -> None:
    """Hold the pool, which has but one slot, to serving on."""
    async with asyncio.timeout(PATIENCE):
        for number in range(2):
            result = await scene.act(linq, f"afterwards-{number}")
            assert result.attempts == 1


async def can_be_repeated(server: ScriptedServer, scene: Scene) -> None:
    """Hold the key to its use: with it, the send ends well, and is stored once."""
    async with LinqClient("token", base_url=server.url) as linq:
        await scene.act(linq, KEY)
    assert len([kept for kept in server.stored if kept.key == KEY]) == 1


async def play_all(scene: Scene, interrupting: Callable[[int], Interrupt], stride: int = 1) -> list[Observed]:
    """Interrupt a call at every step of its way, until it ends before its interruption."""
    found: list[Observed] = []
    for step in range(0, LAST, stride):
        found.append(await play(scene, interrupting(step)))
        if found[-1].result is not None:
            break
    return found


QUICK = {"create", "retry of a file after a lost answer", "line for a slot"}
BY_NAME = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in SCENES]


def held_up(found: list[Observed]) -> list[bool]:
    """Return for each call whether its interruption kept it from its result."""
    return [observed.result is None for observed in found]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", SCENES)
async def test_cancelled_at_each_suspension(name: str) -> None:
    """A call cancelled at any of its waits reports the truth, leaks nothing, and leaves the pool usable."""
    found = await play_all(SCENES[name], at_suspension)
    assert [observed.cancelled for observed in found] == [True] * (len(found) - 1) + [False]
    assert len(found) >= 2


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BY_NAME)
async def test_cancelled_at_each_step_of_the_loop(name: str) -> None:
    """A call cancelled at any turn of the loop reports the truth, leaks nothing, and leaves the pool usable."""
    found = await play_all(SCENES[name], cancel_after)
    assert held_up(found) == [True] * (len(found) - 1) + [False]
    assert len(found) >= 5


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BY_NAME)
async def test_closed_at_each_step_of_the_loop(name: str) -> None:
    """Closing the client at any turn of the loop ends a call in a ClientStateError with the true outcome."""
    found = await play_all(SCENES[name], close_after)
    assert held_up(found) == [True] * (len(found) - 1) + [False]
    assert {type(observed.error).__name__ for observed in found[:-1]} == {"ClientStateError"}
    assert len(found) >= 5


SCOPES = [within_timeout, within_wait_for, within_task_group, within_fail_after, within_move_on_after]
SCOPED = [
    pytest.param(name, scope, id=f"{scope.__name__}-{name}", marks=[] if name == "create" else [pytest.mark.slow])
    for name in SCENES
    for scope in SCOPES
]


@pytest.mark.parametrize(("name", "scope"), SCOPED)
def test_timed_out_by_the_caller_at_each_step(name: str, scope: Scope) -> None:
    """A time limit around a call, by asyncio or anyio, ends it at any turn of the loop as a cancellation does."""
    with asyncio.Runner(loop_factory=MovableLoop) as runner:
        found = runner.run(play_all(SCENES[name], partial(times_out_after, scope)))
    assert [observed.cancelled for observed in found] == [True] * (len(found) - 1) + [False]
    assert len(found) >= 5


@pytest.mark.asyncio
async def test_interrupted_uploads_leave_no_thread() -> None:
    """However often a send is cancelled while a thread works for it, the threads do not grow in number."""
    before = threading.active_count()
    for _ in range(50):
        await play(SCENES["create with a file"], at_suspension(3))
    assert threading.active_count() - before < 40
