"""Numbers of fixed behaviour, and those for which a behaviour is set: what a client gets, and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_asyncio

from linq_async import (
    ConnectionLostError,
    DecodeError,
    LinqClient,
    LinqError,
    Outcome,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Timeouts,
    UnprocessableEntityError,
)
from linq_async.sandbox import Sandbox, recipients
from linq_async.sandbox.behaviour import FIXED, fixed_table
from linq_async.sandbox.events import DeliveryStatusChanged
from linq_async.sandbox.threaded import ThreadedSandbox
from tests.contract.recorder import off_contract

from .calls import LINE, MIRA, THEO
from .control_calls import controlling
from .receivers import receiving

AREA = "+1202555"


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[LinqClient]:
    """Open a client that waits for milliseconds between attempts, and for a fraction of a second for a response."""
    retry = RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.002)
    timeouts = Timeouts(read=0.2)
    async with LinqClient(sandbox.token, base_url=sandbox.base_url, retry=retry, timeouts=timeouts) as linq:
        yield linq


async def send(linq: LinqClient, *people: str, text: str = "Hello") -> Any:
    """Send a message to new people."""
    return await linq.chats.create(send_from=LINE, phone_numbers=people, text=text)


def test_the_documentation_lists_every_number() -> None:
    """docs/sandbox.md has the table that is made from the data, and the tests below name every number."""
    assert fixed_table() in (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    tested = {AREA + suffix for suffix in (*FAULTS, *STATUSES, *SERVICES, *ACTS)}
    assert tested == set(FIXED)


@attrs.frozen
class Sent:
    """What becomes of a send."""

    attempts: int
    stored: int
    error: type[LinqError] | None = None
    outcome: Outcome = Outcome.SENT


FAULTS = {
    "0170": Sent(1, 0, UnprocessableEntityError, Outcome.NOT_SENT),
    "0171": Sent(1, 0, RateLimitError, Outcome.NOT_SENT),
    "0172": Sent(2, 1),
    "0173": Sent(3, 0, ServerError, Outcome.UNKNOWN),
    "0174": Sent(2, 1),
    "0175": Sent(2, 1),
    "0176": Sent(2, 1),
    "0177": Sent(2, 1),
    "0178": Sent(2, 1),
    "0179": Sent(1, 1, DecodeError, Outcome.SENT),
}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "suffix", [pytest.param(one, marks=pytest.mark.slow) if one == "0178" else one for one in FAULTS]
)
async def test_sends_that_fail(client: LinqClient, sandbox: Sandbox, suffix: str) -> None:
    """A send to a number with a fault ends as documented, and is stored once or not at all, never twice."""
    expected = FAULTS[suffix]
    linq = client.with_options(retry=RetryPolicy.none()) if suffix == "0171" else client
    error: LinqError | None = None
    try:
        await send(linq, AREA + suffix)
    except LinqError as caught:
        error = caught
    assert (type(error) if error else None) is expected.error
    if error is not None:
        assert error.outcome is expected.outcome
    assert len(sandbox.messages) == expected.stored
    assert len(sandbox.requests) == expected.attempts
    if isinstance(error, RateLimitError):
        assert error.retry_after == 1


@pytest.mark.asyncio
async def test_in_an_old_chat_and_in_a_group(client: LinqClient, sandbox: Sandbox) -> None:
    """The behaviour applies to later messages of a chat, and in a group the first fixed number counts."""
    chat = await send(client, AREA + "0174")
    again = await client.messages.send(chat.id, text="Again")
    assert (chat.attempts, again.attempts) == (2, 2)
    group = await send(client, MIRA, AREA + "0172", AREA + "0170")
    assert group.attempts == 2
    assert [entry.status for entry in sandbox.requests] == [503, 200, 503, 201, 429, 200]


@pytest.mark.asyncio
async def test_a_scripted_fault_comes_first(client: LinqClient, sandbox: Sandbox) -> None:
    """A scripted fault takes the place of the number's own."""
    sandbox.faults.drop_after_storing()
    linq = client.with_options(retry=RetryPolicy.none())
    with pytest.raises(ConnectionLostError):
        await send(linq, AREA + "0170")
    assert len(sandbox.messages) == 1


