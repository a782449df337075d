"""Whatever a server makes of texts, keys and answers: no stored message is called unsent, and no lost one sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_async import InvalidArgumentError, KeyReusedError, LinqClient, LinqError, Outcome, RetryPolicy
from tests.support.loopback import Loopback

from .rewriting_server import LINE, REWRITINGS, Habits, RewritingServer, canonical

TEXTS = (
    "It's open at nine, Zo\u00eb \u2764 https://bakery.example/menu",
    "Orders & cakes: call 5551234, or come\0 to the shop before Friday evening, when the oven is cold",
    "We bake 'rye' today",
    "Closed",
    "Could you help us pick a day for the message on the cake?",
)
PEOPLE = (("+13343284472",), ("3344713465",), ("+13343284472", "+13344713465"), ("2025550107", "+13344713465"))
MISDEEDS = ("none", "none", "lose", "slow and lose", "fail", "refuse", "mix up")


@dataclass(frozen=True)
class Send:
    """One send of a story."""

    text: str
    people: tuple[str, ...]
    key: str
    client: int
    """0 and 1 live as long as the story; 2 is a process of its own."""
    into_chat: bool
    wait: float
    """Seconds that pass before it."""
    misdeeds: tuple[str, ...]


SENDS = st.builds(
    Send,
    text=st.sampled_from(TEXTS),
    people=st.sampled_from(PEOPLE),
    key=st.sampled_from(("k-1", "k-1", "k-2")),
    client=st.integers(0, 2),
    into_chat=st.booleans(),
    wait=st.sampled_from((0.0, 0.9, 2.5, 30.0, 90.0)),
    misdeeds=st.lists(st.sampled_from(MISDEEDS), max_size=3).map(tuple),
)
HABITS = st.builds(
    Habits,
    rewritings=st.lists(st.sampled_from(sorted(REWRITINGS)), max_size=3, unique=True).map(tuple),
    keys=st.sampled_from(("kept", "kept", "kept by recipient", "kept for a minute", "ignored")),
    handles=st.sampled_from(("people", "people and line", "respelled", "masked", "last digits", "none")),
    sent_at=st.sampled_from((True, True, False)),
    date=st.sampled_from((True, True, False)),
    skew=st.sampled_from((-0.9, 0.0, 0.9)),
)


class Story:
    """A server, and the clients that send to it on its clock."""

    def __init__(self, habits: Habits) -> None:
        self.server = RewritingServer(habits)
        self._clients: dict[int, LinqClient] = {}

    def client(self, number: int, loopback: Loopback) -> LinqClient:
        """Return a client whose time is the server's."""
        linq = self._clients.get(number)
        if linq is None:
            retry, timing = RetryPolicy(max_attempts=3, initial_delay=0.0), self.server.clock.timing()
            linq = LinqClient("token", base_url=loopback.url, retry=retry, timing=timing)
            self._clients[number if number < 2 else 2 + len(self._clients)] = linq
        return linq

    async def close(self) -> None:
        """Close every client."""
        for linq in self._clients.values():
            await linq.aclose()

    async def play(self, sends: list[Send]) -> None:
        """Make the sends, one after the other, and hold each ending to the truth."""
        async with self.server.loopback as loopback:
            for send in sends:
                self.server.clock.advance(send.wait)
                self.server.misdeeds = list(send.misdeeds)
                before = len(self.server.kept)
                ending = await _ending(self._call(self.client(send.client, loopback), send))
                self.check(send, ending, before)
            await self.close()

    def _call(self, linq: LinqClient, send: Send) -> Awaitable[object]:
        if send.into_chat:
            chat_id = self.server.chat_of(frozenset(map(canonical, send.people)))
            return linq.messages.send(chat_id, send.text, idempotency_key=send.key)
        return linq.chats.create(send_from=LINE, phone_numbers=send.people, text=send.text, idempotency_key=send.key)

    def check(self, send: Send, ending: Any, before: int) -> None:
        """Compare what the caller learns with what the server holds."""
        people = frozenset(map(canonical, send.people))
        under_key = [kept for kept in self.server.kept if kept.key == send.key]
        this_one = [kept for kept in under_key if (kept.people, kept.original) == (people, send.text)]
        if isinstance(ending, InvalidArgumentError):
            assert len(self.server.kept) == before
        elif isinstance(ending, KeyReusedError):
            assert ending.outcome is not Outcome.NOT_SENT or not any(map(self.server.knows, this_one))
            assert ending.outcome is not Outcome.SENT
        elif isinstance(ending, LinqError):
            stored_now = [kept for kept in this_one if kept.id > before]
            assert ending.outcome is not Outcome.NOT_SENT or not stored_now
        elif send.into_chat:
            same = [kept for kept in under_key if kept.original == send.text]  # its chat is not in the answer
            assert same or not _tells_texts_apart(self.server.habits)
        else:
            self._check_created(send, ending, people, under_key)

    def _check_created(self, send: Send, ending: Any, people: frozenset[str], under_key: list[Any]) -> None:
        """Hold a chat that shows its people to one of those who were asked, and who were texted this text."""
        shown = {canonical_handle(handle.phone_number) for handle in ending.chat_handles} - {canonical(LINE)}
        texted = [kept for kept in under_key if kept.people & people]
        assert texted or not shown
        assert not shown or any(one.endswith(tuple(shown)) for one in people)
        if shown and _tells_texts_apart(self.server.habits):
            assert any(kept.original == send.text for kept in texted)


def _tells_texts_apart(habits: Habits) -> bool:
    """Return whether enough of each text is left to know it by: its first word, and ten characters or all of it.

    A cut that leaves less, such as "It's o...", may have begun with words of the server's, and go on as another text.
    """
    plain = [habits.rewrite(text).replace("\u200b", "").casefold().removeprefix("rye: ") for text in TEXTS]
    firsts = ("it", "orders", "we", "closed", "could")
    left = [shown.startswith(first) for shown, first in zip(plain, firsts, strict=True)]
    lengths = [len(shown.removesuffix("...")) for shown in plain]
    return all(left) and all(length >= min(len(text), 10) for length, text in zip(lengths, TEXTS, strict=True))


def canonical_handle(text: str) -> str:
    """Return the digits of a handle."""
    return "".join(char for char in text if char.isdigit())


async def _ending(call: Awaitable[object]) -> object:
    try:
        async with asyncio.timeout(20):
            return await call
    except LinqError as error:
        return error


quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(HABITS, st.lists(SENDS, min_size=1, max_size=5))
def test_the_promise_about_keys(habits: Habits, sends: list[Send]) -> None:
    """Never NOT_SENT of a stored message, and never a result for somebody who was not texted, or for another text."""
    asyncio.run(Story(habits).play(sends))


@pytest.mark.slow
@settings(quick, max_examples=4_000)
@given(HABITS, st.lists(SENDS, min_size=2, max_size=7))
def test_the_promise_about_keys_at_length(habits: Habits, sends: list[Send]) -> None:
    """The same, on many more servers."""
    asyncio.run(Story(habits).play(sends))
