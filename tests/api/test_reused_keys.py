"""A key reused for another message: a send that was dropped is never reported as sent, or the reverse."""

from __future__ import annotations

import asyncio
import html
import logging
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from linq_async import CreatedChat, InvalidArgumentError, KeyReusedError, LinqClient, Outcome, RetryPolicy, Upload
from linq_async.models.outgoing import DerivedKey
from linq_async.sandbox import Sandbox
from tests.support.world import LINE, MIRA, THEO, failure_of

REWRITINGS: dict[str, Callable[[str], str]] = {
    "curly quotes": lambda text: text.replace("'", "\u2019").replace('"', "\u201c"),
    "composed": lambda text: unicodedata.normalize("NFC", text),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "zero width": lambda text: "\u200b".join(text),
    "truncation": lambda text: text[:10],
    "escapes": html.escape,
    "no emoji": lambda text: text.encode("ascii", "replace").decode(),
    "variation selectors": lambda text: text.replace("\u2764", "\u2764\ufe0f"),
    "no NUL": lambda text: text.replace("\0", ""),
    "an appendix": lambda text: f"{text} Reply STOP to opt out.",
    "short links": lambda text: text.replace("https://bakery.example/menu", "lnq.example/a1"),
    "nothing": lambda text: "",
}
TEXT = 'It\'s "open" at ten, Zo\u00eb \u2764 & co\0: https://bakery.example/menu'


class Bakery:
    """A sandbox with clients that share no memory, as in separate processes."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self._clients: list[LinqClient] = []

    def client(self, **options: Any) -> LinqClient:
        """Return a client that has used no key yet."""
        linq = LinqClient(self.sandbox.token, base_url=self.sandbox.base_url, retry=RetryPolicy.none(), **options)
        self._clients.append(linq)
        return linq

    def rewrite(self, normalise: Callable[[str], str]) -> None:
        """Make the sandbox rewrite texts when it stores them."""
        self.sandbox._state.normalise = normalise

    def age(self) -> None:
        """Make each stored message a minute older."""
        for message in self.sandbox.messages:
            message.sent_at -= timedelta(minutes=1)

    async def earlier(self, text: str = "One", *, to: tuple[str, ...] = (MIRA,)) -> CreatedChat:
        """Store a message a minute ago, from another process."""
        chat = await self.send(text, to=to)
        self.age()
        return chat

    async def send(
        self,
        text: str,
        *,
        linq: LinqClient | None = None,
        key: str | None = "k-1",
        to: tuple[str, ...] = (MIRA,),
        **more: Any,
    ) -> CreatedChat:
        """Send a message, from a new process unless a client is given."""
        sender = linq or self.client()
        return await sender.chats.create(send_from=LINE, phone_numbers=to, text=text, idempotency_key=key, **more)

    async def close(self) -> None:
        """Close every client."""
        for linq in self._clients:
            await linq.aclose()


@pytest_asyncio.fixture
async def bakery() -> AsyncIterator[Bakery]:
    """Run a bakery until the test ends."""
    found = Bakery()
    async with found.sandbox:
        yield found
        await found.close()


async def reused(call: Any) -> KeyReusedError:
    """Return the KeyReusedError that a call ends in."""
    error = await failure_of(call)
    assert isinstance(error, KeyReusedError)
    return error


@pytest.mark.asyncio
@pytest.mark.parametrize("rewriting", REWRITINGS)
async def test_a_key_of_our_own_is_compared_with_nothing(
    bakery: Bakery, rewriting: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A send without the caller's own key succeeds without a warning, however the server rewrites its text."""
    bakery.rewrite(REWRITINGS[rewriting])
    with caplog.at_level(logging.WARNING, "linq_async"):
        chat = await bakery.send(TEXT, key=None)
        sent = await bakery.client().messages.send(chat.id, TEXT)
    assert (chat.replayed, sent.replayed, caplog.records) == (False, False, [])


