"""Events are delivered to subscriptions: in order, repeated on the sandbox's clock, and with scripted faults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from linq_async.sandbox import Limits, Sandbox, SandboxDelivery
from linq_async.sandbox import events as happened
from linq_async.sandbox.clock import SandboxClock
from linq_async.sandbox.threaded import ThreadedSandbox
from linq_async.sandbox.webhooks.log import Deliveries

from .calls import MIRA, THEO, Api
from .receivers import RecordingReceiver, receiving, subscribed


@pytest_asyncio.fixture(params=[Sandbox, ThreadedSandbox])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Run a sandbox on the loop of the test, or on its own thread."""
    async with request.param() as running:
        yield running


@pytest_asyncio.fixture
async def receiver(sandbox: Sandbox) -> AsyncIterator[RecordingReceiver]:
    """Run a receiver that is subscribed to received messages."""
    async with receiving() as running:
        await subscribed(sandbox, running.url)
        yield running


def outline(delivery: SandboxDelivery) -> tuple[int, int | None]:
    """Return which attempt it was, and its status."""
    return delivery.attempt, delivery.status


async def attempts(sandbox: Sandbox, count: int) -> None:
    """Wait for so many attempts in all."""
    async with asyncio.timeout(5):
        async for _ in sandbox.changes.follow(0):
            if sandbox.deliveries.total >= count:
                break


async def subscription(api: Api) -> dict[str, Any]:
    """Return the subscription as the API shows it."""
    (found,) = (await api("GET", "/webhook_subscriptions")).json["webhook_subscriptions"]
    return dict(found)


@pytest.mark.asyncio
async def test_what_is_logged(sandbox: Sandbox, receiver: RecordingReceiver, api: Api) -> None:
    """An action returns once its event was delivered; the log, the changes and the subscription show it."""
    message = await sandbox.receive(from_=MIRA, text="Hi")
    (delivery,) = sandbox.deliveries
    assert outline(delivery) == (1, 200)
    assert (delivery.delivered, delivery.error, delivery.fault, delivery.number) == (True, None, None, 1)
    assert (delivery.event_type, delivery.subject) == ("message.received", f"chat {message.chat_id}")
    assert delivery.event == receiver.received[0].event
    assert delivery.body == receiver.received[0].body
    assert 0 < delivery.seconds < 5
    assert "Hi" not in repr(delivery) + repr(sandbox.deliveries)
    changes = [change.event for change in sandbox.changes.since(0)]
    assert happened.DeliveryAttempted(delivery) in changes
    shown = await subscription(api)
    assert shown["delivery_attempts"] == 1
    assert datetime.fromisoformat(shown["last_delivered_at"]) == delivery.ended_at.replace(microsecond=0)


@pytest.mark.asyncio
async def test_only_active_subscriptions_that_list_the_event(sandbox: Sandbox, api: Api) -> None:
    """An event goes to each active subscription that lists it, and to no other; without a secret it is not signed."""
    async with receiving() as first, receiving() as second, receiving() as third:
        await subscribed(sandbox, first.url)
        await sandbox.subscribe(second.url, secret="", events=["message.received"])
        await subscribed(sandbox, third.url, "message.read")
        inactive = {"webhook_url": third.url, "events": ["message.received"], "version": 2, "active": False}
        await api("POST", "/webhook_subscriptions", {"webhook_subscription": inactive})
        await sandbox.receive(from_=MIRA, text="Hi")
        await sandbox.delivered()
    assert [len(one.received) for one in (first, second, third)] == [1, 1, 0]
    assert first.received[0].body == second.received[0].body
    assert "X-Webhook-Signature" in first.received[0].headers
    assert "X-Webhook-Signature" not in second.received[0].headers


@pytest.mark.asyncio
async def test_repeats(sandbox: Sandbox, receiver: RecordingReceiver, api: Api) -> None:
    """A delivery that fails is repeated after 1, 5 and 30 seconds of the sandbox's clock, and then given up."""
    receiver.statuses[:] = [503, 500, 204, 401]
    await sandbox.receive(from_=MIRA, text="Hi")
    for count, seconds in ((1, 1), (2, 5), (3, 30)):
        assert sandbox.deliveries.total == count
        sandbox.advance(seconds - 0.5)
        await subscription(api)
        assert sandbox.deliveries.total == count
        sandbox.advance(0.5)
        await attempts(sandbox, count + 1)
    await sandbox.delivered()
    assert [outline(one) for one in sandbox.deliveries] == [(1, 503), (2, 500), (3, 204), (4, 401)]
    assert len({one.body for one in receiver.received}) == 1
    shown = await subscription(api)
    assert (shown["delivery_attempts"], shown["last_delivered_at"]) == (4, None)


