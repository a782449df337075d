"""Derived keys: a client with a key source asks it for the key of each message that is sent without one."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from linq_async import LinqClient, NewChat, NewMessage, Outcome, RetryPolicy
from linq_async.models.outgoing import DerivedKey
from linq_async.resources.raw import RawCall
from linq_async.sandbox import Sandbox
from linq_async.wire.request import Request
from linq_async.wire.target import target_of
from tests.support.world import LINE, MIRA, THEO, failure_of

CHATS = "/api/partner/v2/chats"


class Source:
    """Counts the messages to each target, as the key source of a run does."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, target: str) -> str:
        self.asked.append(target)
        digits = "".join(char if char.isalnum() else "-" for char in target)
        return f"re{digits}-{Counter(self.asked)[target]}"


@pytest.fixture
def source() -> Source:
    """Return a key source that remembers what it was asked for."""
    return Source()


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Run a sandbox."""
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture
async def plain(sandbox: Sandbox) -> AsyncIterator[LinqClient]:
    """Open a client without a key source."""
    async with LinqClient(sandbox.token, base_url=sandbox.base_url, retry=RetryPolicy.none()) as client:
        yield client


@pytest.fixture
def linq(plain: LinqClient, source: Source) -> LinqClient:
    """Return a client that derives its keys."""
    return plain._with_key_source(source)


def _keys(sandbox: Sandbox) -> list[str | None]:
    return [message.idempotency_key for message in sandbox.messages]


@pytest.mark.asyncio
@pytest.mark.off_contract("messages as JSON, which the documentation does not show", "request.type")
async def test_each_way_to_send_asks_for_a_key(sandbox: Sandbox, linq: LinqClient, source: Source) -> None:
    """Creating a chat, sending to one, and both through ``request`` ask for the key of the same target."""
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[THEO, MIRA], text="One")
    sent = await linq.messages.send(chat.id, "Two")
    body = {"send_from": LINE, "chat": {"phone_numbers": [MIRA, THEO]}, "message": {"text": "Three"}}
    third = await linq.request("POST", CHATS, body)
    fourth = await linq.request("post", f"{CHATS}/{chat.id}/chat_messages", {"message": {"text": "Four"}})
    people = f"people:{LINE}:{MIRA},{THEO}"
    assert source.asked == [people, f"chat:{chat.id}", people, f"chat:{chat.id}"]
    results = [chat.idempotency_key, sent.idempotency_key, third.idempotency_key, fourth.idempotency_key]
    assert results == _keys(sandbox)
    assert len(set(results)) == 4
    assert all(isinstance(key, DerivedKey) for key in results)


@pytest.mark.asyncio
@pytest.mark.off_contract("messages as JSON, which the documentation does not show", "request.type")
async def test_the_callers_own_key_wins(sandbox: Sandbox, linq: LinqClient, source: Source) -> None:
    """A message that has a key is sent with it, and does not count as a message to its target."""
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="One", idempotency_key="own-1")
    await linq.messages.send(chat.id, NewMessage(text="Two", idempotency_key="own-2"))
    path = f"{CHATS}/{chat.id}/chat_messages"
    await linq.request("POST", path, {"message": {"text": "Three"}}, idempotency_key="own-3")
    await linq.request("POST", path, {"message": {"text": "Four", "idempotency_key": "own-4"}})
    assert (_keys(sandbox), source.asked) == ([f"own-{n}" for n in range(1, 5)], [])


@pytest.mark.asyncio
async def test_a_request_without_a_message_has_no_key(linq: LinqClient, source: Source) -> None:
    """Nothing else asks for a key: other calls, refused arguments, and requests that hold no message."""
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="One", idempotency_key="own-1")
    await linq.chats.start_typing(chat.id)
    await linq.messages.react(chat.message.id, "like")
    await linq.request("POST", f"{CHATS}/{chat.id}/start_typing")
    for call in (RawCall("PUT", "/x", {"message": {}}, None, None), RawCall("POST", "/x", {"text": "Hi"}, None, None)):
        assert call.request((), source).idempotency_key is None
    await failure_of(linq.messages.send(chat.id, ""))
    await failure_of(linq.request("POST", "no path", {"message": {"text": "Two"}}))
    assert source.asked == []


@pytest.mark.asyncio
async def test_people_who_are_sent_to_at_once_keep_their_keys(sandbox: Sandbox, plain: LinqClient) -> None:
    """The keys of a gather over several people are the same in any order, so that a second run stores nothing."""
    people = [f"+1334328447{n}" for n in range(5)]
    for numbers in (people, people[::-1]):
        linq = plain._with_key_source(Source())
        sends = [linq.chats.create(send_from=LINE, phone_numbers=[number], text="Hi") for number in numbers]
        await asyncio.gather(*sends)
    assert [message.recipients for message in sandbox.messages] == [(number,) for number in people]


@pytest.mark.asyncio
async def test_a_derived_client_shares_the_connections(plain: LinqClient, linq: LinqClient, source: Source) -> None:
    """It uses the transport of its client, does not close it, and keeps the source when other options are set."""
    assert linq._pipeline.transport is plain._pipeline.transport
    await linq.aclose()
    chat = await linq.with_options(retry=RetryPolicy.none()).chats.create(
        send_from=LINE, phone_numbers=[MIRA], text="One"
    )
    await plain.messages.send(chat.id, "Two")
    assert len(source.asked) == 1
    assert "Source" not in repr(linq._pipeline.settings)


@pytest.mark.asyncio
async def test_a_lost_answer_is_repeated_under_the_derived_key(sandbox: Sandbox, plain: LinqClient) -> None:
    """The error of a lost send has the key, under which the client sends it again, also with another text."""
    linq = plain._with_key_source(Source())
    sandbox.faults.drop_after_storing()
    lost = await failure_of(linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="One"))
    assert lost.outcome is Outcome.UNKNOWN
    assert len(plain._pipeline.keys) == 0
    for text in ("One", "Uno"):
        chat = await linq.chats.create(
            send_from=LINE, phone_numbers=[MIRA], text=text, idempotency_key=lost.idempotency_key
        )
        assert (chat.message.text, chat.idempotency_key) == ("One", lost.idempotency_key)
    assert len(sandbox.messages) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("minutes", [0, 1])
async def test_another_text_of_a_second_run_is_held_back(
    sandbox: Sandbox, plain: LinqClient, caplog: pytest.LogCaptureFixture, minutes: int
) -> None:
    """A second run that answers otherwise gets the first answer, and a warning without texts: it does not fail."""
    chat = await plain.chats.create(send_from=LINE, phone_numbers=[THEO], text="Hello")
    for run, text in enumerate(["We open at nine.", "Our doors open at ten."]):
        linq = plain._with_key_source(Source())
        created = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text=text)
        sent = await linq.messages.send(chat.id, text)
        assert (created.message.text, sent.text) == ("We open at nine.", "We open at nine.")
        assert (bool(created.replayed), sent.replayed) == (run == 1, run == 1)
        for message in sandbox.messages:
            message.sent_at -= timedelta(minutes=minutes)
    assert len(sandbox.messages) == 3
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.split(":")[0] for text in warnings] == ["chats.create", "messages.send"]
    assert "open" not in caplog.text


@pytest.mark.asyncio
async def test_a_rewritten_text_is_not_called_held_back(
    sandbox: Sandbox, plain: LinqClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A text that the server rewrote is a result in the first run and in the second, without a warning."""
    sandbox._state.normalise = lambda text: f"{text[:16]} Reply STOP"
    chat = await plain.chats.create(send_from=LINE, phone_numbers=[THEO], text="Hello")
    for run in range(2):
        linq = plain._with_key_source(Source())
        sent = await linq.messages.send(chat.id, "We open at nine on all days.")
        await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="We open at nine on all days.")
        assert sent.replayed == (run == 1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("path", "body", "target"),
    [
        (CHATS, NewChat(send_from=LINE, phone_numbers=[THEO, MIRA], text="Hi"), f"people:{LINE}:{MIRA},{THEO}"),
        (f"{CHATS}/45/chat_messages", NewMessage(text="Hi"), "chat:45"),
        (f"{CHATS}/045/chat_messages", {"message": {}}, "chat:45"),
        (f"{CHATS}/x/chat_messages", {"message": {}}, f"path:{CHATS}/x/chat_messages"),
        (f"{CHATS}/{'9' * 5000}/chat_messages", {}, f"path:{CHATS}/{'9' * 5000}/chat_messages"),
        (CHATS, {"send_from": LINE, "chat": {"phone_numbers": (MIRA, 5)}}, f"people:{LINE}:{MIRA},5"),
        (CHATS, {"send_from": LINE, "chat": {"phone_numbers": MIRA}}, f"path:{CHATS}"),
        (CHATS, {"send_from": LINE, "chat": [MIRA]}, f"path:{CHATS}"),
        (CHATS, {"send_from": 5, "chat": {"phone_numbers": [MIRA]}}, f"path:{CHATS}"),
        ("/other", {"send_from": LINE, "chat": {"phone_numbers": [MIRA]}}, "path:/other"),
    ],
)
def test_targets(path: str, body: Any, target: str) -> None:
    """A target is a chat or a line with its people; of requests to other paths, the path."""
    assert target_of(Request(operation="request", method="POST", path=path, body=body)) == target
