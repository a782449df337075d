"""Fixtures for the tests of bots."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from linq_async import LinqClient, RetryPolicy
from linq_async.sandbox import Sandbox

from .desk import Desk
from .samples import LINE, PERSON


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    """Run a sandbox that has one chat."""
    async with (
        Sandbox() as sandbox,
        LinqClient(sandbox.token, base_url=sandbox.base_url, retry=RetryPolicy.none()) as linq,
    ):
        chat = await linq.chats.create(send_from=LINE, phone_numbers=[PERSON], text="Write to us!")
        yield Desk(sandbox, linq, chat.id, chat.message.id)
