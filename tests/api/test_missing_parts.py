"""Attachments and recipients that the server dropped are shown in the result and the log."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest

from linq_async import Upload
from tests.support.clients import MESSAGE, client_of
from tests.support.loopback import CREATED_CHAT, Loopback, replied

FILES = [Upload.from_bytes(b"x", filename=name) for name in ("a.png", "b.png")]
URL = "https://example.com/menu.pdf"
SENT = {"data": CREATED_CHAT["data"]["chat_messages"]}


def _chat(numbers: list[str | None]) -> dict[str, Any]:
    """Return the documented response with other participants."""
    answer = copy.deepcopy(CREATED_CHAT)
    answer["data"]["chat_handles"] = [{"id": n, "phone_number": number} for n, number in enumerate(numbers)]
    return answer


@pytest.mark.asyncio
async def test_missing_attachments_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Both kinds of send count the attachments that the response lacks, and log only the count."""
    async with Loopback(replied(CREATED_CHAT), replied(SENT, 201)) as server, client_of(server) as linq:
        with caplog.at_level(logging.WARNING, "linq_async"):
            chat = await linq.chats.create(**MESSAGE, attachments=FILES, attachment_urls=[URL])
            sent = await linq.messages.send(45, "Hello!", attachments=FILES)
    assert (chat.missing_attachments, sent.missing_attachments) == (2, 1)
    first, second = [record.getMessage() for record in caplog.records]
    assert first == (
        f"chats.create: sent, but 2 of 3 attachments are missing from the response, key {chat.idempotency_key}"
    )
    assert second.startswith("messages.send: sent, but 1 of 2 attachments are missing from the response")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("asked", "shown", "missing"),
    [
        (["+13343284472"], ["+13343284472"], ()),
        (["3343284472", "Sam@Example.com"], ["+13343284472", "sam@example.com"], ()),
        (["+13343284472", "3344713465"], ["+1 (334) 328-4472"], ("3344713465",)),
        (["+13343284472", "+13344713465"], ["+15175269229", "+13343284472"], ("+13344713465",)),
        (["+13343284472", "+15175269229"], ["+13343284472"], ()),
        (["+13343284472"], [], ()),
        (["+13343284472"], [None], ()),
        (["0711 1234567"], ["+497111234567"], ()),
    ],
)
async def test_missing_recipients_are_named(
    asked: list[str], shown: list[str | None], missing: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """The result lists the recipients missing from the handles as they were given; the log does not."""
    async with Loopback(replied(_chat(shown))) as server, client_of(server) as linq:
        with caplog.at_level(logging.WARNING, "linq_async"):
            chat = await linq.chats.create(send_from="+15175269229", phone_numbers=asked, text=MESSAGE["text"])
    assert chat.missing_recipients == missing
    assert [record.args[1:3] for record in caplog.records] == ([(len(missing), len(asked))] if missing else [])  # type: ignore[index]
    assert not any(number in caplog.text + repr(chat) for number in asked)
