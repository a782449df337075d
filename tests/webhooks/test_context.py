"""What a handler sends through its context is stored once, however often and wherever its event is run."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from linq_async import InvalidArgumentError, LinqError, Outcome, Upload
from linq_async.webhooks import (
    CallCompleted,
    ContactCreated,
    Context,
    Event,
    MessageRead,
    MessageReceived,
    MessageSent,
    ReactionReceived,
    ReactionSent,
    TypingIndicatorReceived,
    UnknownEvent,
    WebhookEvent,
    parse,
)
from tests.support.world import failure_of

from .desk import Desk
from .samples import LINE, PERSON, envelope

Send: TypeAlias = Callable[[Context[None]], Awaitable[object]]


ANSWERS: dict[str, Send] = {
    "We open at nine.": lambda ctx: ctx.reply(
        "We open at nine.", attachments=[Upload.from_bytes(b"x", filename="menu.txt")]
    ),
    "And close at five.": lambda ctx: ctx.reply("And close at five.", step="closing"),
    "See you.": lambda ctx: ctx.linq.messages.send(ctx.event.chat_id or 0, "See you."),
    "Somebody wrote.": lambda ctx: ctx.linq.chats.create(
        send_from=LINE, phone_numbers=["+12025550112"], text="Somebody wrote."
    ),
}
"""Each way to answer that has a key, by its text."""


@pytest.mark.asyncio
@pytest.mark.parametrize("lost", ANSWERS)
async def test_each_answer_is_stored_once(desk: Desk, lost: str) -> None:
    """After a lost answer, a second delivery, another event id and another process, each answer is stored once."""

    async def answer(context: Context[None], lost: str = "") -> None:
        for text, send in ANSWERS.items():
            if text == lost:
                desk.sandbox.faults.drop_after_storing()
            await send(context)

    with pytest.raises(LinqError) as caught:
        await answer(desk.context(), lost)
    assert caught.value.outcome is Outcome.UNKNOWN
    async with desk.client() as other:
        for event_id, linq in (("evt-1", desk.linq), ("evt-2", desk.linq), ("evt-1", other)):
            await answer(Context(desk.event(event_id=event_id), linq, state=None))
    assert desk.texts == list(ANSWERS)


@pytest.mark.asyncio
async def test_another_answer_is_held_back(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A language model answers differently the second time: the first answer stays, and the handler does not fail."""
    first = await desk.context().reply("We open at nine.")
    again = await desk.context().reply("Our doors open at ten.")
    assert (first.replayed, again.replayed, again.id, again.text) == (False, True, first.id, "We open at nine.")
    assert desk.texts == ["We open at nine."]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("messages.send: held back")
    assert "two bots need two names" in warning
    assert "open at" not in caplog.text


@pytest.mark.asyncio
async def test_steps_name_what_may_be_left_out(desk: Desk) -> None:
    """A second run that leaves an answer out sends the next one only if both have a name."""
    for kind, steps in ((MessageReceived, (None, None)), (MessageRead, ("search", "result"))):
        await desk.context(kind).reply("Searching.", step=steps[0])
        await desk.context(kind).reply("Nine.", step=steps[1])
    assert desk.texts == ["Searching.", "Searching.", "Nine."]


@pytest.mark.asyncio
async def test_a_step_is_used_for_one_answer(desk: Desk) -> None:
    """A second answer under a step is refused; one that failed may be repeated under it."""
    context = desk.context()
    desk.sandbox.faults.drop_after_storing()
    with pytest.raises(LinqError):
        await context.reply("We open at nine.", step="opening")
    assert (await context.reply("We open at nine.", step="opening")).replayed
    with pytest.raises(InvalidArgumentError, match="used by another reply"):
        await context.reply("And close at five.", step="opening")
    assert desk.texts == ["We open at nine."]


@pytest.mark.asyncio
async def test_five_people_in_any_order_get_one_message_each(desk: Desk) -> None:
    """A gather over several people may start and end in another order when it is run again."""
    people = [f"+1202555012{n}" for n in range(5)]
    for order in (people, people[::-1], people[2:] + people[:2]):
        linq = desk.context().linq
        await asyncio.gather(
            *[linq.chats.create(send_from=LINE, phone_numbers=[number], text="Sold out.") for number in order]
        )
    assert sorted(message.recipients for message in desk.sandbox.messages[1:]) == [(number,) for number in people]


@pytest.mark.asyncio
async def test_two_bots_answer_each_for_itself(desk: Desk) -> None:
    """Bots with other names, and events of another type with the same id, have keys of their own."""
    for name in ("bot", "night-desk", "bot"):
        await Context(desk.event(), desk.linq, state=None, name=name).reply(f"I am {name}.")
    await desk.context(ReactionReceived).reply("Thank you.")
    assert desk.texts == ["I am bot.", "I am night-desk.", "Thank you."]


@pytest.mark.asyncio
async def test_shortcuts(desk: Desk) -> None:
    """Reactions, the typing indicator and read marks reach the chat and the message of the event."""
    context = desk.context(id=desk.message_id)
    await context.react("like")
    async with context.typing():
        await context.mark_as_read()
    for kind in (MessageRead, MessageSent, ReactionReceived):
        await desk.context(kind, **({"id": desk.message_id} if kind is not ReactionReceived else {})).react("love")
    seen = [(entry.method, entry.path.rpartition("/v2")[2]) for entry in desk.sandbox.requests[1:]]
    chat, reactions = f"/chats/{desk.chat_id}", ("POST", f"/chat_messages/{desk.message_id}/reactions")
    assert seen == [
        reactions,
        ("POST", f"{chat}/start_typing"),
        ("PUT", f"{chat}/mark_as_read"),
        ("DELETE", f"{chat}/stop_typing"),
        *[reactions] * 3,
    ]


