"""The broker: what a dead worker left behind, what is not a task, and outages of the server."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ResponseError
from taskiq import AsyncBroker
from taskiq.utils import maybe_awaitable
from taskiq_redis import RedisStreamBroker

from linq_async.integrations.taskiq import QueueError, ReclaimingBroker, pace
from linq_async.integrations.taskiq.dead_letters import MAX_UNDECODABLE, MAX_UNDECODABLE_BYTES
from linq_async.sandbox import Sandbox

from .valkey import Valkey
from .world import IDLE, PATIENCE, World, hello, until, working


async def abandon(world: World, ago: int = 0) -> None:
    """Take all messages, as a worker does that dies right afterwards, some milliseconds ago."""
    await world.redis.xgroup_create(world.name, world.name, id="0")
    await world.redis.xreadgroup(world.name, "dead", {world.name: ">"})
    messages = [message_id for message_id, _ in await world.redis.xrange(world.name)]
    await world.redis.xclaim(world.name, world.name, "dead", 0, messages, idle=ago)


@pytest.mark.asyncio
async def test_a_dead_worker_on_an_idle_queue(world: World) -> None:
    """What a dead worker has taken is delivered again, although nothing else is enqueued."""
    broker = world.broker()
    await world.sends(broker).create_chat(hello())
    await abandon(world)
    async with working(broker):
        await world.drained()
    assert len(world.sandbox.messages) == 1


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_stock_broker_forgets_a_dead_worker(world: World) -> None:
    """The control: on an idle queue, the broker of taskiq-redis never looks for what a dead worker has taken."""
    broker = RedisStreamBroker(
        world.url, world.name, consumer_group_name=world.name, idle_timeout=IDLE, xread_block=30_000
    )
    await world.sends(broker).create_chat(hello())
    await abandon(world)
    async with working(broker):
        await asyncio.sleep(10 * IDLE / 1000)
    await broker.shutdown()
    assert world.sandbox.messages == []
    assert (await world.redis.xpending(world.name, world.name))["pending"] == 1


@pytest.mark.asyncio
async def test_two_workers_share_what_is_left_behind(world: World) -> None:
    """Messages of a dead worker are delivered once, to one of those that look for them."""
    brokers = [world.broker(prefetch=3, idle_timeout=60_000) for _ in range(2)]
    for sends in [world.sends(broker) for broker in brokers]:
        for _ in range(10):
            await sends.create_chat(hello())
    await abandon(world, ago=100_000)
    async with working(*brokers):
        await world.drained()
    assert (len(world.sandbox.messages), len(world.sandbox.requests)) == (20, 20)


@pytest.mark.asyncio
async def test_the_first_delivery_is_remembered(world: World) -> None:
    """However often a message is delivered again, its age counts from the first delivery."""
    broker = world.broker(idle_timeout=1)
    await world.sends(broker).create_chat(hello())
    await abandon(world, ago=5_000)
    seen: list[Any] = []
    acknowledge: Any = None
    deliveries = broker.listen()
    for _ in range(3):
        delivery = await asyncio.wait_for(anext(deliveries), PATIENCE)
        seen.append(broker.formatter.loads(delivery.data).labels["linq_since"])
        acknowledge = delivery.ack
    await deliveries.aclose()
    seconds, microseconds = await world.redis.time()
    assert [1 for since in seen if 5 <= seconds + microseconds / 1e6 - since < 15] == [1, 1, 1]
    await maybe_awaitable(acknowledge())
    assert await world.length() == 0
    assert await world.redis.exists(f"{world.name}:first") == 0


@pytest.mark.asyncio
async def test_a_deleted_message(world: World) -> None:
    """A message that somebody has deleted from the stream is not delivered again."""
    broker = world.broker(idle_timeout=1)
    await world.sends(broker).create_chat(hello())
    await abandon(world)
    await world.redis.xtrim(world.name, 0)

    async def is_settled() -> bool:
        return not (await world.redis.xpending(world.name, world.name))["pending"]

    async with working(broker):
        await until(is_settled)
    assert list(world.sandbox.requests) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "fields",
    [{b"data": b"\xff\xfe"}, {b"data": b"[]"}, {b"other": b"x"}, {b"data": b'{"labels": {"a": "?"}}'}],
    ids=["bytes", "list", "no data", "half"],
)
async def test_what_is_not_a_task(world: World, fields: dict[bytes, bytes], caplog: pytest.LogCaptureFixture) -> None:
    """A body that is not a task goes to the dead letters, and is not logged."""
    broker = world.broker()
    await world.redis.xadd(world.name, fields)
    async with working(broker):
        await world.drained()
    assert await broker.dead_letters.count_undecodable() == 1
    assert await world.redis.lrange(f"{world.name}:undecodable", 0, -1) == [fields.get(b"data", b"")]
    assert "a body in the queue is not a task" in caplog.text


@pytest.mark.asyncio
async def test_an_abandoned_body_that_is_not_a_task(world: World) -> None:
    """A body that is not a task may have killed a worker. The next one puts it away."""
    broker = world.broker()
    await world.redis.xadd(world.name, {b"data": b"\xff"})
    await abandon(world)
    async with working(broker):
        await world.drained()
    assert await broker.dead_letters.count_undecodable() == 1


@pytest.mark.asyncio
async def test_bodies_that_are_not_tasks_are_bounded(world: World) -> None:
    """The newest 1,000 are kept, and 64 KiB of each."""
    letters = world.broker().dead_letters
    await asyncio.gather(*[letters.add_undecodable(b"x" * 100_000) for _ in range(20)])
    await world.redis.rpush(f"{world.name}:undecodable", *[b"old"] * MAX_UNDECODABLE)
    await letters.add_undecodable(b"new")
    assert await letters.count_undecodable() == MAX_UNDECODABLE
    assert await world.redis.lindex(f"{world.name}:undecodable", 0) == b"new"
    assert len(await world.redis.lindex(f"{world.name}:undecodable", 1)) == MAX_UNDECODABLE_BYTES


@pytest.mark.asyncio
@pytest.mark.parametrize(("name", "shown"), [("app:remind", "app:remind"), ("a\nb", "whose name is not printable")])
async def test_an_unknown_task_waits(world: World, name: str, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    """A task that a worker does not know stays in the queue for another one, and the log has its name."""
    handled: list[str] = []

    async def remind(who: str) -> None:
        handled.append(who)

    knowing = world.broker()
    await knowing.register_task(remind, name).kiq("Mira")
    first = world.broker(idle_timeout=60_000)

    async def is_noticed() -> bool:
        return shown in caplog.text

    async with working(first):
        await until(is_noticed)
    assert (await world.length(), handled) == (1, [])
    async with working(knowing):
        await world.drained()
    assert handled == ["Mira"]


@pytest.mark.asyncio
async def test_a_server_that_has_lost_the_queue(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A worker goes on with what comes later, and the log says that the queue was lost."""
    broker = world.broker(idle_timeout=40)
    sends = world.sends(broker)
    async with working(broker):
        await until(lambda: world.redis.exists(world.name))
        await world.redis.delete(world.name)

        async def is_noticed() -> bool:
            return "the server has lost it" in caplog.text

        await until(is_noticed)
        await sends.create_chat(hello())
        await world.drained()
    assert len(world.sandbox.messages) == 1


