"""A person who wrote once is answered once, whatever ends the run of a handler, and wherever the next one is."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from linq_async import InvalidArgumentError, LinqClient, RetryPolicy
from linq_async.timing import Timing
from linq_async.webhooks import (
    Accepted,
    Context,
    Dispatcher,
    MessageReceived,
    MessageSent,
    ReactionReceived,
    SqliteInbox,
    WebhookEvent,
)

from .desk import Desk
from .samples import LINE

Handler: TypeAlias = Callable[[Any, Context[None]], Awaitable[None]]
ANSWERS = ["We open at nine.", "And close at five."]


async def answer(message: WebhookEvent, context: Context[None]) -> None:
    """Reply twice."""
    for text in ANSWERS:
        await context.reply(text)


def bot_of(handler: Handler, **settings: Any) -> Dispatcher[None]:
    """Return a dispatcher with one handler, whose attempts follow each other at once."""

    async def no_sleep(seconds: float) -> None:
        await asyncio.sleep(seconds if seconds > 1 else 0)

    bot = Dispatcher[None](timing=Timing(no_sleep), **settings)
    bot.on(MessageReceived, MessageSent, ReactionReceived)(handler)
    return bot


async def deliver(desk: Desk, bot: Dispatcher[None], *events: WebhookEvent, linq: LinqClient | None = None) -> Accepted:
    """Deliver events to a bot that runs meanwhile, and return what became of the last one."""
    accepted = Accepted.IGNORED
    async with bot.running(linq or desk.linq, None):
        for event in events:
            accepted = await bot.accept(event)
            await bot.idle()
    return accepted


@pytest.mark.asyncio
async def test_a_redelivery_is_answered_once(desk: Desk) -> None:
    """The second delivery of an event is not handled; the message under another event id is, and sends nothing new."""
    bot = bot_of(answer)
    assert await deliver(desk, bot, desk.event(), desk.event()) is Accepted.DUPLICATE
    assert await deliver(desk, bot, desk.event(event_id="evt-2")) is Accepted.NEW
    assert desk.texts == ANSWERS


@pytest.mark.asyncio
async def test_another_process_answers_nothing_again(desk: Desk) -> None:
    """A bot that has forgotten the event, in a process of its own, handles it again and sends nothing new."""
    async with desk.client() as other:
        for linq in (desk.linq, other):
            assert await deliver(desk, bot_of(answer), desk.event(), linq=linq) is Accepted.NEW
    assert desk.texts == ANSWERS


@pytest.mark.asyncio
async def test_a_lost_answer_is_not_sent_again(desk: Desk) -> None:
    """A reply whose response was lost is repeated under its key, by the client and by the next attempt."""
    patient = desk.linq.with_options(retry=RetryPolicy(initial_delay=0.0))
    desk.sandbox.faults.drop_after_storing()
    await deliver(desk, bot_of(answer), desk.event(), linq=patient)
    desk.sandbox.faults.drop_after_storing()
    await deliver(desk, bot_of(answer, attempts=2), desk.event(ReactionReceived))
    assert desk.texts == ANSWERS * 2


@pytest.mark.asyncio
async def test_a_handler_that_fails_after_its_first_reply(desk: Desk) -> None:
    """The next attempt sends the second reply only, and so does the redelivery of an event that failed for good."""
    failed: list[str] = []

    async def fail_at_first(event: WebhookEvent, context: Context[None]) -> None:
        await context.reply(ANSWERS[0])
        if event.event_type not in failed:
            failed.append(event.event_type)
            raise KeyError
        await context.reply(ANSWERS[1])

    await deliver(desk, bot_of(fail_at_first, attempts=2), desk.event())
    await deliver(desk, bot_of(fail_at_first), desk.event(ReactionReceived), desk.event(ReactionReceived))
    assert (desk.texts, len(failed)) == (ANSWERS * 2, 2)


@pytest.mark.asyncio
async def test_one_id_under_two_types_is_two_events(desk: Desk) -> None:
    """Linq may use one event id for events of two types: both are handled, and answered."""
    await deliver(desk, bot_of(answer), desk.event(), desk.event(ReactionReceived))
    assert desk.texts == ANSWERS * 2


@pytest.mark.asyncio
async def test_two_bots_of_one_account_both_answer(desk: Desk) -> None:
    """Their names keep their replies to the same message apart."""
    for name in ("bot", "night-desk"):
        await deliver(desk, bot_of(answer, name=name), desk.event())
    assert desk.texts == ANSWERS * 2


@pytest.mark.asyncio
async def test_a_bot_does_not_answer_itself(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that replies to each message, its own included, fails for its own, and the event is not run again."""
    bot = bot_of(answer)
    await deliver(desk, bot, desk.event(), desk.event(MessageSent, id=5))
    assert desk.texts == ANSWERS
    (failed,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert failed.exc_info is not None
    assert isinstance(failed.exc_info[1], InvalidArgumentError)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_process_killed_between_reply_and_done(desk: Desk, tmp_path: Path) -> None:
    """After SIGKILL the next process runs the event from the inbox: the reply that was sent is not sent again."""
    path = tmp_path / "bot.db"
    environment = {"LINQ_BASE_URL": desk.sandbox.base_url, "LINQ_INTEGRATION_TOKEN": desk.sandbox.token}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.webhooks.killed_bot", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate(desk.event().body)
    assert (said, process.returncode, desk.texts) == (b"NEW\n", -signal.SIGKILL, ANSWERS[:1])
    for _ in range(2):
        await deliver(desk, bot_of(answer, inbox=SqliteInbox(path)))
        assert desk.texts == ANSWERS


class Successors:
    """Bots that have one inbox file, one after another. Each but the last is stopped while its handler runs."""

    def __init__(self, desk: Desk, path: Path) -> None:
        self._desk = desk
        self._path = path

    async def interrupt(self, handler: Handler, *events: WebhookEvent, **settings: Any) -> None:
        """Run a handler for the first event, and stop it after its last reply, before the event is done."""
        replied = asyncio.Event()

        async def stuck(event: WebhookEvent, context: Context[None]) -> None:
            await handler(event, context)
            replied.set()
            await asyncio.Event().wait()

        bot = bot_of(stuck, inbox=SqliteInbox(self._path), drain_seconds=0, **settings)
        async with asyncio.timeout(5), bot.running(self._desk.linq, None):
            for event in events:
                await bot.accept(event)
            await replied.wait()

    async def resume(self, handler: Handler, **settings: Any) -> None:
        """Run the events that are left, to their end."""
        bot = bot_of(handler, inbox=SqliteInbox(self._path), **settings)
        async with asyncio.timeout(5), bot.running(self._desk.linq, None):
            await bot.idle()


@pytest.fixture
def bots(desk: Desk, tmp_path: Path) -> Successors:
    """Return bots with an empty inbox file."""
    return Successors(desk, tmp_path / "bot.db")


def saying(text: str, *, step: str | None = None) -> Handler:
    """Return a handler that replies with a text."""

    async def say(event: WebhookEvent, context: Context[None]) -> None:
        await context.reply(text, step=step)

    return say


@pytest.mark.asyncio
@pytest.mark.parametrize("sent", range(len(ANSWERS) + 1))
async def test_a_run_is_continued_where_it_was_stopped(desk: Desk, bots: Successors, sent: int) -> None:
    """Whatever was sent when a bot was stopped, the next one sends the rest, and one that comes late sends nothing."""

    async def begin(event: WebhookEvent, context: Context[None]) -> None:
        for text in ANSWERS[:sent]:
            await context.reply(text)

    await bots.interrupt(begin, desk.event())
    assert desk.texts == ANSWERS[:sent]
    await bots.interrupt(answer)
    await bots.resume(answer)
    await bots.resume(answer)
    assert desk.texts == ANSWERS


@pytest.mark.asyncio
async def test_a_renamed_handler_sends_nothing_again(desk: Desk, bots: Successors) -> None:
    """The names of functions are in no key."""

    async def renamed(event: WebhookEvent, context: Context[None]) -> None:
        await answer(event, context)

    await bots.interrupt(answer, desk.event())
    await bots.resume(renamed)
    assert desk.texts == ANSWERS


@pytest.mark.asyncio
async def test_a_renamed_bot_sends_again(desk: Desk, bots: Successors) -> None:
    """The name of the bot is in each key, as documented."""
    await bots.interrupt(answer, desk.event())
    await bots.resume(answer, name="night-desk")
    assert desk.texts == ANSWERS * 2


@pytest.mark.asyncio
async def test_an_answer_that_differs_is_held_back(
    desk: Desk, bots: Successors, caplog: pytest.LogCaptureFixture
) -> None:
    """The second answer of a language model is not sent, does not fail its event, and is logged without its text."""
    await bots.interrupt(saying("We open at nine."), desk.event())
    await bots.resume(saying("Our doors open at ten."))
    await bots.resume(saying("You can come from eleven."))
    assert desk.texts == ["We open at nine."]
    assert [record.levelname for record in caplog.records if "held back" in record.getMessage()] == ["WARNING"]
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.asyncio
async def test_another_number_of_answers_needs_steps(desk: Desk, bots: Successors) -> None:
    """If a run leaves out its first reply, the next one is held back, unless both have a step."""
    await bots.interrupt(saying("Searching."), desk.event())
    await bots.resume(saying("We open at nine."))
    assert desk.texts == ["Searching."]
    await bots.interrupt(saying("Searching.", step="search"), desk.event(ReactionReceived))
    await bots.resume(saying("We open at nine.", step="result"))
    assert desk.texts[1:] == ["Searching.", "We open at nine."]


@pytest.mark.asyncio
async def test_five_people_are_texted_once_in_any_order(desk: Desk, bots: Successors) -> None:
    """A gather over people that is run again in another order, and had reached three of them, sends two messages."""
    people = [f"+1202555012{n}" for n in range(5)]

    def to(numbers: list[str]) -> Handler:
        async def send(event: WebhookEvent, context: Context[None]) -> None:
            create = context.linq.chats.create
            await asyncio.gather(
                *[create(send_from=LINE, phone_numbers=[number], text="Sold out.") for number in numbers]
            )

        return send

    await bots.interrupt(to(people[:3]), desk.event())
    await bots.resume(to(people[::-1]))
    assert sorted(message.recipients for message in desk.sandbox.messages[1:]) == [(number,) for number in people]


@pytest.mark.asyncio
async def test_a_burst_that_grew_is_answered(desk: Desk, bots: Successors) -> None:
    """The message that arrived after the first run is answered; a run that finds nothing new sends nothing."""

    async def answer_all(event: WebhookEvent, context: Context[None]) -> None:
        count = 1 + len(context.take_waiting(MessageReceived))
        await context.reply(f"An answer to all {count}.")

    first, second = desk.event(), desk.event(event_id="evt-2", id=2)
    await bots.interrupt(answer_all, first)
    await bots.interrupt(answer_all, second)
    await bots.interrupt(answer_all)
    await bots.resume(answer_all)
    assert desk.texts == ["An answer to all 1.", "An answer to all 2."]
