"""A bot across machines: the web server enqueues events, and workers handle them."""

from __future__ import annotations

import logging

import pytest

from linq_async.integrations.taskiq import ReclaimingBroker, register_bot
from linq_async.webhooks import Context, Dispatcher, MessageReceived, NotAcceptedError
from tests.webhooks.desk import Desk

from .world import IDLE, PERSON, World, working


def answering() -> Dispatcher[str]:
    """Return a bot that answers with its state."""
    bot = Dispatcher[str]()

    @bot.on(MessageReceived)
    async def answer(message: MessageReceived, context: Context[str]) -> None:
        await context.reply(f"{context.state}: {message.data.text}")

    return bot


async def desk_of(world: World) -> Desk:
    """Return a chat in the sandbox, and what makes its events."""
    message = await world.sandbox.receive(from_=PERSON, text="When?")
    return Desk(world.sandbox, world.client(), message.chat_id, message.id)


@pytest.mark.asyncio
async def test_a_worker_answers(world: World) -> None:
    """Two deliveries of an event, handled by two workers, have one answer, and the queue is empty afterwards."""
    brokers = [world.broker(), world.broker()]
    accepts = [register_bot(broker, world.client, answering(), "desk") for broker in brokers]
    desk = await desk_of(world)
    for accept in accepts:
        await accept(desk.event())
    async with working(*brokers):
        await world.drained()
    assert desk.texts == ["desk: Is the cake ready?"]
    await desk.linq.aclose()


@pytest.mark.asyncio
async def test_a_handler_that_fails(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The event is handled again after the idle time-out, and its answer is stored once."""
    caplog.set_level(logging.DEBUG)
    world.sandbox.faults.drop_after_storing()
    broker = world.broker()
    accept = register_bot(broker, world.client, answering(), "desk")
    desk = await desk_of(world)
    await accept(desk.event())
    async with working(broker):
        await world.drained()
    assert desk.texts == ["desk: Is the cake ready?"]
    assert len(list(world.sandbox.requests)) == 2
    assert "the handler failed, and the event is left in the queue" in caplog.text
    assert "cake" not in caplog.text
    await desk.linq.aclose()


@pytest.mark.asyncio
async def test_a_handler_that_never_succeeds(world: World) -> None:
    """The event becomes a dead letter, which ``retry`` enqueues as it is: the keys of its replies stay the same."""
    world.sandbox.faults.answer(503)
    broker = world.broker()
    accept = register_bot(broker, world.client, answering(), "desk", repeat_within=IDLE / 2000)
    desk = await desk_of(world)
    await accept(desk.event())
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.key, letter.operation, letter.error) == ("message.received:evt-1", "event", "too old")
    (retried,) = await broker.dead_letters.retry()
    assert retried.new_key == retried.key
    again = world.broker()
    register_bot(again, world.client, answering(), "desk")
    async with working(again):
        await world.drained()
    assert desk.texts == ["desk: Is the cake ready?"]
    await desk.linq.aclose()


@pytest.mark.asyncio
async def test_an_event_that_the_broker_does_not_take(world: World) -> None:
    """The delivery is answered with 503, so that Linq delivers the event again."""
    broker = ReclaimingBroker("redis://127.0.0.1:1", retry=None)
    accept = register_bot(broker, world.client, answering(), "desk")
    desk = await desk_of(world)
    with pytest.raises(NotAcceptedError, match="did not confirm the event: ConnectionError") as caught:
        await accept(desk.event())
    assert caught.value.__context__ is None
    await desk.linq.aclose()
