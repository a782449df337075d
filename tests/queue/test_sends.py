"""Durable sends: what becomes of a message in the queue."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from taskiq import InMemoryBroker, TaskiqResult

from linq_async import Attempt, ConfigurationError, InvalidArgumentError, NewMessage, Outcome, RetryPolicy, Upload
from linq_async.integrations.taskiq import DeadLetter, QueueError, ReclaimingBroker, Sends, SendStatus, register
from linq_async.sandbox import Sandbox

from .world import LINE, PERSON, TEXT, World, hello, until, working

Fail = Callable[[Sandbox], None]
TRANSIENT: dict[str, Fail] = {
    "lost before it was stored": lambda sandbox: sandbox.faults.drop_before_storing(),
    "lost after it was stored": lambda sandbox: sandbox.faults.drop_after_storing(),
    "429": lambda sandbox: sandbox.faults.answer(429),
    "503": lambda sandbox: sandbox.faults.answer(503),
    "401": lambda sandbox: sandbox.faults.answer(401),
    "409": lambda sandbox: sandbox.faults.answer(409),
}


class Turns:
    """Gives a turn to everybody at once, and notes who asked, and which holds there were."""

    def __init__(self) -> None:
        self.lines: list[str | None] = []
        self.holds: list[float] = []

    async def __call__(self, line: str | None) -> None:
        self.lines.append(line)

    async def hold(self, seconds: float) -> None:
        self.holds.append(seconds)


@pytest.mark.asyncio
async def test_a_message_is_sent_and_forgotten(world: World) -> None:
    """A worker sends what was enqueued before it started, and the queue is empty afterwards."""
    broker = world.broker()
    sends = world.sends(broker)
    key = await sends.create_chat(hello())
    assert await sends.status(key) is None
    async with working(broker):
        await world.drained()
    (message,) = world.sandbox.messages
    assert (message.text, message.idempotency_key) == (TEXT, key)
    assert await sends.status(key) == SendStatus(key, Outcome.SENT, message.chat_id, message.id, None, None)
    assert await world.redis.exists(f"{world.name}:first", f"{world.name}:dead") == 0


@pytest.mark.asyncio
async def test_a_message_to_a_chat(world: World, tmp_path: Path) -> None:
    """A message to a chat keeps its own key. Files travel as paths, and URLs as they are."""
    broker = world.broker()
    sends = world.sends(broker)
    chat = await world.sandbox.receive(from_=PERSON, text="When?")
    path = tmp_path / "map.png"
    path.write_bytes(b"\x89PNG")
    message = NewMessage(text=TEXT, attachments=[path], idempotency_key="visit-7")
    assert await sends.send_message(chat.chat_id, message) == "visit-7"
    async with working(broker):
        await world.drained()
    sent = world.sandbox.messages[-1]
    assert (sent.text, sent.chat_id, sent.idempotency_key) == (TEXT, chat.chat_id, "visit-7")
    assert [attachment.filename for attachment in sent.attachments] == ["map.png"]
    status = await sends.status("visit-7")
    assert status is not None
    assert (status.chat_id, status.message_id) == (chat.chat_id, sent.id)


REFUSED: dict[str, Callable[[Sends], Any]] = {
    "bytes": lambda sends: sends.create_chat(hello(attachments=[Upload.from_bytes(b"x", filename="a.png")])),
    "no text": lambda sends: sends.create_chat(hello(text="")),
    "a message without people": lambda sends: sends.create_chat(NewMessage(text=TEXT)),  # type: ignore[arg-type]
    "a chat in a chat": lambda sends: sends.send_message(1, hello()),
    "a text": lambda sends: sends.send_message(1, TEXT),  # type: ignore[arg-type]
    "no id": lambda sends: sends.send_message("1", NewMessage(text=TEXT)),  # type: ignore[arg-type]
}


@pytest.mark.asyncio
@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_travel_is_refused(world: World, case: str) -> None:
    """What cannot be sent, or is not a path, is refused before it is enqueued."""
    with pytest.raises(InvalidArgumentError):
        await REFUSED[case](world.sends(world.broker()))
    assert await world.length() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("case", TRANSIENT)
async def test_a_failure_that_may_end_is_tried_again(world: World, case: str) -> None:
    """A message whose fate is unknown, or that the server did not take for now, is sent again under its key."""
    TRANSIENT[case](world.sandbox)
    broker = world.broker()
    sends = world.sends(broker)
    key = await sends.create_chat(hello())
    async with working(broker):
        await world.drained()
    assert [message.idempotency_key for message in world.sandbox.messages] == [key]
    assert len(world.sandbox.requests) >= 2
    assert await broker.dead_letters.count() == 0
    assert await world.redis.exists(f"{world.name}:first") == 0


@pytest.mark.asyncio
async def test_a_refused_message_is_a_dead_letter(world: World) -> None:
    """A message that the server refuses is kept, says why, and can be sent again under a new key."""
    world.sandbox.faults.answer(422)
    broker = world.broker()
    sends = world.sends(broker)
    key = await sends.create_chat(hello(idempotency_key="visit-7"))
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.key, letter.operation, letter.error, letter.status) == (
        "visit-7",
        "chats.create",
        "UnprocessableEntityError",
        422,
    )
    assert (letter.outcome, letter.attempts) == (Outcome.NOT_SENT, 1)
    assert PERSON[1:] not in repr(letter)
    status = SendStatus(key, Outcome.NOT_SENT, None, None, "UnprocessableEntityError", 422)
    assert await sends.status(key) == status
    assert await broker.dead_letters.retry(["other"]) == []
    (retried,) = await broker.dead_letters.retry()
    assert (retried.key, await broker.dead_letters.count(), await world.length()) == ("visit-7", 0, 1)
    another = world.broker()
    world.sends(another)
    async with working(another):
        await world.drained()
    assert [message.idempotency_key for message in world.sandbox.messages] == [retried.new_key]


@pytest.mark.asyncio
async def test_a_refusal_after_a_doubt_is_unknown(world: World) -> None:
    """A message that an earlier delivery may have sent is not retried, even if it is refused now."""
    world.sandbox.faults.drop_after_storing()
    world.sandbox.faults.answer(400)
    broker = world.broker()
    await world.sends(broker).create_chat(hello())
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.outcome, letter.status) == (Outcome.UNKNOWN, 400)
    assert await broker.dead_letters.retry() == []
    assert await broker.dead_letters.delete([letter.key]) == 1
    assert await broker.dead_letters.count() == 0


@pytest.mark.asyncio
async def test_a_doubt_that_is_too_old_is_a_dead_letter(world: World) -> None:
    """After ``repeat_within``, the server may have forgotten the key, so the message is not sent again."""
    world.sandbox.faults.drop_before_storing(times=9)
    broker = world.broker()
    await world.sends(broker, repeat_within=0.05).create_chat(hello())
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.outcome, letter.error, letter.attempts) == (Outcome.UNKNOWN, "too old", 0)
    assert len(world.sandbox.requests) == 1


@pytest.mark.asyncio
async def test_a_long_queue_does_not_age(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that nobody has tried yet is sent, however long it has waited."""
    broker = world.broker()
    sends = world.sends(broker, repeat_within=60.0)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: 0.0)
        await sends.create_chat(hello())
    async with working(broker):
        await world.drained()
    assert len(world.sandbox.messages) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("keeps", [True, False])
