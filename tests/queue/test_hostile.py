"""What somebody else, or an old program, has put into the queue: no body stops a worker, and none is sent in doubt."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
from redis.exceptions import ResponseError
from taskiq import TaskiqResult

from linq_async import ConfigurationError, Outcome
from linq_async.integrations.taskiq import DeadLetter, ReclaimingBroker, register_bot
from linq_async.sandbox import Sandbox
from linq_async.webhooks import Dispatcher

from .test_broker import abandon
from .test_sends import Turns
from .valkey import Valkey
from .world import IDLE, World, hello, until, working


def task(name: str = "linq.chats.create", **changes: Any) -> bytes:
    """Return a task as it is in the queue."""
    fields: dict[str, Any] = {"task_id": "k", "task_name": name, "labels": {"ack_type": "manual"}, "args": [{}]}
    return json.dumps(fields | {"kwargs": {}} | changes).encode()


def nested(depth: int) -> Any:
    """Return a list in a list, and so on."""
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.asyncio
@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize(
    "data",
    [
        task(args=[nested(300)]),
        task(args=[]),
        task(args=[{}, 5]),
        task(args=[{}], kwargs={"other": 5}),
        task(task_id="k\x1b[2J\n"),
        task(labels={"ack_type": "never"}),
        task(labels={}, args=[]),
        task("linq.undecodable", args=["?"]),
        task("linq.unknown_task", args=[5]),
        task("linq.event", args=[5]),
        task("linq.event", args=[{"event": "{}"}]),
    ],
    ids=[
        "deep",
        "no argument",
        "two arguments",
        "keyword",
        "key",
        "ack type",
        "no ack type",
        "undecodable",
        "unknown",
        "event",
        "empty event",
    ],
)
async def test_a_hostile_body(world: World, data: bytes, again: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It is put away, in its first delivery or a later one, and the next message is sent."""
    broker = world.broker()
    sends = world.sends(broker)
    register_bot(broker, world.client, Dispatcher[None](), None)
    await world.redis.xadd(world.name, {b"data": data})
    if again:
        await abandon(world)
    await sends.create_chat(hello())
    async with working(broker):
        await world.drained()
    assert len(world.sandbox.messages) == 1
    assert await broker.dead_letters.count() + await broker.dead_letters.count_undecodable() == 1
    assert "\x1b" not in caplog.text


LETTER = DeadLetter(
    key="visit-7",
    operation="chats.create",
    outcome=Outcome.NOT_SENT,
    error="ForbiddenError",
    status=403,
    attempts=1,
    at=0.0,
    data=task(args=[{"message": {}, "generated": True}]).decode(),
)


@pytest.mark.asyncio
async def test_a_refusal_does_not_replace_a_doubt(world: World) -> None:
    """A message that may have been sent, and was enqueued again and refused, is not sent again by ``retry``."""
    letters = world.broker().dead_letters
    await letters.add(LETTER)
    await letters.add(attrs.evolve(LETTER, outcome=Outcome.UNKNOWN))
    await letters.add(LETTER)
    assert [letter.outcome for letter in await letters.read()] == [Outcome.UNKNOWN]
    assert await letters.retry() == []
    assert await world.length() == 0


@pytest.mark.asyncio
async def test_a_retry_that_fails_keeps_the_letter(world: World) -> None:
    """What cannot be enqueued, because the key of the queue belongs to something else, stays a dead letter."""
    letters = world.broker().dead_letters
    await letters.add(LETTER)
    await world.redis.set(world.name, "something else")
    with pytest.raises(ResponseError):
        await letters.retry()
    assert await letters.count() == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [None, {}, 5], ids=str)
async def test_the_status_of_another_task(world: World, value: object) -> None:
    """What has failed in a way that no worker expects is in the queue still, and an event is no message."""
    broker = world.broker()
    result: TaskiqResult[Any] = TaskiqResult(is_err=False, return_value=value, execution_time=0.0)
    await broker.result_backend.set_result("event", result)
    assert await world.sends(broker).status("event") is None


@pytest.mark.parametrize("url", ["redis://:p4ss/word@localhost", "redis://localhost:p4ss", "p4ss"])
def test_the_url_is_not_repeated(url: str) -> None:
    """An invalid URL is reported without its password."""
    with pytest.raises(ConfigurationError) as caught:
        ReclaimingBroker(url)
    assert "p4ss" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_server_without_its_replicas(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker waits while the server refuses to write."""
    valkey = Valkey(tmp_path)
    valkey.start()
    try:
        await valkey.started()
        async with Sandbox() as sandbox, World(sandbox, valkey.url) as world:
            broker = world.broker()
            sends = world.sends(broker)

            async def is_logged() -> bool:
                return "the queue cannot be reached, and is tried again: ResponseError" in caplog.text

            async with working(broker):
                await sends.create_chat(hello())
                await world.drained()
                await world.redis.config_set("min-replicas-to-write", 1)
                await until(is_logged)
                await world.redis.config_set("min-replicas-to-write", 0)
                await sends.create_chat(hello())
                await world.drained()
            assert len(sandbox.messages) == 2
    finally:
        valkey.kill()


@pytest.mark.asyncio
async def test_a_worker_that_was_asleep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose turn came after ``repeat_within`` is left: another worker may have sent it long ago."""

    class Asleep(Turns):
        async def __call__(self, line: str | None) -> None:
            await super().__call__(line)
            now = time.time()
            monkeypatch.setattr(time, "time", lambda: now + 3_601)

    turns = Asleep()
    broker = world.broker(idle_timeout=60_000)
    await world.sends(broker, turn=turns).create_chat(hello())

    async def is_asked() -> bool:
        return bool(turns.lines)

    async with working(broker):
        await until(is_asked)
    assert len(world.sandbox.requests) == 0
    assert await world.length() == 1


@pytest.mark.asyncio
async def test_a_worker_whose_clock_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The age of a doubt is measured on one clock, the server's, so a worker that is two hours behind sends nothing."""
    broker = world.broker()
    await world.sends(broker).create_chat(hello())
    await abandon(world, ago=7_200_000)
    behind = time.time
    monkeypatch.setattr(time, "time", lambda: behind() - 7_200)
    async with working(broker):
        await world.drained()
    assert [letter.error for letter in await broker.dead_letters.read()] == ["too old"]
    assert len(world.sandbox.requests) == 0


@pytest.mark.asyncio
async def test_what_was_read_too_long_ago(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was stopped does not run what it had read before, because another one may have sent it."""
    broker = world.broker(idle_timeout=60_000)
    await broker.startup()
    for data in (b"first", b"second"):
        await world.redis.xadd(world.name, {b"data": data})
    messages = broker.listen()
    assert (await anext(messages)).data == b"first"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    await world.redis.xadd(world.name, {b"data": b"third"})
    assert (await anext(messages)).data == b"third"
    await messages.aclose()


@pytest.mark.asyncio
async def test_a_deleted_message_leaves_nothing(world: World) -> None:
    """The time of the first delivery of a message that somebody has deleted is forgotten with it."""
    broker = world.broker()
    await world.redis.xadd(world.name, {b"data": b"x"})
    await abandon(world, ago=IDLE + 1)
    ((message_id, _),) = await world.redis.xrange(world.name)
    await world.redis.hset(f"{world.name}:first", message_id, 0)
    await world.redis.xdel(world.name, message_id)

    async def is_forgotten() -> bool:
        return not await world.redis.hlen(f"{world.name}:first")

    async with working(broker):
        await until(is_forgotten)
