"""``linq.messages``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from linq_async import DecodeError, NewChat, NewMessage, Outcome, ReactionType, Upload
from tests.support.world import LINE, MIRA, World, failure_of

pytestmark = pytest.mark.asyncio


async def test_plain_text_is_multipart_too(filled: World) -> None:
    """A message without files is sent with a key, as multipart/form-data, the only documented format."""
    sent = await filled.linq.messages.send(filled.chat_id, "Grüße 🎂\nbye")
    (entry,) = filled.sandbox.requests
    assert entry.content_type.startswith("multipart/form-data; boundary=")
    assert entry.idempotency_key == sent.idempotency_key
    assert (filled.sandbox.messages[-1].text, sent.text) == ("Grüße 🎂\nbye",) * 2
    assert (sent.replayed, sent.attempts, sent.request_id) == (False, 1, entry.request_id)


async def test_files_and_urls_together(filled: World) -> None:
    """Files and URLs are sent in one request."""
    sent = await filled.linq.messages.send(
        filled.chat_id,
        text="Plan attached.",
        attachments=[Upload.from_bytes(b"%PDF", filename="plan.pdf")],
        attachment_urls=["https://example.com/menu.pdf"],
    )
    assert [attachment.filename for attachment in sent.attachments] == ["plan.pdf", "menu.pdf"]


async def test_a_known_key_is_a_replay(filled: World) -> None:
    """A key that the server knows returns the stored message, marked as replayed."""
    message = NewMessage(text="Hi", idempotency_key="key-1")
    first = await filled.linq.messages.send(filled.chat_id, message)
    second = await filled.linq.messages.send(filled.chat_id, message)
    assert (first.replayed, second.replayed, first.id) == (False, True, second.id)
    assert first.idempotency_key == second.idempotency_key == "key-1"


async def test_a_lost_answer_of_this_very_call_is_a_replay(filled: World) -> None:
    """The retry after a lost response finds the message: one message, replayed, two attempts."""
    filled.sandbox.faults.drop_after_storing()
    sent = await filled.linq.messages.send(filled.chat_id, "Hi")
    assert (sent.replayed, sent.attempts) == (True, 2)
    assert len(filled.sandbox.messages) == 2
    assert list(filled.sandbox.requests.by_key()) == [sent.idempotency_key]


async def test_a_failed_send_knows_its_key(filled: World) -> None:
    """Every error has the key and the outcome, so that the send can be repeated safely."""
    filled.sandbox.faults.drop_after_storing(times=4)
    error = await failure_of(filled.linq.messages.send(filled.chat_id, "Hi"))
    assert (error.outcome, error.attempts) == (Outcome.UNKNOWN, 4)
    again = await filled.linq.messages.send(filled.chat_id, "Hi", idempotency_key=error.idempotency_key)
    assert again.replayed
    assert len(filled.sandbox.messages) == 2


async def test_a_new_message_is_sent_whole(filled: World) -> None:
    """A NewMessage sends the same form as its fields passed as keywords, with its own key."""
    upload = Upload.from_bytes(b"%PDF", filename="plan.pdf")
    fields: dict[str, Any] = {"attachments": [upload], "attachment_urls": ["https://example.com/menu.pdf"]}
    whole = await filled.linq.messages.send(filled.chat_id, NewMessage(text="Hi", **fields, idempotency_key="key-1"))
    apart = await filled.linq.messages.send(filled.chat_id, text="Hi", **fields, idempotency_key="key-2")
    assert (whole.idempotency_key, apart.idempotency_key) == ("key-1", "key-2")
    assert [one.filename for one in whole.attachments] == [one.filename for one in apart.attachments]
    assert [entry.text for entry in filled.sandbox.messages[-2:]] == ["Hi", "Hi"]


async def test_a_message_without_a_key_gets_a_new_one_for_each_send(filled: World) -> None:
    """The same NewMessage without a key, sent twice, is two messages."""
    message = NewMessage(text="Hi")
    first, second = [await filled.linq.messages.send(filled.chat_id, message) for _ in range(2)]
    assert first.id != second.id
    assert None is not first.idempotency_key != second.idempotency_key
    assert message.idempotency_key is None


async def test_a_new_chat_is_not_a_message(filled: World) -> None:
    """A NewChat has recipients of its own, so it is refused with a hint at ``chats.send``."""
    new_chat = NewChat(send_from=LINE, phone_numbers=[MIRA], text="Hi")
    error = await failure_of(filled.linq.messages.send(filled.chat_id, new_chat))
    assert (error.message, filled.seen) == ("message must be a NewMessage; use linq.chats.send for a NewChat", [])


async def test_a_new_message_has_its_own_fields(filled: World) -> None:
    """Fields next to a NewMessage are refused by name, instead of being ignored."""
    fields: dict[str, Any] = {"attachments": [], "attachment_urls": ["https://example.com/a.pdf"]}
    error = await failure_of(
        filled.linq.messages.send(filled.chat_id, NewMessage(text="Hi"), **fields, idempotency_key="key-1")
    )
    assert error.message == "; ".join(
        f"{name} must be a field of the NewMessage instead"
        for name in ("attachments", "attachment_urls", "idempotency_key")
    )
    assert filled.seen == []


@pytest.mark.parametrize("text", [None, 5, b"Hi", ["Hi"]])
async def test_a_message_is_a_text_or_a_new_message(filled: World, text: Any) -> None:
    """Anything else in place of the text is refused by its type."""
    error = await failure_of(filled.linq.messages.send(filled.chat_id, text))
    assert (error.message, filled.seen) == (f"text must be a str, not {type(text).__name__}", [])


async def test_list_between_two_moments(filled: World) -> None:
    """Times are sent with their offset, the plus sign escaped; messages are sorted either way."""
    ids = [filled.message_id]
    for text in ("two", "three", "four"):
        filled.clock.advance(60)
        ids.append((await filled.linq.messages.send(filled.chat_id, text)).id)
    start = filled.clock.moment().astimezone(timezone(timedelta(hours=2))) - timedelta(seconds=179)
    listing = filled.linq.messages.list(filled.chat_id, after=start, before=filled.clock.moment(), sort="desc")
    assert [message.id async for message in listing] == ids[2:0:-1]
    assert "%2B02:00" in filled.sandbox.requests[-1].query.replace("%3A", ":")
    assert [message.id async for message in filled.linq.messages.list(filled.chat_id)] == ids


async def test_edit(filled: World) -> None:
    """``edit`` stores the new text and returns the few fields of the response."""
    edited = await filled.linq.messages.edit(filled.chat_id, filled.message_id, "Better")
    message = await filled.linq.messages.get(filled.chat_id, filled.message_id)
    assert (edited.id, edited.text, message.text) == (filled.message_id, "Better", "Better")
    assert message.edited_at is not None


async def test_delete(filled: World) -> None:
    """Deleting a message twice is a NotFoundError."""
    assert await filled.linq.messages.delete(filled.chat_id, filled.message_id) is None
    for call in (filled.linq.messages.get, filled.linq.messages.delete):
        error = await failure_of(call(filled.chat_id, filled.message_id))
        assert type(error).__name__ == "NotFoundError"


async def test_a_delete_whose_answer_was_lost(filled: World) -> None:
    """A 404 to the retry of a delete counts as success."""
    filled.sandbox.faults.drop_after_storing()
    assert await filled.linq.messages.delete(filled.chat_id, filled.message_id) is None
    assert [entry.status for entry in filled.sandbox.requests] == [None, 404]


async def test_react_and_take_it_back(filled: World) -> None:
    """A reaction can be added, read and removed, by name or enum member."""
    reaction = await filled.linq.messages.react(filled.message_id, ReactionType.LAUGH)
    assert (reaction.reaction, reaction.chat_message_id) == (ReactionType.LAUGH, filled.message_id)
    assert await filled.linq.messages.get_reaction(reaction.id) == reaction
    (message,) = await filled.linq.messages.list(filled.chat_id)
    assert message.reactions == [reaction]
    assert await filled.linq.messages.unreact(filled.message_id, "laugh") is None
    error = await failure_of(filled.linq.messages.get_reaction(reaction.id))
    assert type(error).__name__ == "NotFoundError"


@pytest.mark.parametrize("body", [b"", b"gone", b'{"data": null}', b"[]"])
async def test_what_a_removal_answers_is_not_read(filled: World, body: bytes) -> None:
    """Removing a reaction succeeds with any 2xx, because its response is not documented."""
    filled.sandbox.faults.answer(200, body=body)
    assert await filled.linq.messages.unreact(filled.message_id, "like") is None


@pytest.mark.off_contract("a kind of reaction that is not documented", "request.body")
async def test_an_unknown_reaction_is_the_servers_to_refuse(filled: World) -> None:
    """An unlisted kind of reaction is sent unchanged, so that a new kind needs no new release."""
    error = await failure_of(filled.linq.messages.react(filled.message_id, "salute"))
    assert (type(error).__name__, len(filled.seen)) == ("UnprocessableEntityError", 1)
    filled.sandbox.faults.answer(201, json={"data": {"id": 9, "reaction": "salute"}})
    assert (await filled.linq.messages.react(filled.message_id, "salute")).reaction == "salute"


async def test_a_message_of_another_shape(filled: World) -> None:
    """An accepted message with an invalid response is a DecodeError: not retried, and with the key."""
    filled.sandbox.faults.answer(201, json={"data": {"id": "7", "sent_at": "noon"}})
    error = await failure_of(filled.linq.messages.send(filled.chat_id, "Hi", idempotency_key="key-1"))
    assert isinstance(error, DecodeError)
    assert (error.outcome, error.idempotency_key, error.paths) == (
        Outcome.SENT,
        "key-1",
        ("$.data.id", "$.data.sent_at"),
    )
    assert len(filled.seen) == 1


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), "2026-01-01T00:00:00Z", 0])
async def test_a_moment_needs_a_time_zone(filled: World, moment: object) -> None:
    """A time without a time zone, and a time as text, are rejected."""
    error = await failure_of(filled.linq.messages.list(filled.chat_id, after=moment, before=datetime.now(UTC)))  # type: ignore[arg-type]
    assert (error.message, filled.seen) == ("after must be a datetime with a time zone", [])
