"""What the tests of the operations start from: a clock, a client on a sandbox, and things to act on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import attrs
import pytest

from linq_async import Attempt, LinqClient, LinqError
from linq_async.sandbox import Sandbox

from .clock import Clock

LINE = "+15175269229"
MIRA, THEO = "+13343284472", "+13344713465"
URL = "https://hooks.example.com/linq"


@attrs.define
class World:
    """A client, its sandbox, and one of each thing to act on."""

    linq: LinqClient
    sandbox: Sandbox
    clock: Clock
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])
    """The attempts that have ended."""
    chat_id: int = 0
    message_id: int = 0
    reaction_id: int = 0
    contact_id: int = 0
    subscription_id: int = 0
    line_id: int = 11

    def note(self, attempt: Attempt) -> None:
        """Keep an attempt that has ended."""
        if attempt.finished:
            self.attempts.append(attempt)

    @property
    def seen(self) -> list[tuple[str, str]]:
        """Method and path of every request, the prefix left out."""
        return [(entry.method, entry.path.removeprefix("/api/partner/v2")) for entry in self.sandbox.requests]

    async def fill(self) -> None:
        """Store one of each thing, and forget the requests that did it."""
        linq = self.linq
        chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
        reaction = await linq.messages.react(chat.message.id, "like")
        contact = await linq.contacts.create(first_name="Mira", email="mira@example.org", phone_number=MIRA)
        subscription = await linq.webhook_subscriptions.create(webhook_url=URL, events=["message.sent"])
        self.chat_id, self.message_id, self.reaction_id = chat.id, chat.message.id, reaction.id
        self.contact_id, self.subscription_id = contact.id, subscription.id
        self.forget()

    def forget(self) -> None:
        """Forget what was seen so far."""
        self.sandbox.requests.clear()
        self.attempts.clear()
        self.clock.sleeps.clear()


def client_on(sandbox: Sandbox, clock: Clock, **options: Any) -> LinqClient:
    """Make a client whose waits take no time."""
    return LinqClient(sandbox.token, base_url=sandbox.base_url, timing=clock.timing(), **options)


async def failure_of(call: Awaitable[object]) -> LinqError:
    """Return the LinqError that a call ends in."""
    with pytest.raises(LinqError) as caught:
        async with asyncio.timeout(5):
            await call
    return caught.value