@pytest.mark.asyncio
async def test_a_key_of_another_type(world: World) -> None:
    """A worker whose queue is something else does not go on."""
    broker: AsyncBroker = world.broker()
    await world.redis.set(world.name, "x")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await anext(broker.listen())


@pytest.mark.asyncio
async def test_an_outage_of_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker waits for the server, and sends what it had stored."""
    caplog.set_level(logging.WARNING)
    valkey = Valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    valkey.start()
    await valkey.started()
    try:
        async with Sandbox() as sandbox, World(sandbox, valkey.url) as world:
            broker = world.broker(retry=None)
            sends = world.sends(broker)
            async with working(broker):
                await until(lambda: world.redis.exists(world.name))
                valkey.kill()

                async def is_noticed() -> bool:
                    return "the queue cannot be reached" in caplog.text

                await until(is_noticed)
                valkey.start()
                await valkey.started()
                await sends.create_chat(hello())
                await world.drained()
            assert len(sandbox.messages) == 1
    finally:
        valkey.kill()


@pytest.mark.asyncio
async def test_a_full_server(tmp_path: Path) -> None:
    """A server without memory takes no new messages, but workers go on, at their pace, so that it has room again."""
    valkey = Valkey(tmp_path, "--maxmemory-policy", "noeviction")
    valkey.start()
    await valkey.started()
    try:
        async with Sandbox() as sandbox, World(sandbox, valkey.url) as world:
            broker = world.broker()
            sends = world.sends(broker, turn=pace(world.redis, 100.0))
            await sends.create_chat(hello())
            await abandon(world)
            await sends.create_chat(hello())
            await world.redis.config_set("maxmemory", 1)
            with pytest.raises(QueueError, match="OutOfMemoryError"):
                await sends.create_chat(hello())

            async def is_sent() -> bool:
                return len(sandbox.messages) == 2

            async with working(broker):
                await until(is_sent)
                await world.drained()
    finally:
        valkey.kill()


@pytest.mark.asyncio
async def test_workers_that_are_gone(world: World) -> None:
    """A worker that starts forgets those that are gone, unless they have left something behind."""
    broker = world.broker(idle_timeout=60_000)
    await world.sends(broker).create_chat(hello())
    await abandon(world)
    await world.redis.xgroup_createconsumer(world.name, world.name, "gone")
    broker.idle_timeout = -1

    async def names() -> set[bytes]:
        return {consumer["name"] for consumer in await world.redis.xinfo_consumers(world.name, world.name)}

    assert await names() == {b"dead", b"gone"}
    broker.is_worker_process = True
    await broker.startup()
    assert await names() == {b"dead"}


@pytest.mark.asyncio
async def test_the_defaults(world: World) -> None:
    """A worker holds few messages that it does not send yet, and reads what was enqueued before it started."""
    broker = ReclaimingBroker(world.url)
    assert (broker.queue_name, broker.idle_timeout, broker.count, broker.consumer_id) == ("linq", 600_000, 10, "0")
    assert broker.maxlen is None