async def test_another_broker(
    world: World, keeps: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that does not say when a message was delivered before: its age counts from when it was enqueued."""
    letters: list[DeadLetter] = []

    async def keep(letter: DeadLetter) -> None:
        letters.append(letter)

    broker = InMemoryBroker()
    sends = register(broker, world.client, repeat_within=60.0, dead_letter=keep if keeps else None)
    await broker.startup()
    times = iter([0.0])
    monkeypatch.setattr(time, "time", lambda: next(times, 1e9))
    await sends.create_chat(hello(idempotency_key="old"))
    await broker.wait_all()
    times = iter([1e9])
    await sends.create_chat(hello(idempotency_key="new"))
    await broker.wait_all()
    await broker.shutdown()
    assert [(letter.key, letter.outcome, letter.error) for letter in letters] == [
        ("old", Outcome.UNKNOWN, "too old")
    ] * keeps
    assert [message.idempotency_key for message in world.sandbox.messages] == ["new"]
    assert caplog.text.count("dead letter: too old, outcome unknown, key old") == 1


@pytest.mark.asyncio
async def test_no_result_backend(world: World) -> None:
    """The status of a message needs a result backend."""
    sends = register(ReclaimingBroker(world.url), world.client)
    with pytest.raises(ConfigurationError, match="no result backend"):
        await sends.status("visit-7")


@pytest.mark.asyncio
async def test_a_response_that_cannot_be_read(world: World) -> None:
    """The server has accepted the message, so it is done."""
    world.sandbox.faults.answer(201, json={"data": {"id": "?"}})
    broker = world.broker()
    sends = world.sends(broker)
    key = await sends.create_chat(hello())
    async with working(broker):
        await world.drained()
    assert await sends.status(key) == SendStatus(key, Outcome.SENT, None, None, None, None)


@pytest.mark.asyncio
async def test_a_key_of_another_message(world: World) -> None:
    """A key that the server knows from another message is a dead letter that is never retried."""
    async with world.client() as linq:
        await linq.chats.send(hello(idempotency_key="visit-7", text="We are closed."))
    broker = world.broker()
    await world.sends(broker).create_chat(hello(idempotency_key="visit-7"))
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.error, letter.outcome) == ("KeyReusedError", Outcome.UNKNOWN)
    assert len(world.sandbox.messages) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [5, {}, {"generated": True, "message": []}], ids=str)
async def test_a_malformed_task(world: World, body: object) -> None:
    """A task that ``Sends`` has not enqueued is a dead letter."""
    broker = world.broker()
    world.sends(broker)
    task = broker.find_task("linq.chats.create")
    assert task is not None
    kicker: Any = task.kicker()
    await kicker.kiq(body)
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.error, letter.outcome) == ("malformed", Outcome.UNKNOWN)


@pytest.mark.asyncio
async def test_a_message_that_cannot_be_sent_any_more(world: World, tmp_path: Path) -> None:
    """A file that is gone is a dead letter."""
    path = tmp_path / "map.png"
    path.write_bytes(b"\x89PNG")
    broker = world.broker()
    await world.sends(broker).create_chat(hello(attachments=[path]))
    path.unlink()
    async with working(broker):
        await world.drained()
    (letter,) = await broker.dead_letters.read()
    assert (letter.error, letter.outcome) == ("UploadError", Outcome.NOT_SENT)


@pytest.mark.asyncio
async def test_no_broker(world: World) -> None:
    """A message that the broker does not confirm may be in the queue: the error has the key to enqueue it with."""
    broker = world.broker(socket_connect_timeout=0.5, retry=None)
    sends = world.sends(broker)
    await broker.connection_pool.disconnect()
    broker.connection_pool.connection_kwargs["port"] = 1
    with pytest.raises(QueueError, match="did not confirm the message: ConnectionError") as caught:
        await sends.create_chat(hello(idempotency_key="visit-7"))
    assert (caught.value.outcome, caught.value.idempotency_key) == (Outcome.UNKNOWN, "visit-7")
    assert caught.value.__context__ is None


@pytest.mark.asyncio
async def test_a_limit_that_one_worker_meets_holds_all(world: World) -> None:
    """A 429 holds all lines at its first attempt, and the hook of the client is called as well."""
    turns, attempts = Turns(), list[Attempt]()
    world.sandbox.faults.answer(429, headers={"Retry-After": "0"})
    broker = world.broker()
    policy = RetryPolicy(initial_delay=0.0)
    sends = register(broker, lambda: world.client(retry=policy, on_attempt=attempts.append), turn=turns)
    await sends.create_chat(hello())
    async with working(broker):
        await world.drained()
    assert turns.lines == [LINE]
    assert len(turns.holds) == 1
    assert [attempt.status for attempt in attempts if attempt.finished] == [429, 200]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "headers", "hold"), [(429, {"Retry-After": "900"}, 120.0), (429, {}, 30.0), (401, {}, 30.0)]
)
async def test_a_failure_that_the_next_message_meets_too(
    world: World, status: int, headers: dict[str, str], hold: float
) -> None:
    """A limit that outlasts the retries, or a refused token, holds all lines, but not for longer than two minutes."""
    turns = Turns()
    world.sandbox.faults.answer(status, headers=headers)
    broker = world.broker(idle_timeout=60_000)
    sends = world.sends(broker, turn=turns)
    await sends.send_message(7, NewMessage(text=TEXT), send_from=LINE)

    async def is_held() -> bool:
        return bool(turns.holds)

    async with working(broker):
        await until(is_held)
    assert (turns.lines, turns.holds) == ([LINE], [hold])
    assert await world.length() == 1


@pytest.mark.asyncio
async def test_a_hold_that_fails(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A hold that cannot be stored is logged, and costs no message."""

    class Broken(Turns):
        async def hold(self, seconds: float) -> None:
            raise OSError(seconds)

    world.sandbox.faults.answer(429)
    broker = world.broker()
    await world.sends(broker, turn=Broken()).send_message(
        (await world.sandbox.receive(from_=PERSON, text="When?")).chat_id, NewMessage(text=TEXT)
    )
    async with working(broker):
        await world.drained()
    assert "the lines could not be held: OSError" in caplog.text
    assert len(world.sandbox.messages) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [0, -1, True, "1", float("nan")], ids=str)