@pytest.mark.asyncio
async def test_the_example_of_the_documentation(desk: Desk) -> None:
    """The handler in docs/replies.md sends two messages, in however many runs."""
    text = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    for _ in range(2):
        context = desk.context()
        await names["order"](context.event, context)
    assert desk.texts == ["Thank you! We look at your order.", "There is a new order."]


REFUSED: dict[str, tuple[type[WebhookEvent], Send, str]] = {
    "a reply to oneself": (MessageSent, lambda ctx: ctx.reply("Hi"), "is a MessageSent"),
    "a reaction to one's own": (ReactionSent, lambda ctx: ctx.react("like"), "is a ReactionSent"),
    "a reply without a chat": (CallCompleted, lambda ctx: ctx.reply("Hi"), "belongs to no chat"),
    "read without a chat": (ContactCreated, lambda ctx: ctx.mark_as_read(), "belongs to no chat"),
    "a reaction without a message": (TypingIndicatorReceived, lambda ctx: ctx.react("like"), "has no message"),
    "a reaction to a call": (CallCompleted, lambda ctx: ctx.react("like"), "has no message"),
    "a number as step": (MessageReceived, lambda ctx: ctx.reply("Hi", step="1"), "step must be a letter"),
    "an empty text": (MessageReceived, lambda ctx: ctx.reply(""), "text must not be empty"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused(desk: Desk, name: str) -> None:
    """Nothing is sent to whom it cannot be, and a bot does not answer itself."""
    kind, handler, reason = REFUSED[name]
    before = len(desk.sandbox.requests)
    with pytest.raises(InvalidArgumentError, match=reason) as caught:
        await handler(desk.context(kind))
    assert (caught.value.outcome, len(desk.sandbox.requests)) == (Outcome.NOT_SENT, before)


@pytest.mark.asyncio
async def test_typing_needs_a_chat_and_a_context_a_name(desk: Desk) -> None:
    """Both are refused at once."""
    with pytest.raises(InvalidArgumentError, match="belongs to no chat"):
        desk.context(CallCompleted).typing()
    with pytest.raises(InvalidArgumentError, match="name must be a letter"):
        Context(desk.event(), desk.linq, state=None, name="5")


@pytest.mark.asyncio
async def test_a_context_has_what_the_run_has(desk: Desk) -> None:
    """It has the event, the state and the attempt, and its client is one of the same connections."""
    event, state = desk.event(), {"menu": "cake"}
    context = Context(event, desk.linq, state=state, attempt=2)
    assert (context.event, context.state, context.attempt, context.waiting) == (event, state, 2, 0)
    assert context.linq is context.linq
    assert context.linq._pipeline.transport is desk.linq._pipeline.transport
    assert context.take_waiting(MessageReceived) == []
    assert repr(context) == "<Context of message.received evt-1, attempt 2>"


class _Burst:
    """Events that wait behind the one that is handled."""

    def __init__(self, *events: WebhookEvent) -> None:
        self.events: list[Event] = list(events)

    @property
    def waiting(self) -> int:
        return len(self.events)

    def take_waiting(self, kind: type[Any]) -> list[Any]:
        taken = [event for event in self.events if isinstance(event, kind)]
        self.events = [event for event in self.events if event not in taken]
        return taken


@pytest.mark.asyncio
async def test_a_burst_is_answered_once_and_its_next_message_too(desk: Desk) -> None:
    """A run that finds one more message than the run before answers it; one that finds the same sends nothing."""

    async def answer(count: int) -> int:
        messages = [desk.event(event_id=f"evt-{n}", id=n) for n in range(count)]
        lane = _Burst(*messages[1:], desk.event(TypingIndicatorReceived))
        context: Context[None] = Context(messages[0], desk.linq, state=None, lane=lane)
        assert context.waiting == count
        taken = context.take_waiting(MessageReceived)
        assert (taken, context.waiting) == (messages[1:], 1)
        await context.reply(f"To all {count}.")
        return len(desk.texts)

    assert [await answer(count) for count in (2, 2, 3)] == [1, 1, 2]


@pytest.mark.asyncio
async def test_a_failed_reply_shows_no_text(desk: Desk) -> None:
    """Its error, and its traceback with locals from the context on, show neither the text nor a number."""
    desk.sandbox.faults.answer(422)
    context = desk.context()
    failed = await failure_of(context.reply("canary-7f3a", step="one"))
    shown = "".join(traceback.TracebackException.from_exception(failed, capture_locals=True).format())
    assert "_reply" in shown
    assert [word for word in ("canary-7f3a", PERSON[1:]) if word in f"{shown} {context!r} {context.linq!r}"] == []


@pytest.mark.asyncio
async def test_an_unknown_event_is_answered_if_it_names_a_chat(desk: Desk) -> None:
    """The chat of an event that the package does not know is the one in its payload."""
    event = parse(json.dumps(envelope("poll.closed", {"chat_id": str(desk.chat_id)})))
    assert isinstance(event, UnknownEvent)
    for _ in range(2):
        await Context(event, desk.linq, state=None).reply("Thank you.")
    assert desk.texts == ["Thank you."]
