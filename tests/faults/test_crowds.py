"""Many calls at once: in the order in which they began, through any end of the client, from any number of threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from linq_async import ClientStateError, LinqClient, LinqError, Outcome
from tests.support.script import Behaviour
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .addresses import client_sockets, other_tasks
from .calls import hurry
from .poisoner import Poisoner

CREATE: dict[str, Any] = {"send_from": "+15175269229", "phone_numbers": ["+13343284472", "+13344713465"]}
SLOTS = 2


async def create(linq: LinqClient, key: str) -> Any:
    """Create a chat under a key."""
    return await linq.chats.create(**CREATE, text="Hello!", idempotency_key=key)


def keys_of(server: ScriptedServer) -> list[str | None]:
    """Return the keys of the requests in the order in which they arrived."""
    return [seen.key for seen in server.log]


async def crowd(linq: LinqClient, server: ScriptedServer, count: int, *, under_way: int) -> list[asyncio.Task[Any]]:
    """Start many calls, and return them once this many are under way."""
    calls = [asyncio.create_task(create(linq, f"key-{number}")) for number in range(count)]
    await server.arrived(under_way)
    for _ in range(5):
        await asyncio.sleep(0)
    return calls


@pytest.mark.asyncio
@pytest.mark.parametrize("script", [[], [broken_wire.close_after_request, answers.status(503)]])
async def test_calls_leave_in_the_order_in_which_they_began(script: list[Behaviour]) -> None:
    """On one slot a hundred calls go out in their order, and a call that is repeated keeps its turn."""
    names = [f"key-{number}" for number in range(100)]
    async with (
        ScriptedServer(script) as server,
        LinqClient("token", base_url=server.url, max_connections=1) as linq,
    ):
        hurry(linq)
        await asyncio.gather(*[create(linq, name) for name in names])
    assert list(dict.fromkeys(keys_of(server))) == names
    assert keys_of(server)[: len(script) + 1] == ["key-0"] * (len(script) + 1)


@pytest.mark.asyncio
async def test_those_who_leave_the_line_let_the_next_ones_move_up() -> None:
    """Two thirds of a line are cancelled; the others go out in their order, and no slot is lost."""
    async with (
        ScriptedServer(default=broken_wire.no_answer) as server,
        LinqClient("token", base_url=server.url, max_connections=1) as linq,
    ):
        calls = await crowd(linq, server, 60, under_way=1)
        leaving = [call for number, call in enumerate(calls) if number % 3]
        for call in leaving:
            call.cancel()
        await asyncio.wait(leaving)
        server.default = answers.status(422)
        calls[0].cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert Counter(type(end).__name__ for end in ends) == {"CancelledError": 41, "UnprocessableEntityError": 19}
    assert keys_of(server) == [f"key-{number}" for number in range(0, 60, 3)]


async def close_on_a_crowd(count: int, script: list[Behaviour]) -> set[str | None]:
    """Close a client on which many wait, and return the keys of those that may have been sent."""
    tasks = other_tasks()
    async with ScriptedServer(script, default=broken_wire.no_answer) as server:
        linq = LinqClient("token", base_url=server.url, max_connections=SLOTS)
        calls = await crowd(linq, server, count, under_way=SLOTS)
        started = time.perf_counter()
        await linq.aclose()
        await asyncio.wait(calls, timeout=20)
        assert time.perf_counter() - started < 5
        errors = [call.exception() for call in calls]
        assert client_sockets(server.port) == 0
        assert await server.settled() == 0
    assert other_tasks() == tasks
    assert len(server.log) == SLOTS
    closed = [error for error in errors if isinstance(error, ClientStateError)]
    assert len({error.idempotency_key for error in closed}) == count
    return {error.idempotency_key for error in closed if error.outcome is not Outcome.NOT_SENT}


COUNTS = [pytest.param(200), pytest.param(10_000, marks=pytest.mark.slow)]


@pytest.mark.asyncio
@pytest.mark.parametrize("count", COUNTS)
async def test_closing_on_a_line(count: int) -> None:
    """Closing ends all waiting calls at once; all are NOT_SENT except those under way."""
    assert await close_on_a_crowd(count, []) == {f"key-{number}" for number in range(SLOTS)}


@pytest.mark.asyncio
@pytest.mark.parametrize("count", COUNTS)
async def test_closing_on_a_gate(count: int) -> None:
    """However many calls a 429 holds back, closing ends them all at once, NOT_SENT."""
    assert await close_on_a_crowd(count, [answers.status(429, Retry_After="60")] * SLOTS) == set()


def in_a_loop_of_its_own(url: str, number: int) -> list[int]:
    """Send three messages by a client of this thread, one of them under a key that all threads share."""

    async def main() -> list[int]:
        async with LinqClient("token", base_url=url) as linq:
            keys = [f"thread-{number}", f"thread-{number}-again", "shared"]
            return [(await create(linq, key)).message.id for key in keys]

    return asyncio.run(main())


def test_a_client_for_each_thread() -> None:
    """Thirty threads with a client and a loop each send side by side; a key that they share is one message."""
    with Poisoner() as server, ThreadPoolExecutor(30) as pool:
        found = list(pool.map(partial(in_a_loop_of_its_own, server.url), range(30)))
        stored = dict(server.stored)
    assert [ids[:2] for ids in found] == [[stored[f"thread-{n}"], stored[f"thread-{n}-again"]] for n in range(30)]
    assert {ids[2] for ids in found} == {stored["shared"]}
    assert len(stored) == 61


def test_a_client_that_threads_share_is_refused_beside_its_loop() -> None:
    """A client that is at work on one loop refuses every other thread's call, and sends nothing for it."""
    with Poisoner() as server:
        linq, ready, done = LinqClient("token", base_url=server.url), threading.Event(), threading.Event()

        async def own() -> None:
            async with linq:
                await create(linq, "own")
                ready.set()
                await asyncio.to_thread(done.wait, 10)

        owner = threading.Thread(target=asyncio.run, args=[own()])
        owner.start()
        assert ready.wait(10)
        with ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(partial(end_of, linq), range(8)))
        done.set()
        owner.join()
    assert {(type(end), end.outcome) for end in ends} == {(ClientStateError, Outcome.NOT_SENT)}
    assert list(server.stored) == ["own"]


def end_of(linq: LinqClient, number: int) -> LinqError:
    """Return the error of a call that is made on a loop of this thread."""
    with pytest.raises(LinqError) as caught:
        asyncio.run(create(linq, f"stranger-{number}"))
    return caught.value
