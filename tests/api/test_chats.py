"""``linq.chats``, except the typing indicator."""

from __future__ import annotations

from typing import Any

import pytest

from linq_async import ChatHandle, NewMessage
from tests.support.world import LINE, MIRA, THEO, World, failure_of

pytestmark = pytest.mark.asyncio


async def test_list_by_a_number_with_its_plus_sign(filled: World) -> None:
    """The plus sign of a number is escaped in the query, and chats include their message count."""
    page = await filled.linq.chats.list(phone_number=LINE)
    assert [(chat.id, chat.message_count, chat.service) for chat in page] == [(filled.chat_id, 1, "iMessage")]
    assert filled.sandbox.requests[0].query == f"phone_number=%2B{LINE[1:]}&page=1&per_page=100"


async def test_find_a_group(filled: World) -> None:
    """Each participant is sent as a separate ``phone_numbers[]`` parameter."""
    made = await filled.linq.chats.create(send_from=LINE, phone_numbers=[MIRA, THEO], text="Hi")
    found = await filled.linq.chats.find(phone_number=LINE, phone_numbers=[THEO, MIRA])
    assert found is not None
    assert (found.id, found.group) == (made.id, True)
    assert {handle.phone_number for handle in found.chat_handles} == {MIRA, THEO}
    assert filled.sandbox.requests[-1].query.count("phone_numbers%5B%5D=") == 2


async def test_find_nothing(filled: World) -> None:
    """``find`` returns None if there is no such chat, which the API answers with 200."""
    once: Any = iter([THEO])
    assert await filled.linq.chats.find(phone_number=LINE, phone_numbers=once) is None


async def test_find_takes_an_answer_without_a_chat_for_a_mistake(filled: World) -> None:
    """Only null means that there is no chat: a response without the field is a DecodeError."""
    filled.sandbox.faults.answer(200, json={"data": {"messages": []}})
    error = await failure_of(filled.linq.chats.find(phone_number=LINE, phone_numbers=[MIRA]))
    assert error.message.endswith("$.data.chat: required field missing")


async def test_what_the_server_adds_or_leaves_out(filled: World) -> None:
    """Unknown fields are ignored, an unknown service stays a str, and missing fields are None or empty."""
    handle: dict[str, Any] = {"id": 1, "phone_number": "mira@example.org", "service": "Telegraph", "new": {}}
    filled.sandbox.faults.answer(200, json={"data": {"id": 5, "chat_handles": [handle], "new": []}})
    chat = await filled.linq.chats.get(5)
    assert chat.chat_handles == [ChatHandle(id=1, phone_number="mira@example.org", service="Telegraph")]
    assert (chat.service, chat.message_count, chat.group) == (None, None, None)


async def test_mark_as_read(filled: World) -> None:
    """``mark_as_read`` marks the messages as read and accepts an empty response."""
    await filled.linq.chats.mark_as_read(filled.chat_id)
    assert [message.is_read for message in filled.sandbox.messages] == [True]


async def test_share_contact(filled: World) -> None:
    """``share_contact`` shares the contact card once."""
    await filled.linq.chats.share_contact(filled.chat_id)
    assert [chat.contact_shared for chat in filled.sandbox.chats] == [1]


async def test_no_such_chat(filled: World) -> None:
    """A missing chat is a NotFoundError, even for operations whose response is not read."""
    for call in (filled.linq.chats.get, filled.linq.chats.mark_as_read, filled.linq.chats.stop_typing):
        error = await failure_of(call(1))
        assert type(error).__name__ == "NotFoundError"


async def test_send_wants_a_new_chat(filled: World) -> None:
    """``send`` rejects a NewMessage, which has no recipients, before anything is sent."""
    error = await failure_of(filled.linq.chats.send(NewMessage(text="Hi")))  # type: ignore[arg-type]
    assert (error.message, filled.seen) == ("new_chat must be a NewChat", [])
