"""A key that was used for another message: the server keeps the old one, and nobody must believe otherwise."""

from __future__ import annotations

import logging

import pytest

from linq_async import LinqClient
from linq_async.sandbox import Sandbox

SENDER = "+15175269229"


@pytest.mark.asyncio
async def test_a_reused_key_is_told(linq: LinqClient, linq_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A second text under a used key is not stored; both kinds of send say so, and warn without the text."""
    chat = await linq.chats.create(send_from=SENDER, phone_numbers=["+13343284472"], text="One", idempotency_key="k-1")
    with caplog.at_level(logging.WARNING, "linq_async"):
        again = await linq.chats.create(
            send_from=SENDER, phone_numbers=["+13343284472"], text="Two", idempotency_key="k-1"
        )
        sent = await linq.messages.send(chat.id, "Three", idempotency_key="k-1")
    assert (chat.key_reused, again.key_reused, sent.key_reused) == (False, True, True)
    assert len(linq_sandbox.messages) == 1
    assert [record.getMessage().count("k-1") for record in caplog.records] == [1, 1]
    assert not any(word in caplog.text for word in ("One", "Two", "Three"))


@pytest.mark.asyncio
async def test_the_same_message_again_is_no_reuse(linq: LinqClient) -> None:
    """A repeat of the very same message, or one whose spaces the server changed, is no reuse of its key."""
    for text in ("Hello  you", "Hello you\n"):
        chat = await linq.chats.create(
            send_from=SENDER, phone_numbers=["+13343284472"], text=text, idempotency_key="k-2"
        )
        assert not chat.key_reused