@pytest.mark.asyncio
async def test_order_within_a_chat(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """A failed delivery holds up those behind it in its chat, whose senders do not wait, and no other chat."""
    receiver.statuses[:] = [503]
    first = await sandbox.receive(from_=MIRA, text="One")
    await sandbox.reply(first.chat_id, "Two")
    await sandbox.receive(from_=THEO, text="Other")
    assert receiver.texts == ["One", "Other"]
    sandbox.advance(1)
    await sandbox.delivered()
    assert receiver.texts == ["One", "Other", "One", "Two"]


@pytest.mark.asyncio
async def test_many_chats_at_once(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """Chats are delivered side by side, at most 50 at the same time, each in order."""
    receiver.gate.clear()
    people = [f"+1202556{n:04d}" for n in range(120)]
    writing = [
        asyncio.ensure_future(sandbox.receive(from_=person, text=f"{number}"))
        for number in range(3)
        for person in people
    ]
    await receiver.arrivals(50)
    assert sandbox.deliveries.total == 0
    receiver.gate.set()
    await asyncio.gather(*writing)
    await sandbox.delivered()
    assert receiver.most == 50
    by_person: dict[str, list[str]] = {}
    for one in receiver.received:
        by_person.setdefault(one.event["data"]["from_phone"], []).append(one.text)
    assert by_person == {person: ["0", "1", "2"] for person in people}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(3))
async def test_any_failures_keep_the_order(sandbox: Sandbox, receiver: RecordingReceiver, seed: int) -> None:
    """Whatever fails or comes twice, each event of each chat is delivered at least once, and first in its order."""
    draw = random.Random(seed)
    receiver.statuses[:] = draw.choices([200, 200, 503], k=200)
    faults = [sandbox.deliveries.twice, sandbox.deliveries.twice_with_new_id, sandbox.deliveries.lose_answer]
    for _ in range(20):
        draw.choice(faults)()
    people = [f"+1202556{n:04d}" for n in range(5)]
    for number in range(10):
        for person in people:
            await sandbox.receive(from_=person, text=f"{number}")
    delivering = asyncio.ensure_future(sandbox.delivered())
    while not delivering.done():
        sandbox.advance(30)
        await asyncio.wait([delivering], timeout=0.005)
    by_person: dict[str, list[int]] = {person: [] for person in people}
    for delivery in sandbox.deliveries:
        data = delivery.event["data"]
        if delivery.delivered or delivery.attempt == 4:  # delivered, or given up
            by_person[data["from_phone"]].append(int(data["text"]))
    assert {person: list(dict.fromkeys(numbers)) for person, numbers in by_person.items()} == {
        person: list(range(10)) for person in people
    }


@pytest.mark.asyncio
async def test_twice(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """The same event is delivered a second time, after a failed attempt too."""
    sandbox.deliveries.twice()
    receiver.statuses[:] = [503]
    message = await sandbox.receive(from_=MIRA, text="One")
    sandbox.advance(1)
    await sandbox.delivered()
    await sandbox.reply(message.chat_id, "Two")
    assert receiver.texts == ["One", "One", "One", "Two"]
    assert len({one.body for one in receiver.received}) == 2
    assert [(one.attempt, one.fault) for one in sandbox.deliveries] == [
        (1, "twice"),
        (2, "twice"),
        (1, None),
        (1, None),
    ]


@pytest.mark.asyncio
async def test_twice_with_new_id(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """The second delivery has another event id, and the same message."""
    sandbox.deliveries.twice_with_new_id(times=2)
    await sandbox.receive(from_=MIRA, text="One")
    await sandbox.receive(from_=THEO, text="Two")
    await sandbox.delivered()
    events = [one.event for one in receiver.received]
    assert len({event["event_id"] for event in events}) == 4
    assert len({event["data"]["id"] for event in events}) == 2
    assert [event["event_id"] for event in events] == [one.event_id for one in sandbox.deliveries]


@pytest.mark.asyncio
async def test_out_of_order(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """An event waits for the next one of its chat, and follows it; alone, it is held until it is released."""
    sandbox.deliveries.out_of_order(times=2)
    first = await sandbox.receive(from_=MIRA, text="One")
    await sandbox.receive(from_=THEO, text="Alone")
    await sandbox.delivered()
    assert receiver.received == []
    await sandbox.reply(first.chat_id, "Two")
    await sandbox.reply(first.chat_id, "Three")
    assert receiver.texts == ["Two", "One", "Three"]
    sandbox.deliveries.release()
    await sandbox.delivered()
    assert receiver.texts == ["Two", "One", "Three", "Alone"]


@pytest.mark.asyncio
async def test_lose_answer(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """The receiver has answered, but the sandbox does not know, and repeats the event."""
    sandbox.deliveries.lose_answer()
    await sandbox.receive(from_=MIRA, text="One")
    sandbox.advance(1)
    await sandbox.delivered()
    assert receiver.texts == ["One", "One"]
    assert [outline(one) for one in sandbox.deliveries] == [(1, None), (2, 200)]
    assert sandbox.deliveries[0].error == "the response was lost"


@pytest.mark.asyncio
async def test_hold_and_release(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """While deliveries are held, actions return at once and repeats wait; then everything follows in order."""
    receiver.statuses[:] = [503]
    first = await sandbox.receive(from_=MIRA, text="One")
    sandbox.deliveries.hold()
    assert sandbox.deliveries.held
    sandbox.advance(1)
    await sandbox.reply(first.chat_id, "Two")
    await sandbox.receive(from_=THEO, text="Other")
    await sandbox.delivered()
    assert receiver.texts == ["One"]
    sandbox.deliveries.release()
    await sandbox.delivered()
    assert sorted(receiver.texts) == ["One", "One", "Other", "Two"]
    assert [one for one in receiver.texts if one != "Other"] == ["One", "One", "Two"]


@pytest.mark.asyncio
async def test_faults_of_one_type_of_event(sandbox: Sandbox, api: Api) -> None:
    """A fault may be narrowed to a type of event, and is refused if it can never apply."""
    async with receiving() as receiver:
        await subscribed(sandbox, receiver.url, "message.received", "message.sent")
        sandbox.deliveries.twice(event_type="message.received")
        await api.create_chat()
        await sandbox.receive(from_=MIRA, text="Hi")
        await sandbox.delivered()
    assert receiver.types == ["message.sent", "message.received", "message.received"]
    unknown: dict[str, Any] = {"kind": "message.sent"}
    with pytest.raises(TypeError, match="unknown arguments: kind"):
        sandbox.deliveries.twice(**unknown)
    with pytest.raises(ValueError, match="times"):
        sandbox.deliveries.lose_answer(times=0)
    with pytest.raises(ValueError, match="event_type"):
        sandbox.deliveries.twice(event_type="message.recieved")


@pytest.mark.asyncio
async def test_redeliver(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """An earlier delivery can be made again, byte for byte."""
    await sandbox.receive(from_=MIRA, text="One")
    await sandbox.redeliver(sandbox.deliveries[0])
    assert receiver.received[0].body == receiver.received[1].body
    assert [outline(one) for one in sandbox.deliveries] == [(1, 200), (1, 200)]


@pytest.mark.asyncio
async def test_a_subscription_that_ends(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """What waits for a subscription that was deleted is dropped, and deleting it again changes nothing."""
    receiver.statuses[:] = [503]
    await sandbox.receive(from_=MIRA, text="One")
    gone = sandbox._state.subscriptions[640]
    await sandbox.unsubscribe(gone)
    await sandbox.unsubscribe(gone)
    sandbox.advance(1)
    await sandbox.delivered()
    await sandbox.receive(from_=MIRA, text="Two")
    await sandbox.redeliver(sandbox.deliveries[0])
    assert receiver.texts == ["One"]


@pytest.mark.asyncio
async def test_the_secret_of_the_moment(sandbox: Sandbox, receiver: RecordingReceiver, api: Api) -> None:
    """A repeated attempt uses the URL and the secret that the subscription has by then."""
    receiver.statuses[:] = [503]
    await sandbox.receive(from_=MIRA, text="One")
    changed = {"webhook_url": receiver.url + "/new", "events": ["message.read"], "version": 2, "secret": "rotated"}
    await api("PUT", "/webhook_subscriptions/640", {"webhook_subscription": changed})
    sandbox.advance(1)
    await sandbox.delivered()
    first, second = (one.headers["X-Webhook-Signature"] for one in receiver.received)
    assert first != second


@pytest.mark.asyncio
async def test_reset(sandbox: Sandbox, receiver: RecordingReceiver) -> None:
    """A reset drops deliveries that wait, those under way, the log, faults and the hold."""
    receiver.gate.clear()
    writing = asyncio.ensure_future(sandbox.receive(from_=MIRA, text="One"))
    await receiver.arrivals(1)
    sandbox.deliveries.hold()
    await sandbox.receive(from_=THEO, text="Held")
    sandbox.deliveries.twice()
    sandbox.reset()
    await writing
    receiver.gate.set()
    await sandbox.delivered()
    assert (list(sandbox.deliveries), sandbox.deliveries.total, sandbox.deliveries.held) == ([], 0, False)
    await subscribed(sandbox, receiver.url)
    await sandbox.receive(from_=MIRA, text="New")
    await sandbox.delivered()
    assert receiver.texts == ["One", "New"]


@pytest.mark.asyncio
async def test_subscribe(sandbox: Sandbox) -> None:
    """A subscription made in Python lists all events, has a random secret, and is checked as the API does."""
    first, second = [await sandbox.subscribe("http://127.0.0.1:9/hook") for _ in range(2)]
    assert len(first.events) == 14
    assert first.secret != second.secret
    assert len(first.secret or "") == 32
    for url, events in (("ftp://x", ["message.read"]), ("http://127.0.0.1:9", ["message.reed"])):
        with pytest.raises(ValueError, match="must"):
            await sandbox.subscribe(url, events=events)


@pytest.mark.asyncio
async def test_close_in_the_middle() -> None:
    """A sandbox that closes drops attempts under way and repeats, and whoever waits for them goes on."""
    async with receiving(503) as receiver:
        receiver.gate.clear()
        async with Sandbox() as sandbox:
            await subscribed(sandbox, receiver.url)
            writing = asyncio.ensure_future(sandbox.receive(from_=MIRA, text="One"))
            await receiver.arrivals(1)
        await writing
        receiver.gate.set()
        async with sandbox:
            await sandbox.delivered()
            receiver.statuses[:] = [503]
            await sandbox.receive(from_=MIRA, text="Two")
        assert [outline(one) for one in sandbox.deliveries] == [(1, 503)]
        sandbox.deliveries.release()
        assert (sandbox._outbox._tasks, sandbox._outbox._lanes) == (set(), {})


@pytest.mark.asyncio
async def test_a_listener(caplog: pytest.LogCaptureFixture) -> None:
    """`on_delivery` is called with each attempt, and what it raises is logged and changes nothing."""
    seen: list[SandboxDelivery] = []

    def note(delivery: SandboxDelivery) -> None:
        seen.append(delivery)
        raise KeyError

    async with Sandbox(on_delivery=note) as sandbox, receiving() as receiver:
        await subscribed(sandbox, receiver.url)
        await sandbox.receive(from_=MIRA, text="One")
        assert seen == list(sandbox.deliveries)
    assert "on_delivery failed" in caplog.text


@pytest.mark.asyncio
async def test_too_many_wait(caplog: pytest.LogCaptureFixture) -> None:
    """Deliveries beyond the limits are dropped, logged as such, and do not count as attempts."""
    limits = Limits(waiting_deliveries=2, delivery_bytes=4_000)
    async with Sandbox(limits=limits) as sandbox, receiving() as receiver:
        await subscribed(sandbox, receiver.url)
        sandbox.deliveries.hold()
        for number in range(3):
            await sandbox.receive(from_=MIRA, text=f"{number}")
        sandbox.deliveries.release()
        await sandbox.delivered()
        dropped = [one.error for one in sandbox.deliveries if one.attempt == 0]
        await sandbox.receive(from_=MIRA, text="x" * 5_000)
        dropped.append(sandbox.deliveries[-1].error)
        await sandbox.receive(from_=MIRA, text="fits")
        assert receiver.texts == ["0", "1", "fits"]
        counted = sandbox._state.subscriptions[640].delivery_attempts
    assert (counted, dropped) == (3, ["dropped: too many deliveries wait"] * 2)
    assert caplog.text.count("too many others wait") == 2


def test_the_log_is_bounded() -> None:
    """The log keeps the latest attempts, by number and by bytes, and counts all."""
    log = Deliveries(limit=3, max_bytes=50, on_release=lambda: None)
    for number in range(1, 6):
        log.add(_delivery(number, b"x" * 10))
    assert ([one.number for one in log], len(log), log.total) == ([3, 4, 5], 3, 5)
    log.add(_delivery(6, b"x" * 35))
    assert ([one.number for one in log[:]], log[-1].number) == ([5, 6], 6)
    log.add(_delivery(7, b"x" * 60))
    assert [one.number for one in log] == [7]


def _delivery(number: int, body: bytes) -> SandboxDelivery:
    return SandboxDelivery(
        number=number,
        subscription_id=640,
        url="http://127.0.0.1:8000/",
        event_type="message.read",
        event_id="one",
        subject="chat 8101",
        body=body,
        attempt=1,
        status=200,
        seconds=0.1,
        ended_at=datetime(2026, 1, 5, tzinfo=UTC),
    )


@pytest.mark.asyncio
async def test_a_clock_of_the_test() -> None:
    """A sleep ends when the clock reaches its moment, whatever moved it, and not before."""
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    clock = SandboxClock(lambda: moment)
    start = clock()
    clock.advance(10)
    await clock.sleep_until(clock())
    sleeping = asyncio.ensure_future(clock.sleep_until(clock().replace(second=12)))
    await asyncio.sleep(0)
    clock.advance(1)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(1)
    await sleeping
    assert (clock() - start).total_seconds() == 12
    short = asyncio.ensure_future(clock.sleep_until(clock().replace(microsecond=1_000)))
    await asyncio.sleep(0)
    moment = moment.replace(second=30)
    await asyncio.wait_for(short, 5)
