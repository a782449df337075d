"""Tests of the benchmark of events: every way to receive one gets the same, and refuses what was altered."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.event_rivals import Application, Message, by_hand, hand_written, sign_by_hand
from benchmarks.events import (
    BURST,
    OURS,
    SERVER,
    bot_with,
    called,
    headers_of,
    measured,
    running,
    sending,
    sent,
    serving,
)
from benchmarks.examples import EVENT_SECRET, event_body
from benchmarks.pairs import Cost, Pair
from linq_async.webhooks import MemoryInbox, MessageReceived, parse, unwrap

BODY = event_body(7)
HEADERS = headers_of(sign_by_hand(BODY))


async def _status(app: Application, body: bytes) -> int:
    responses: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        responses.append(message)

    await app({"type": "http", "method": "POST", "path": "/", "headers": HEADERS}, receive, send)
    return int(responses[0]["status"])


def test_events_differ() -> None:
    """No two events have the same id, and they are of 500 chats."""
    events = [parse(event_body(number)) for number in range(1_000)]
    assert len({event.event_id for event in events}) == 1_000
    assert len({event.chat_id for event in events}) == 500


def test_both_ways_decode_the_same() -> None:
    """The event by hand has the values of ours."""
    event_type, event = by_hand(BODY, HEADERS)
    ours = unwrap(BODY, HEADERS, EVENT_SECRET)
    assert isinstance(ours, MessageReceived)
    assert (event_type, event["data"]["text"]) == (ours.event_type, ours.data.text)
    assert ours.raw == event


@pytest.mark.asyncio
async def test_an_altered_body_is_refused_in_both_ways() -> None:
    """Both applications respond with 200 to the event, and with 401 to one that was altered."""
    async with running({OURS: bot_with(MemoryInbox())}) as hooks:
        for app in (hooks[OURS], hand_written(by_hand)):
            assert [await _status(app, body) for body in (BODY, BODY + b" ")] == [200, 401]


@pytest.mark.asyncio
async def test_all_events_of_a_burst_are_handled() -> None:
    """A burst is over when the inbox has all of its events as handled, with a server and without one."""
    inbox = MemoryInbox()
    bot = bot_with(inbox)
    signed = [(headers_of(sign_by_hand(body)), body) for body in map(event_body, range(10**6, 10**6 + BURST))]
    async with running({OURS: bot}) as hooks:
        await called(hooks[OURS], signed, bot)()
        assert repr(inbox) == f"<MemoryInbox: 0 in progress, {BURST} handled>"
        async with asyncio.timeout(20), serving({"/bot": hooks[OURS]}, SERVER) as port, sending(port) as sender:
            await sent(sender, "/bot", bot)()
        assert repr(inbox) == f"<MemoryInbox: 0 in progress, {2 * BURST} handled>"


def test_rows() -> None:
    """A row has the ratio to the way by hand, and microseconds and events per second of one event."""
    pairs = {"ours": [Pair(Cost(cpu=3e-4, wall=1e-3), Cost(cpu=2e-4, wall=5e-4))]}
    assert measured(pairs, {"rival": "not installed"}, 10) == [
        ("ours", "1.50 (1.50 to 1.50)", "30.0", "10,000"),
        ("by hand", "1", "20.0", "20,000"),
        ("rival", "not installed", "", ""),
    ]