STATUSES = {
    "0150": "pending",
    "0151": "pending",
    "0152": "service_unavailable",
    "0153": "rate_limit_exceeded",
    "0154": "paused",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("suffix", STATUSES)
async def test_delivery(client: LinqClient, sandbox: Sandbox, suffix: str) -> None:
    """Messages to a number have its delivery status, which is published, and only time delivers what is pending."""
    chat = await send(client, AREA + suffix)
    with off_contract("the schemas of a message list different statuses", "answer.body", strict=False):
        await check_delivery(client, sandbox, chat, suffix)


async def check_delivery(client: LinqClient, sandbox: Sandbox, chat: Any, suffix: str) -> None:
    """Compare the status of a message now and later."""
    message = await client.messages.get(chat.id, chat.message.id)
    assert (message.delivery_status, message.delivered_at) == (STATUSES[suffix], None)
    changes = [change.event for change in sandbox.changes.since(0)]
    statuses = [event.status for event in changes if isinstance(event, DeliveryStatusChanged)]
    assert statuses == ([] if STATUSES[suffix] == "pending" else [STATUSES[suffix]])
    sandbox.advance(5)
    later = await client.messages.get(chat.id, chat.message.id)
    assert later.delivery_status == ("delivered" if suffix == "0151" else STATUSES[suffix])
    ordinary = await send(client, MIRA)
    assert (await client.messages.get(ordinary.id, ordinary.message.id)).delivery_status == "delivered"


SERVICES = {"0160": "SMS", "0161": "RCS"}


@pytest.mark.asyncio
@pytest.mark.parametrize("suffix", SERVICES)
async def test_service(client: LinqClient, suffix: str) -> None:
    """A chat with a number has its service, and the number is not on iMessage."""
    assert (await send(client, AREA + suffix)).service == SERVICES[suffix]
    assert not (await client.imessage.check(AREA + suffix)).available


ACTS = {
    "0180": ["message.sent", "message.received"],
    "0181": ["message.sent", "message.read"],
    "0182": ["message.sent", "reaction.received"],
    "0183": [
        "message.sent",
        "typing_indicator.received",
        "message.received",
        "typing_indicator.removed",
    ],
    "0184": ["message.sent", "message.received", "message.received"],
}


@pytest.mark.asyncio
@pytest.mark.parametrize("suffix", ACTS)
async def test_numbers_that_answer(
    client: LinqClient, sandbox: Sandbox, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number replies, reads, reacts or types by itself, and the webhooks of that are delivered."""
    monkeypatch.setattr(recipients, "TYPING_SECONDS", 0.02)
    async with receiving() as receiver:
        await sandbox.subscribe(receiver.url, events=[*{*ACTS[suffix]}])
        await send(client, AREA + suffix, text="Echo?")
        await receiver.arrivals(len(ACTS[suffix]))
        await sandbox.delivered()
    assert receiver.types == ACTS[suffix]
    replies = [message.text for message in sandbox.messages if not message.from_me]
    assert replies == (["Echo?"] if "message.received" in ACTS[suffix] else [])


@pytest.mark.asyncio
async def test_two_machines_do_not_talk_for_ever(
    client: LinqClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number stops replying to a bot that replies to each reply."""
    monkeypatch.setattr(recipients, "SECONDS", 0.0)
    chat = await send(client, AREA + "0180")
    for count in range(1, recipients.MOST + 1):
        await _received(sandbox, count)
        await client.messages.send(chat.id, text="I reply, too")
    await client.messages.send(chat.id, text="And now?")
    other = await send(client, AREA + "0180", THEO)
    await _received(sandbox, recipients.MOST + 1)
    assert sandbox.messages[-1].chat_id == other.id
    sandbox.advance(11)
    await client.messages.send(chat.id, text="And later?")
    await _received(sandbox, recipients.MOST + 2)
    assert sandbox.messages[-1].chat_id == chat.id


async def _received(sandbox: Sandbox, count: int) -> None:
    """Wait until a number of messages was received."""
    async with asyncio.timeout(5):
        while True:
            position = sandbox.changes.number
            if sum(not message.from_me for message in sandbox.messages) >= count:
                return
            await sandbox.changes.wait(position)


@pytest.mark.asyncio
async def test_what_was_dropped_is_not_answered(sandbox: Sandbox, client: LinqClient) -> None:
    """A number does not react to a message that a reset dropped, or that was deleted."""
    await send(client, AREA + "0180")
    sandbox.reset()
    chat = await send(client, AREA + "0182")
    await client.messages.delete(chat.id, chat.message.id)
    await send(client, AREA + "0180", text="Last")
    await _received(sandbox, 1)
    assert [message.text for message in sandbox.messages if not message.from_me] == ["Last"]
    assert sandbox._state.reactions == {}


@pytest.mark.asyncio
async def test_behave(client: LinqClient, sandbox: Sandbox) -> None:
    """What is set for a number changes its service and the status of its messages, of earlier ones too."""
    chat = await send(client, MIRA)
    sandbox.behave(MIRA, delivery="paused", service="RCS")
    message = await client.messages.get(chat.id, chat.message.id)
    assert (message.delivery_status, message.delivered_at) == ("paused", None)
    assert (await client.chats.get(chat.id)).service == "RCS"
    sandbox.behave(MIRA, delivery=60)
    assert (await client.messages.get(chat.id, chat.message.id)).delivery_status == "pending"
    sandbox.advance(60)
    assert (await client.messages.get(chat.id, chat.message.id)).delivery_status == "delivered"
    sandbox.without_imessage.add(THEO)
    sandbox.behave(THEO, service="iMessage")
    assert (await client.imessage.check(THEO)).available
    sandbox.behave(MIRA)
    assert (await client.chats.get(chat.id)).service == "iMessage"


@pytest.mark.parametrize(
    "given",
    [
        {"delivery": "lost"},
        {"delivery": -1},
        {"delivery": True},
        {"delivery": float("nan")},
        {"service": "fax"},
        {"number": "nobody"},
    ],
)
def test_what_no_number_can_do_is_refused(given: dict[str, Any]) -> None:
    """An unknown status, service or number is refused."""
    arguments = {"number": MIRA, **given}
    with pytest.raises(ValueError, match=r"delivery|service|not a phone number"):
        Sandbox().behave(arguments.pop("number"), **arguments)


@pytest.mark.asyncio
async def test_behave_by_a_call() -> None:
    """The control call sets and lists the same, also of a sandbox in a thread."""
    with ThreadedSandbox() as sandbox:
        async with controlling(sandbox) as control:
            sandbox.behave(THEO, delivery=2.5)
            data = await control.data("PUT", f"/numbers/{MIRA}", {"delivery": "paused", "service": "SMS"})
            assert data["numbers"] == [
                {"phone_number": THEO, "delivery": 2.5, "service": None},
                {"phone_number": MIRA, "delivery": "paused", "service": "SMS"},
            ]
            assert len(data["fixed"]) == len(FIXED)
            later = await control.data("PUT", f"/numbers/{MIRA}", {"delivery": 3})
            assert later["numbers"][1] == {"phone_number": MIRA, "delivery": 3.0, "service": None}
            refused: list[tuple[str, object]] = [(MIRA, {"delivery": {}}), (MIRA, {"service": "fax"}), ("nobody", {})]
            for path, body in refused:
                assert (await control("PUT", f"/numbers/{path}", body)).status == 422