@pytest.mark.asyncio
async def test_a_key_of_our_own_that_comes_back_is_compared_with_nothing(bakery: Bakery) -> None:
    """The key of a lost send repeats it a minute later, even if the server rewrote its text."""
    bakery.rewrite(lambda text: "Something else")
    bakery.sandbox.faults.drop_after_storing()
    linq = bakery.client()
    lost = await failure_of(bakery.send(TEXT, linq=linq, key=None))
    bakery.age()
    chat = await bakery.send(TEXT, linq=linq, key=lost.idempotency_key)
    assert (lost.outcome, chat.replayed, len(bakery.sandbox.messages)) == (Outcome.UNKNOWN, True, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "to", "differing"),
    [("Two", MIRA, "text"), ("One", THEO, "recipients"), ("Two", THEO, "recipients and text")],
)
async def test_the_error_names_what_differs(bakery: Bakery, text: str, to: str, differing: str) -> None:
    """The message of the error says whether the text or the recipients differ, and shows neither."""
    await bakery.earlier("One")
    error = await reused(bakery.send(text, to=(to,)))
    assert f"differs in its {differing};" in error.message
    assert not any(shown in error.message for shown in ("One", "Two", MIRA, THEO))


@pytest.mark.asyncio
@pytest.mark.parametrize("rewriting", REWRITINGS)
async def test_a_rewritten_text_is_sent(bakery: Bakery, rewriting: str) -> None:
    """A text with only cosmetic differences is a result under a caller's key, too."""
    bakery.rewrite(REWRITINGS[rewriting])
    chat = await bakery.send(TEXT)
    sent = await bakery.client().messages.send(chat.id, TEXT, idempotency_key="k-2")
    assert (chat.replayed, sent.replayed, len(bakery.sandbox.messages)) == (False, False, 2)


@pytest.mark.asyncio
@pytest.mark.parametrize("rewriting", REWRITINGS)
async def test_a_rewritten_message_is_never_called_unsent(bakery: Bakery, rewriting: str) -> None:
    """The same message from another process, a minute later, is a result or UNKNOWN: it is stored."""
    bakery.rewrite(REWRITINGS[rewriting])
    first = await bakery.earlier(TEXT)
    chat_id: int = first.id
    repeats: list[Awaitable[object]] = [
        bakery.send(TEXT),
        bakery.client().messages.send(chat_id, TEXT, idempotency_key="k-1"),
    ]
    for again in repeats:
        (ending,) = await asyncio.gather(again, return_exceptions=True)
        result: Any = ending.result if isinstance(ending, KeyReusedError) else ending
        assert result.replayed
        assert getattr(ending, "outcome", Outcome.UNKNOWN) is Outcome.UNKNOWN
    assert len(bakery.sandbox.messages) == 1


@pytest.mark.asyncio
async def test_a_repeat_is_a_replay(bakery: Bakery) -> None:
    """The same message under its key is a result that says that the server had it before."""
    first = await bakery.earlier()
    again = await bakery.send("One")
    assert (first.replayed, again.replayed, again.message.id) == (False, True, first.message.id)
    assert len(bakery.sandbox.messages) == 1


@pytest.mark.asyncio
async def test_a_replay_of_an_attempt_of_this_call_is_none(bakery: Bakery) -> None:
    """A message stored by an attempt of this call counts as new."""
    bakery.sandbox.faults.drop_after_storing()
    linq = bakery.client().with_options(retry=RetryPolicy(initial_delay=0.0))
    chat = await bakery.send("One", linq=linq)
    assert (chat.replayed, chat.attempts) == (False, 2)


@pytest.mark.asyncio
async def test_another_text_under_an_old_key_is_not_sent(bakery: Bakery, caplog: pytest.LogCaptureFixture) -> None:
    """Both kinds of send raise NOT_SENT for another text, with the earlier message and without showing a text."""
    first = await bakery.earlier("See you at nine.")
    error = await reused(bakery.send("See you at ten."))
    assert (error.outcome, error.attempts, error.idempotency_key) == (Outcome.NOT_SENT, 1, "k-1")
    assert (error.result.message.id, error.result.message.text) == (first.message.id, "See you at nine.")
    other = await reused(bakery.client().messages.send(first.id, "See you at ten.", idempotency_key="k-1"))
    assert (other.outcome, other.result.id) == (Outcome.NOT_SENT, first.message.id)
    assert "See you" not in caplog.text + str(error) + repr(error) + str(vars(error)) + str(vars(other))
    assert len(bakery.sandbox.messages) == 1


@pytest.mark.asyncio
async def test_another_recipient_under_an_old_key_is_not_sent(bakery: Bakery) -> None:
    """The same text to another recipient under a used key is NOT_SENT, in any number format."""
    await bakery.earlier()
    error = await reused(bakery.send("One", to=(THEO,)))
    assert error.outcome is Outcome.NOT_SENT
    assert (await bakery.send("One", to=(MIRA.removeprefix("+1"),))).replayed


