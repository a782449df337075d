"""Arguments are checked before anything is sent, and never shown."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from linq_async import LinqClient, NewMessage, RetryPolicy
from linq_async.sandbox import Sandbox
from tests.support.world import World, failure_of

pytestmark = pytest.mark.asyncio
Call: TypeAlias = Callable[[LinqClient, Any], Awaitable[object]]

BY_ID: dict[str, Call] = {
    "chats.get": lambda linq, id_: linq.chats.get(id_),
    "chats.mark_as_read": lambda linq, id_: linq.chats.mark_as_read(id_),
    "chats.start_typing": lambda linq, id_: linq.chats.start_typing(id_),
    "chats.stop_typing": lambda linq, id_: linq.chats.stop_typing(id_),
    "chats.share_contact": lambda linq, id_: linq.chats.share_contact(id_),
    "messages.list": lambda linq, id_: linq.messages.list(id_),
    "messages.send": lambda linq, id_: linq.messages.send(id_, "Hi"),
    "messages.get": lambda linq, id_: linq.messages.get(1, id_),
    "messages.edit": lambda linq, id_: linq.messages.edit(id_, 1, "Hi"),
    "messages.delete": lambda linq, id_: linq.messages.delete(1, id_),
    "messages.react": lambda linq, id_: linq.messages.react(id_, "love"),
    "messages.unreact": lambda linq, id_: linq.messages.unreact(id_, "love"),
    "messages.get_reaction": lambda linq, id_: linq.messages.get_reaction(id_),
    "messages.wait_until_delivered": lambda linq, id_: linq.messages.wait_until_delivered(id_, 1),
    "contacts.get": lambda linq, id_: linq.contacts.get(id_),
    "contacts.update": lambda linq, id_: linq.contacts.update(id_, first_name="M"),
    "contacts.replace": lambda linq, id_: linq.contacts.replace(id_, first_name="M"),
    "contacts.delete": lambda linq, id_: linq.contacts.delete(id_),
    "phone_numbers.update": lambda linq, id_: linq.phone_numbers.update(id_, forwarding_number=""),
    "webhook_subscriptions.delete": lambda linq, id_: linq.webhook_subscriptions.delete(id_),
}


@pytest.mark.parametrize("name", BY_ID)
async def test_an_id_is_an_int(world: World, name: str) -> None:
    """Every method rejects an id that is a bool, a str, less than 1 or too large, and sends nothing."""
    for wrong in (True, "1", "../1", 1.0, None, 0, -1, 2**63, 10**5000):
        with pytest.raises(ValueError, match="_id must be an int above 0"):
            await BY_ID[name](world.linq, wrong)
    assert world.seen == []


async def test_all_problems_at_once(world: World) -> None:
    """One error lists every invalid argument of a call, ids and texts alike."""
    half: Any = "\ud83d"
    linq = world.linq
    calls: dict[str, Awaitable[object]] = {
        "phone_number,phone_numbers[1],phone_numbers[2]": linq.chats.find(
            phone_number="", phone_numbers=["a", "", half]
        ),
        "phone_numbers[0]": linq.chats.find(phone_number="a", phone_numbers=[half]),
        "phone_numbers": linq.chats.find(phone_number="a", phone_numbers=[]),
        "phone_number,phone_numbers": linq.chats.find(phone_number=5, phone_numbers=5),  # type: ignore[arg-type]
        "phone_number,page": linq.chats.list(phone_number=half, page=0),
        "chat_id,message_id,text": linq.messages.edit(0, 0, ""),
        "message_id,reaction": linq.messages.react(0, half),
        "chat_id,before,sort": linq.messages.list(0, sort=half, before=half),
        "chat_id,text,attachment_urls[0],idempotency_key": linq.messages.send(
            0, "", attachment_urls=["x"], idempotency_key="a b"
        ),
        "email,phone_number": linq.contacts.find(email="", phone_number=half),
        "phone_number": linq.imessage.check(half),
    }
    for arguments, call in calls.items():
        error: Any = await failure_of(call)
        assert ",".join(problem.argument for problem in error.problems) == arguments
    assert world.seen == []


class _Secrets:
    """Values that must never appear in output. Its own repr is empty."""

    number, text, secret = "+15550137137", "canary-text-9c2d", "canary-secret-1f0a"
    url = "https://hooks.example.com/canary-path-77aa"

    def __repr__(self) -> str:
        return "<secrets>"

    def leaks(self, shown: str) -> list[str]:
        """Return the lines that contain a secret, with the secret replaced."""
        words = (self.number[1:], self.text, self.secret, "canary-path")
        return [line[:60].strip() for line in shown.splitlines() if any(word in line for word in words)]


secrets = _Secrets()
SPEAKING: dict[str, Callable[[LinqClient], Awaitable[object]]] = {
    "chats.list": lambda linq: linq.chats.list(phone_number=secrets.number),
    "chats.list items": lambda linq: anext(aiter(linq.chats.list(phone_number=secrets.number))),
    "chats.find": lambda linq: linq.chats.find(phone_number=secrets.number, phone_numbers=[secrets.number]),
    "chats.get": lambda linq: linq.chats.get(secrets.number),  # type: ignore[arg-type]
    "chats.typing": lambda linq: linq.chats.typing(secrets.number).__aenter__(),  # type: ignore[arg-type]
    "messages.send": lambda linq: linq.messages.send(1, secrets.text),
    "messages.send NewMessage": lambda linq: linq.messages.send(1, NewMessage(text=secrets.text)),
    "messages.edit": lambda linq: linq.messages.edit(1, 1, secrets.text),
    "messages.react": lambda linq: linq.messages.react(1, secrets.text),
    "contacts.create": lambda linq: linq.contacts.create(first_name=secrets.text, user_email=secrets.text),
    "contacts.update": lambda linq: linq.contacts.update(1, email=secrets.text, phone_number=secrets.number),
    "contacts.find": lambda linq: linq.contacts.find(email=secrets.text, phone_number=secrets.number),
    "phone_numbers.update": lambda linq: linq.phone_numbers.update(11, forwarding_number=secrets.number),
    "webhook_subscriptions.create": lambda linq: linq.webhook_subscriptions.create(
        webhook_url=secrets.url, events=["message.sent"], secret=secrets.secret
    ),
    "webhook_subscriptions.ensure": lambda linq: linq.webhook_subscriptions.ensure(
        webhook_url=secrets.url, events=["message.sent"], secret=secrets.secret
    ),
    "imessage.check": lambda linq: linq.imessage.check(secrets.number),
}
HALF = "\ud800"


def _fail(sandbox: Sandbox, how: str) -> None:
    said = f"{secrets.number} {secrets.text} {secrets.secret} {secrets.url}"
    if how == "refused":
        errors = [{"status": 422, "code": secrets.text, "title": said, "detail": said}]
        sandbox.faults.answer(422, json={"errors": errors, "message": said})
    elif how == "dropped":
        sandbox.faults.drop_before_storing(times=9)
    else:
        shape = {"id": said, "data": {"id": said, "chat": said}, "contact": said, "available": said}
        sandbox.faults.answer(200, json={**shape, "webhook_subscription": [said], "webhook_subscriptions": [said]})


@pytest.mark.off_contract("canary, not an email address or a reaction", "request.body", "request.query", strict=False)
@pytest.mark.parametrize("how", ["refused", "dropped", "misshapen"])
@pytest.mark.parametrize("name", SPEAKING)
async def test_no_failure_shows_an_argument(
    world: World, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    """A failure shows no number, text or secret in its error, its traceback with locals, or the log."""
    caplog.set_level(logging.DEBUG, "linq_async")
    _fail(world.sandbox, how)
    linq = world.linq.with_options(retry=RetryPolicy(max_attempts=2))
    error = await failure_of(SPEAKING[name](linq))
    full = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "\n".join([str(error), repr(error), *full.format()])
    own = [record for record in caplog.records if record.name == "linq_async"]
    assert secrets.leaks(shown) == []
    assert secrets.leaks("\n".join(f"{record.getMessage()} {record.args}" for record in own)) == []


async def test_no_refused_argument_is_shown(world: World) -> None:
    """An error about an invalid argument shows neither its value nor those of the other arguments."""
    linq = world.linq
    misspelled: Any = {"emial": secrets.text}
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: linq.chats.list(phone_number=secrets.text + HALF),
        lambda: linq.chats.find(phone_number=secrets.number, phone_numbers=[secrets.text + HALF]),
        lambda: linq.messages.edit(0, 0, secrets.text),
        lambda: linq.messages.send(0, secrets.text),
        lambda: linq.contacts.create(company=secrets.text),
        lambda: linq.contacts.update(1, **misspelled),
        lambda: linq.webhook_subscriptions.ensure(webhook_url="x:" + secrets.url, events=[], secret=secrets.secret),
        lambda: linq.imessage.check(secrets.text + HALF),
    ]
    for call in calls:
        error = await failure_of(call())
        assert type(error).__name__ == "InvalidArgumentError"
        full = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert secrets.leaks("\n".join([str(error), *full.format()])) == []


async def test_no_result_shows_what_it_holds(filled: World) -> None:
    """The repr of a result shows ids and states, but no number, text, name, address or webhook URL."""
    linq = filled.linq
    await linq.contacts.update(filled.contact_id, first_name=secrets.text, phone_number=secrets.number)
    await linq.messages.edit(filled.chat_id, filled.message_id, secrets.text)
    await linq.chats.create(send_from="+15175269229", phone_numbers=[secrets.number], text=secrets.text)
    shown = [
        await linq.contacts.list(),
        await linq.chats.list(phone_number="+15175269229"),
        await linq.messages.list(filled.chat_id),
        await linq.messages.send(filled.chat_id, secrets.text),
        await linq.messages.edit(filled.chat_id, filled.message_id, secrets.text),
        await linq.phone_numbers.update(11, forwarding_number=secrets.number),
        await linq.webhook_subscriptions.ensure(webhook_url=secrets.url, events=["message.sent"]),
        await linq.imessage.check(secrets.number),
    ]
    assert secrets.leaks("\n".join(map(repr, shown))) == []


async def test_the_leak_detector_works() -> None:
    """The leak detector finds a secret in a local variable."""

    def leak(number: str) -> None:
        raise KeyError(len(number))

    with pytest.raises(KeyError) as caught:
        leak(secrets.number)
    full = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert len(secrets.leaks("\n".join(full.format()))) == 1
