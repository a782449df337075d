"""Connections that were spoiled while they were idle: each answer belongs to its own key, and no outcome is a lie."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

import pytest

from linq_async import LinqClient, LinqError, Outcome, Upload

from .calls import hurry
from .poisoner import POISONS, Poisoner

NUMBERS = ["+13343284472", "+13344713465"]
CONNECTIONS = 8
TURNS = {"loop busy": 0, "one turn": 1, "idle": 3}
# Half a head that is read in the very turn between a request's start and its first byte is seen by nobody but aiohttp's
# parser: such a call may be repeated, or end as UNKNOWN. It is held to the truth with the others, below.
SPOILED = [
    pytest.param(poison, turns, id=f"{poison}-{name}")
    for poison in POISONS
    for name, turns in TURNS.items()
    if (poison, name) != ("half a stale head", "one turn")
]


def client(server: Poisoner, **options: Any) -> LinqClient:
    """Make a client that passes over its waits."""
    settings: dict[str, Any] = {"max_connections": CONNECTIONS, **options}
    linq = LinqClient("token", base_url=server.url, **settings)
    hurry(linq)
    return linq


async def send(linq: LinqClient, number: int) -> Any:
    """Send message number so-and-so: by one of the three bodies in turn, with a text and a key of its own."""
    key, text = f"key-{number}", f"text {number}"
    if number % 3 == 0:
        return await linq.messages.send(45, text, idempotency_key=key)
    files = [Upload.from_bytes(b"PNG" * 100, filename="map.png")] if number % 3 == 1 else []
    return await linq.chats.create(
        send_from="+15175269229", phone_numbers=NUMBERS, text=text, attachments=files, idempotency_key=key
    )


async def end_of(call: Awaitable[Any]) -> Any:
    """Await a call without giving the loop a turn before it; return its result, or its LinqError."""
    try:
        return await call
    except LinqError as error:
        return error


def check(end: Any, number: int, server: Poisoner) -> None:
    """Hold an ending to what the server stored under the call's own key."""
    key = f"key-{number}"
    if isinstance(end, LinqError):
        assert end.idempotency_key == key
        assert end.outcome is not Outcome.NOT_SENT or key not in server.stored
        assert end.outcome is not Outcome.SENT or key in server.stored
        return
    message = getattr(end, "message", end)
    assert (message.id, message.text, end.idempotency_key) == (server.stored[key], f"text {number}", key)


async def turn(times: int) -> None:
    """Let the loop poll its sockets this many times."""
    for _ in range(times):
        await asyncio.sleep(0)


async def wave(linq: LinqClient, numbers: range) -> list[Any]:
    """Send messages side by side, and return their ends."""
    return await asyncio.gather(*[send(linq, number) for number in numbers], return_exceptions=True)


@pytest.mark.asyncio
@pytest.mark.parametrize(("poison", "turns"), SPOILED)
async def test_a_poisoned_connection_is_not_used(poison: str, turns: int) -> None:
    """A connection that was spoiled since its last answer, the loop busy meanwhile or not, is not sent on."""
    with Poisoner() as server:
        async with client(server) as linq:
            for kind in range(3):
                number = kind * 2
                check(await send(linq, number), number, server)
                assert server.spoil(POISONS[poison]) == 1
                await turn(turns)
                end = await end_of(send(linq, number + 1))
                check(end, number + 1, server)
                assert not isinstance(end, LinqError)


@pytest.mark.asyncio
@pytest.mark.parametrize(("poison", "turns"), SPOILED)
async def test_a_call_without_a_key_is_not_lost_on_a_poisoned_connection(poison: str, turns: int) -> None:
    """A POST without a key, which cannot be repeated, succeeds after its idle connection was spoiled."""
    with Poisoner() as server:
        async with client(server) as linq:
            await send(linq, 0)
            server.spoil(POISONS[poison])
            await turn(turns)
            response = await linq.request("POST", "/api/partner/v2/chats/45/share_contact", json={"name": "x"})
    assert response.data["data"]["chat_messages"]["id"] == server.stored[""]
    assert server.requests == 2


async def waves(server: Poisoner, count: int, seed: int) -> None:
    """Send in waves over a pool whose idle connections are spoiled between them, the loop busy or not."""
    dice, sent = random.Random(seed), 0
    async with client(server) as linq:
        for _ in range(count):
            check(await end_of(send(linq, sent)), sent, server)
            sent += 1
            numbers = range(sent, sent + dice.randrange(1, 3 * CONNECTIONS))
            for number, end in zip(numbers, await wave(linq, numbers), strict=True):
                check(end, number, server)
            sent = numbers.stop
            server.spoil(POISONS[dice.choice(list(POISONS))])
            await turn(dice.choice([0, 0, 1, 2, 5]))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(2))
async def test_each_answer_is_its_own_keys(seed: int) -> None:
    """Over a pool of spoiled connections each result is that of its own key, and no error is untrue."""
    with Poisoner() as server:
        await waves(server, 12, seed)


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(100, 120))
async def test_each_answer_is_its_own_keys_at_length(seed: int) -> None:
    """The same, on many thousands of calls."""
    with Poisoner() as server:
        await waves(server, 100, seed)