async def test_repeat_within_is_checked(world: World, value: Any) -> None:
    """It is a number of seconds above 0."""
    with pytest.raises(InvalidArgumentError, match="repeat_within must be"):
        world.sends(world.broker(), repeat_within=value)


@pytest.mark.asyncio
async def test_an_idle_timeout_that_is_too_short(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that starts says so, and stores both numbers for the doctor."""
    broker = world.broker()
    world.sends(broker)
    async with working(broker):
        await until(lambda: world.redis.exists(f"{world.name}:settings"))
    assert await world.redis.hgetall(f"{world.name}:settings") == {b"idle_timeout": b"200", b"deadline": b"180000"}
    assert "idle_timeout is 200 ms, but a send may take 180000" in caplog.text


@pytest.mark.asyncio
async def test_nothing_private_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither texts nor numbers nor the token are in any log at DEBUG, whatever becomes of a message."""
    caplog.set_level(logging.DEBUG)
    world.sandbox.faults.drop_after_storing()
    world.sandbox.faults.answer(422)
    broker = world.broker()
    sends = world.sends(broker)
    await sends.create_chat(hello())
    task = orjson.dumps({"text": TEXT, "number": PERSON})
    await world.redis.xadd(world.name, {b"data": task})
    async with working(broker):
        await world.drained()
    assert await broker.dead_letters.count() == 1
    assert await broker.dead_letters.count_undecodable() == 1
    assert "Executing task linq.chats.create" in caplog.text
    assert not [word for word in (TEXT, PERSON[1:], LINE[1:], world.sandbox.token) if word in caplog.text]


@pytest.mark.asyncio
async def test_a_result_of_a_refusal_survives_json(world: World) -> None:
    """The result of a task has no exception, so that any serializer can store it."""
    world.sandbox.faults.answer(404)
    broker = world.broker()
    key = await world.sends(broker).send_message(7, NewMessage(text=TEXT))
    async with working(broker):
        await world.drained()
    result: TaskiqResult[Any] = await broker.result_backend.get_result(key)
    assert (result.is_err, result.return_value["error"], result.return_value["status"]) == (False, "NotFoundError", 404)


@pytest.mark.asyncio
async def test_nothing_private_is_in_tracebacks(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An error that is not the client's, such as one of the turn, is logged with frames that hold no text or number."""

    class Broken(Turns):
        async def __call__(self, line: str | None) -> None:
            del line
            raise OSError

    broker = world.broker(idle_timeout=60_000)
    await world.sends(broker, turn=Broken()).create_chat(hello())

    async def is_logged() -> bool:
        return "Exception found while executing function" in caplog.text

    async with working(broker):
        await until(is_logged)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)
    shown = "".join(traceback.TracebackException.from_exception(record.exc_info[1], capture_locals=True).format())
    assert "create_chat" in shown
    assert not [word for word in (TEXT, PERSON[1:], LINE[1:]) if word in shown]
    assert await world.length() == 1
