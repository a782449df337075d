"""Whether the message in a response is older than the call, and what that proves about a reused key."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from linq_async import CreatedChat, InvalidArgumentError, KeyReusedError, LinqClient, Outcome, RetryPolicy, SentMessage
from linq_async.timing import Timing
from tests.support.clients import AT_ONCE, client_of, failure_of
from tests.support.loopback import HANG_UP, Loopback, Reply, refused, replied
from tests.support.world import LINE, MIRA, THEO

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)
OLD = "Now we open at ten, not at nine"


def chat_of(text: str, *people: str, ago: float = 60.0) -> Reply:
    """Return a chat whose message was stored this many seconds before the response."""
    return _shown({"id": 9, "text": text, "attachments": []}, ago, people or (MIRA,))


def message_of(text: str, *, ago: float = 60.0) -> Reply:
    """Return a message that was stored this many seconds before the response, with a status of 200."""
    return _shown({"id": 9, "text": text, "attachments": []}, ago)


def _shown(message: dict[str, object], ago: float, people: tuple[str, ...] = ()) -> Reply:
    message["sent_at"] = (NOON - timedelta(seconds=ago)).isoformat()
    handles = [{"id": number, "phone_number": text} for number, text in enumerate(people)]
    data = {"id": 1, "chat_handles": handles, "chat_messages": message} if people else message
    return replied({"data": data}, 200, Date=format_datetime(NOON, usegmt=True))


async def create(linq: LinqClient, text: str, to: str = MIRA) -> CreatedChat:
    """Send a message under the one key of these tests."""
    return await linq.chats.create(send_from=LINE, phone_numbers=[to], text=text, idempotency_key="k-1")


async def send_to_chat(linq: LinqClient, text: str) -> SentMessage:
    """Send a message in a chat under the same key."""
    return await linq.messages.send(1, text, idempotency_key="k-1")


@pytest.mark.asyncio
@pytest.mark.parametrize(("text", "outcome"), [("No", Outcome.UNKNOWN), ("See you", Outcome.NOT_SENT)])
@pytest.mark.parametrize(
    ("stored", "send"),
    [(chat_of(OLD), create), (message_of(OLD), send_to_chat)],
    ids=["chat", "message"],
)
async def test_a_lost_attempt_did_not_store_an_older_message(
    stored: Reply, send: Callable[[LinqClient, str], Awaitable[object]], text: str, outcome: Outcome
) -> None:
    """A message from before the call is not taken for the call's own after a lost attempt, however often it is sent."""
    async with Loopback(default=stored) as server, client_of(server, retry=AT_ONCE) as linq:
        for _ in range(2):
            server.script.append(refused(503))
            error = await failure_of(send(linq, text))
            assert isinstance(error, KeyReusedError)
            assert (error.outcome, error.attempts, error.result.replayed) == (outcome, 2, True)


@pytest.mark.asyncio
@pytest.mark.parametrize("lost", [0, 1])
async def test_a_message_of_the_time_of_the_call_is_not_an_earlier_one(lost: int) -> None:
    """A status of 200 alone does not prove that another text is an earlier message; the key stays in use."""
    fresh = message_of("Something else", ago=0.0)
    async with (
        Loopback(*[refused(503)] * lost, default=fresh) as server,
        client_of(server, retry=AT_ONCE) as linq,
    ):
        for attempts in (lost + 1, 1):
            error = await failure_of(linq.messages.send(1, "That bus is late", idempotency_key="k-1"))
            assert isinstance(error, KeyReusedError)
            assert (error.outcome, error.attempts) == (Outcome.UNKNOWN, attempts)
        other = await failure_of(linq.messages.send(1, "Another", idempotency_key="k-1"))
    assert isinstance(other, InvalidArgumentError)


@pytest.mark.asyncio
async def test_a_call_counts_the_time_that_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that an attempt stored is the call's own after a sleep of the machine, which stops its clock."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += 60.0 + seconds

    monkeypatch.setattr("linq_async.resources.sending.time", SimpleNamespace(time=lambda: now))
    async with (
        Loopback(HANG_UP, default=chat_of("Now we open", ago=60.0)) as server,
        client_of(server, retry=RetryPolicy(), timing=Timing(sleep=sleep)) as linq,
    ):
        chat = await create(linq, OLD)
    assert (chat.replayed, chat.attempts) == (False, 2)


REWRITINGS: dict[str, tuple[str, Callable[[str], str]]] = {
    "a cut, then an opt-out": ("Could you help us pick a day?", lambda text: f"{text[:20]} Reply STOP to opt out"),
    "masked digits": ("Your code is 4711 enjoy", lambda text: re.sub(r"\d", "-", text)),
    "a masked word": ("That damn bus is late", lambda text: text.replace("damn", "d---")),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("rewriting", REWRITINGS)
async def test_a_rewritten_message_of_another_process_is_unknown(rewriting: str) -> None:
    """A rewritten text is a result if it is fresh, and UNKNOWN if the server had it before; it is never NOT_SENT."""
    text, rewrite = REWRITINGS[rewriting]
    async with Loopback(chat_of(rewrite(text), ago=0.0)) as server, client_of(server) as linq:
        assert (await create(linq, text)).message.text == rewrite(text)
    for shown in (chat_of(rewrite(text)), message_of(rewrite(text))):
        async with Loopback(default=shown) as server, client_of(server) as linq:
            is_chat = b"chat_handles" in shown.body
            call = create(linq, text) if is_chat else linq.messages.send(1, text, idempotency_key="k-1")
            assert (await failure_of(call)).outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
@pytest.mark.parametrize("handle", ["\u20264472", "4472", "+1334"])
async def test_part_of_a_number_is_never_another_recipient(handle: str) -> None:
    """A handle that shows a part of the number is UNKNOWN if the server had the message before: it is stored."""
    async with Loopback(default=chat_of("One", handle)) as server, client_of(server) as linq:
        assert (await failure_of(create(linq, "One"))).outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
@pytest.mark.parametrize("handle", ["Mira <+13343284472>", "+1 334 328 ----"])
async def test_a_handle_with_a_name_or_a_mask_is_a_result(handle: str) -> None:
    """A number with a name is read, and one that is masked is not compared."""
    async with Loopback(default=chat_of("One", handle)) as server, client_of(server) as linq:
        assert (await create(linq, "One")).replayed


@pytest.mark.asyncio
@pytest.mark.parametrize("ago", [0.0, 60.0])
@pytest.mark.parametrize(
    "asked",
    [
        "\u202a+1 334 328 4472\u202c",
        "+1\u2011334\u2013328\u20114472",
        "+1334\u200b3284472",
        "+13343284472 ext. 5",
        "Mira",
    ],
)
async def test_another_recipient_is_noticed_in_every_format(asked: str, ago: float) -> None:
    """A response that shows other numbers is not a result, even if the number was given in an unreadable format."""
    async with Loopback(default=chat_of("One", THEO, ago=ago)) as server, client_of(server) as linq:
        error = await failure_of(create(linq, "One", asked))
    proven = bool(ago) and asked != "Mira"
    assert isinstance(error, KeyReusedError)
    assert error.outcome is (Outcome.NOT_SENT if proven else Outcome.UNKNOWN)