@pytest.mark.asyncio
async def test_what_was_stored_a_moment_ago_proves_nothing(bakery: Bakery) -> None:
    """A different text or recipient is UNKNOWN within two seconds, because the clocks cannot show a replay."""
    await bakery.send("One")
    for call in (bakery.send("Two"), bakery.send("One", to=(THEO,))):
        error = await reused(call)
        assert (error.outcome, error.result.replayed) == (Outcome.UNKNOWN, False)


@pytest.mark.asyncio
async def test_part_of_a_group_proves_nothing(bakery: Bakery) -> None:
    """A replay that shows some of the recipients, or further ones, is UNKNOWN: some were texted."""
    await bakery.earlier(to=(MIRA, THEO))
    for people in ((MIRA, "+12025550107"), (MIRA, THEO, "+12025550107")):
        assert (await reused(bakery.send("One", to=people))).outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
async def test_a_used_key_is_refused_before_anything_is_sent(bakery: Bakery) -> None:
    """A client refuses a key that it was given with another text, person, line, file, URL or chat; nothing is sent."""
    linq = bakery.client()
    file, longer = [Upload.from_bytes(data, filename="a.txt") for data in (b"x", b"xy")]
    chat = await bakery.send("One", linq=linq, attachments=[file])
    before = len(bakery.sandbox.requests)
    others: list[Any] = [
        bakery.send("Two", linq=linq, attachments=[file]),
        bakery.send("One", linq=linq, to=(THEO,), attachments=[file]),
        bakery.send("One", linq=linq, attachments=[longer]),
        bakery.send("One", linq=linq),
        bakery.send("One", linq=linq, attachments=[file], attachment_urls=["https://bakery.example/a.png"]),
        linq.chats.create(
            send_from="+12025550101", phone_numbers=[MIRA], text="One", attachments=[file], idempotency_key="k-1"
        ),
        linq.messages.send(chat.id, "One", attachments=[file], idempotency_key="k-1"),
        bakery.send("Two", linq=linq.with_options(retry=RetryPolicy())),
    ]
    for other in others:
        error = await failure_of(other)
        assert isinstance(error, InvalidArgumentError)
        assert (error.problems[0].argument, error.idempotency_key) == ("idempotency_key", "k-1")
    assert len(bakery.sandbox.requests) == before
    assert (await bakery.send("One", linq=linq, attachments=[file])).message.id == chat.message.id


@pytest.mark.asyncio
async def test_another_chat_is_another_message(bakery: Bakery) -> None:
    """A key used for a message in one chat is rejected for the same message in another."""
    linq = bakery.client()
    first, second = [await bakery.send("Hi", key=None, to=(number,)) for number in (MIRA, THEO)]
    await linq.messages.send(first.id, "One", idempotency_key="k-1")
    assert isinstance(
        await failure_of(linq.messages.send(second.id, "One", idempotency_key="k-1")), InvalidArgumentError
    )


@pytest.mark.asyncio
async def test_a_message_that_was_refused_may_be_corrected(bakery: Bakery) -> None:
    """A key whose call ended NOT_SENT serves another message; one whose call is UNKNOWN does not."""
    linq = bakery.client()
    bakery.sandbox.faults.answer(422)
    assert (await failure_of(bakery.send("One", linq=linq))).outcome is Outcome.NOT_SENT
    bakery.sandbox.faults.answer(503)
    assert (await failure_of(bakery.send("Two", linq=linq))).outcome is Outcome.UNKNOWN
    assert isinstance(await failure_of(bakery.send("Three", linq=linq)), InvalidArgumentError)
    assert (await bakery.send("Two", linq=linq)).message.text == "Two"


@pytest.mark.asyncio
async def test_calls_at_once_share_a_key_only_for_one_message(bakery: Bakery) -> None:
    """Of three calls at once the two with the same message are sent; a refusal of one does not free the key."""
    linq = bakery.client()
    bakery.sandbox.faults.answer(422)
    same = [asyncio.create_task(bakery.send("One", linq=linq)) for _ in range(2)]
    await asyncio.sleep(0)
    assert isinstance(await failure_of(bakery.send("Two", linq=linq)), InvalidArgumentError)
    endings = await asyncio.gather(*same, return_exceptions=True)
    assert sorted(type(ending).__name__ for ending in endings) == ["CreatedChat", "UnprocessableEntityError"]
    assert isinstance(await failure_of(bakery.send("Two", linq=linq)), InvalidArgumentError)


