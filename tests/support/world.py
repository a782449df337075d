"""What the tests of the operations start from: a clock, a client on a sandbox, and things to act on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from linq_async import Attempt, LinqClient, LinqError
from linq_async.sandbox import Sandbox
from linq_async.timing import Timing

LINE = "+15175269229"
MIRA, THEO = "+13343284472", "+13344713465"
URL = "https://hooks.example.com/linq"


class Clock:
    """Time that moves by itself when somebody sleeps; or, with ``by_hand``, only when a test says so."""

    def __init__(self, *, by_hand: bool = False) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        self.at_first_sleep: Callable[[], Awaitable[None]] | None = None
        self._by_hand = by_hand
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return len(self._sleepers)

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now

    def moment(self) -> datetime:
        """Tell the time as the sandbox wants it."""
        return datetime.fromtimestamp(self.now, UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep, without any real time passing."""
        self.slept.append(seconds)
        if self.at_first_sleep is not None:
            act, self.at_first_sleep = self.at_first_sleep, None
            await act()
        if not self._by_hand:
            self.now += seconds
            return
        sleeper = (self.now + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            async with asyncio.timeout(5):  # of real time: a test that forgets somebody fails, and does not hang
                await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    def move(self, seconds: float) -> None:
        """Let time pass, and wake those who have slept enough."""
        self.now += seconds
        for until, woken in self._sleepers:
            if until <= self.now + 1e-9 and not woken.done():
                woken.set_result(None)

    async def sleepers_are(self, count: int) -> None:
        """Wait until so many sleep."""
        await until(lambda: self.sleepers == count)


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks run until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # anything may make it so, the server too
            await asyncio.sleep(0)


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
        self.clock.slept.clear()


def client_on(sandbox: Sandbox, clock: Clock, **options: Any) -> LinqClient:
    """Make a client whose waits take no time."""
    timing = Timing(clock.sleep, clock.monotonic, lambda: 0.5)
    return LinqClient(sandbox.token, base_url=sandbox.base_url, timing=timing, **options)


async def failure_of(call: Awaitable[object]) -> LinqError:
    """Return the LinqError that a call ends in."""
    with pytest.raises(LinqError) as caught:
        async with asyncio.timeout(5):
            await call
    return caught.value