@pytest.mark.asyncio
async def test_a_cancelled_call_frees_its_key_only_if_nothing_had_left(bakery: Bakery) -> None:
    """A call cancelled before it was sent frees its key; one cancelled later keeps it."""
    linq = bakery.client()
    waiting = asyncio.create_task(bakery.send("One", linq=linq))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    bakery.sandbox.faults.delay(5.0)
    left = asyncio.create_task(bakery.send("Two", linq=linq))
    async with asyncio.timeout(5):
        while not bakery.sandbox.requests:  # noqa: ASYNC110  # the server may have it at any moment
            await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([waiting, left])
    assert waiting.cancelled()
    assert left.cancelled()
    assert isinstance(await failure_of(bakery.send("Three", linq=linq)), InvalidArgumentError)


@pytest.mark.asyncio
async def test_tokens_keep_their_keys_apart(bakery: Bakery) -> None:
    """The same key may be used for another message under another token."""
    linq = bakery.client()
    await bakery.send("One", linq=linq)
    error = await failure_of(bakery.send("Two", linq=linq.with_options(token="another")))
    assert type(error).__name__ == "AuthenticationError"


@pytest.mark.asyncio
async def test_a_derived_key_is_never_refused(bakery: Bakery) -> None:
    """Under a derived key, the earlier message is the result, whatever the text, and the client remembers nothing."""
    linq = bakery.client()
    first = await bakery.earlier()
    for text in ("Two", "Two", "Three", "One"):
        chat = await bakery.send(text, linq=linq, key=DerivedKey("k-1"))
        assert (chat.message.id, chat.replayed) == (first.message.id, True)
    assert len(linq._pipeline.keys) == 0


@pytest.mark.asyncio
async def test_an_earlier_loss_leaves_it_unknown(bakery: Bakery) -> None:
    """A message that an earlier call may have stored is never NOT_SENT, whatever the server makes of its text."""
    bakery.rewrite(lambda text: "Something else")
    bakery.sandbox.faults.drop_after_storing()
    linq = bakery.client()
    assert (await failure_of(bakery.send("One", linq=linq))).outcome is Outcome.UNKNOWN
    bakery.age()
    assert (await reused(bakery.send("One", linq=linq))).outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
async def test_a_message_that_was_taken_for_sent_stays_so(bakery: Bakery) -> None:
    """A cut text that was a result once is one again in the same client, though the server had it before."""
    bakery.rewrite(REWRITINGS["truncation"])
    linq = bakery.client()
    first = await bakery.send(TEXT, linq=linq)
    bakery.age()
    again = await bakery.send(TEXT, linq=linq)
    assert (first.replayed, again.replayed, again.message.id) == (False, True, first.message.id)


@pytest.mark.asyncio
async def test_a_lost_attempt_of_this_call_may_have_stored_it(bakery: Bakery) -> None:
    """A 200 after a lost attempt proves nothing: a cut text is a result, and another text UNKNOWN."""
    linq = bakery.client().with_options(retry=RetryPolicy(initial_delay=0.0))
    chat = await bakery.send("Hi", key=None)
    bakery.rewrite(REWRITINGS["truncation"])
    bakery.sandbox.faults.drop_after_storing()
    sent = await linq.messages.send(chat.id, TEXT, idempotency_key="k-1")
    assert (sent.replayed, sent.attempts) == (True, 2)
    bakery.rewrite(lambda text: "Something else")
    bakery.sandbox.faults.drop_after_storing()
    error = await reused(linq.messages.send(chat.id, TEXT, idempotency_key="k-2"))
    assert (error.outcome, error.result.replayed, error.attempts) == (Outcome.UNKNOWN, True, 2)


@pytest.mark.asyncio
async def test_what_cannot_be_known_stays_unknown(bakery: Bakery) -> None:
    """An old message that may be this one, cut, does not become this call's own because the call is repeated."""
    bakery.rewrite(REWRITINGS["truncation"])
    await bakery.earlier(TEXT)
    linq = bakery.client()
    for _ in range(2):
        assert (await reused(bakery.send(TEXT, linq=linq))).outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
async def test_an_unforeseen_failure_keeps_the_key(bakery: Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the package after the message has left does not free its key for another message."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    linq = bakery.client()
    with monkeypatch.context() as patched:
        patched.setattr("linq_async.wire.result.CallResult.decode", broken)
        with pytest.raises(ZeroDivisionError):
            await bakery.send("One", linq=linq)
    assert linq._pipeline.keys._in_progress == {}
    assert isinstance(await failure_of(bakery.send("Two", linq=linq)), InvalidArgumentError)
    assert (await bakery.send("One", linq=linq)).message.id == bakery.sandbox.messages[0].id
