"""Durable sends: a message gets its key when it is enqueued, and is acknowledged when its fate is known."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, cast

import attrs
from taskiq import AsyncBroker, Context, TaskiqEvents, TaskiqState
from taskiq.exceptions import NoResultError
from taskiq.result_backends.dummy import DummyResultBackend

from linq_async.attempts import Attempt, AttemptHook
from linq_async.client import LinqClient
from linq_async.config import is_number
from linq_async.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    DecodeError,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    Outcome,
    Problem,
    RateLimitError,
    UploadError,
)
from linq_async.integrations.taskiq.broker import (
    CONTEXT,
    MANUAL,
    SINCE,
    Enqueueable,
    Hidden,
    ReclaimingBroker,
    acknowledge,
    enqueue,
    letter_of,
)
from linq_async.integrations.taskiq.dead_letters import DeadLetter
from linq_async.integrations.taskiq.pace import LONGEST_HOLD, Turn
from linq_async.models.outgoing import DerivedKey, NewChat, NewMessage, new_idempotency_key
from linq_async.resources.coroutines import returns_coroutine

logger: logging.Logger = logging.getLogger("linq_async.queue")

HOLD = 30.0
"""Seconds: how long all lines are held after a failure that the next message would meet, too."""

OnDeadLetter: TypeAlias = Callable[[DeadLetter], Awaitable[None]]
"""A coroutine function that keeps a dead letter."""


class QueueError(LinqError):
    """The broker did not confirm a message, so it may be in the queue or not. Enqueue it again under the same key."""


@attrs.frozen
class SendStatus:
    """What became of a message in the queue."""

    key: str
    """The idempotency key."""
    outcome: Outcome
    """SENT; otherwise the message is a dead letter: NOT_SENT if it was refused, UNKNOWN if it may have been sent."""
    chat_id: int | None
    """The id of the chat, if it was sent and the response could be read."""
    message_id: int | None
    """The id of the message, if it was sent and the response could be read."""
    error: str | None
    """The class of the exception, or ``too old``; None if it was sent."""
    status: int | None
    """The HTTP status of a refusal."""


class Sends:
    """What a program enqueues messages with. ``register`` returns it."""

    def __init__(self, broker: AsyncBroker, create_chat: Enqueueable, send_message: Enqueueable) -> None:
        self._broker = broker
        self._create_chat = create_chat
        self._send_message = send_message

    @returns_coroutine
    def create_chat(self, message: NewChat) -> Coroutine[Any, Any, str]:
        """Enqueue a message for ``chats.send``. Returns its idempotency key once the broker holds it.

        The key is fixed here: yours, or a generated one. Attachments travel by reference, so a path must exist where
        the workers run.

        Raises:
            InvalidArgumentError: If the message cannot be sent, or an attachment is not a path: bytes, open files and
                streams do not travel through a broker. Nothing was enqueued.
            QueueError: If the broker did not confirm the message. Enqueue it again under ``error.idempotency_key``.
        """
        if not isinstance(message, NewChat):
            raise InvalidArgumentError([Problem("message", "must be a NewChat")])
        return self._enqueue(self._create_chat, _body(message))

    @returns_coroutine
    def send_message(
        self, chat_id: int, message: NewMessage, *, send_from: str | None = None
    ) -> Coroutine[Any, Any, str]:
        """Enqueue a message for ``messages.send``. Returns its idempotency key once the broker holds it.

        Args:
            chat_id: The chat.
            message: The message, with attachments as in ``create_chat``.
            send_from: The line of the chat, for its pace. Without it, the message waits for no turn, but for a hold.

        Raises:
            InvalidArgumentError: As ``create_chat`` does.
            QueueError: As ``create_chat`` does.
        """
        problems = [] if type(chat_id) is int else [Problem("chat_id", "must be an int")]
        if not isinstance(message, NewMessage) or isinstance(message, NewChat):
            problems.append(Problem("message", "must be a NewMessage"))
        if problems:
            raise InvalidArgumentError(problems)
        return self._enqueue(self._send_message, _body(message, chat_id=chat_id, send_from=send_from))

    async def _enqueue(self, task: Enqueueable, body: Hidden) -> str:
        key: str = body.root["message"]["idempotency_key"]
        cause = await enqueue(task, key, body)
        if cause is None:
            return key
        raise QueueError(
            f"the broker did not confirm the message: {cause}", outcome=Outcome.UNKNOWN, idempotency_key=key
        )

    async def status(self, key: str) -> SendStatus | None:
        """Return what became of a message; None if it is in the queue, or the result backend does not know it.

        Raises:
            ConfigurationError: If the broker has no result backend.
        """
        backend = self._broker.result_backend
        if isinstance(backend, DummyResultBackend):
            raise ConfigurationError("the broker has no result backend: use broker.with_result_backend(...)")
        if not await backend.is_result_ready(key):
            return None
        value: Any = (await backend.get_result(key)).return_value
        if not isinstance(value, dict) or "outcome" not in value:  # a failed delivery, or another task
            return None
        found = cast("dict[str, Any]", value)
        found["outcome"] = Outcome(found["outcome"])
        return SendStatus(**found)


def _body(message: NewMessage, **more: Any) -> Hidden:
    """Return what travels through the broker."""
    fields = message.to_dict()
    generated = message.idempotency_key is None
    if generated:
        fields["idempotency_key"] = new_idempotency_key()
    return Hidden({"message": fields, "born": time.time(), "generated": generated, **more})


def register(
    broker: AsyncBroker,
    make_client: Callable[[], LinqClient],
    *,
    turn: Turn | None = None,
    repeat_within: float = 3600.0,
    dead_letter: OnDeadLetter | None = None,
) -> Sends:
    """Give a broker the tasks that send, and return what enqueues them.

    A worker acknowledges a message when its fate is known. While that is unknown, and after a failure that the next
    message would meet as well, it leaves the message to the broker, which delivers it again after its idle time-out,
    under the same key. What is refused becomes a dead letter, and so does what is still unknown after
    ``repeat_within``.

    Args:
        broker: A ``ReclaimingBroker``, or another broker of taskiq that delivers again what is not acknowledged.
        make_client: Makes the client of a worker when it starts.
        turn: What a worker asks before each send, such as ``pace(redis, 1.0)``. None for as fast as possible.
        repeat_within: The seconds within which a message is sent again under its key, from its first delivery; with
            other brokers, from when it was enqueued. Nobody documents how long the server remembers a key.
        dead_letter: A coroutine function that keeps a dead letter. Default: the ``dead_letters`` of the broker; with
            other brokers, a line in the log.

    Raises:
        InvalidArgumentError: If ``repeat_within`` is not a number of seconds above 0.
    """
    if not is_number(repeat_within, above=0):
        raise InvalidArgumentError([Problem("repeat_within", "must be a number of seconds above 0, up to 1e9")])
    if dead_letter is None and isinstance(broker, ReclaimingBroker):
        dead_letter = broker.dead_letters.add
    worker = _Worker(broker, make_client, turn, repeat_within, dead_letter)
    broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, worker.start)
    broker.add_event_handler(TaskiqEvents.WORKER_SHUTDOWN, worker.stop)

    @broker.task("linq.chats.create", ack_type=MANUAL)
    async def create_chat(body: Any, context: Context = CONTEXT) -> dict[str, Any]:
        hidden = _hidden(body)
        del body  # error reporters show the local variables of frames
        return await worker.run("chats.create", hidden, context)

    @broker.task("linq.messages.send", ack_type=MANUAL)
    async def send_message(body: Any, context: Context = CONTEXT) -> dict[str, Any]:
        hidden = _hidden(body)
        del body  # error reporters show the local variables of frames
        return await worker.run("messages.send", hidden, context)

    return Sends(broker, create_chat, send_message)


@attrs.define(eq=False)
class _Worker:
    """What the tasks of one worker share."""

    _broker: AsyncBroker
    _make_client: Callable[[], LinqClient]
    _turn: Turn | None
    _repeat_within: float
    _dead_letter: OnDeadLetter | None
    _client: LinqClient | None = None
    _linq: LinqClient | None = None
    _holds: set[asyncio.Task[None]] = attrs.field(init=False, factory=set[asyncio.Task[None]])

    async def start(self, _: TaskiqState) -> None:
        """Make the client."""
        self._client = self._linq = self._make_client()
        settings = self._client._pipeline.settings  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if isinstance(self._broker, ReclaimingBroker):
            hold = 0.0 if self._turn is None else LONGEST_HOLD
            await self._broker.note_deadline(hold + settings.retry.max_elapsed + (settings.timeouts.read or 0.0))
        if self._turn is not None:
            self._linq = self._client.with_options(on_attempt=_both(self._on_attempt, settings.on_attempt))

    async def stop(self, _: TaskiqState) -> None:
        """Close the client."""
        assert self._client is not None
        await self._client.aclose()

    def _on_attempt(self, attempt: Attempt) -> None:
        """Hold all lines as soon as one attempt gets a 429. The client itself waits in this process only."""
        if attempt.status == 429 and attempt.wait is not None:
            self._hold(attempt.wait)

    def _hold(self, seconds: float) -> None:
        if self._turn is not None:
            task = asyncio.ensure_future(_quietly(self._turn.hold(min(seconds, LONGEST_HOLD))))
            self._holds.add(task)
            task.add_done_callback(self._holds.discard)

    async def run(self, operation: str, body: Hidden | None, context: Context) -> dict[str, Any]:
        """Send a message, and acknowledge it if its fate is known. Otherwise, raise NoResultError."""
        key = context.message.task_id
        since = context.message.labels.get(SINCE)
        if body is None:
            return await self._bury(operation, context, LinqError(outcome=Outcome.UNKNOWN), error="malformed")
        begun, read = since if isinstance(self._broker, ReclaimingBroker) else body.root.get("born"), time.time()
        if begun is not None and time.time() - begun > self._repeat_within:
            return await self._bury(operation, context, LinqError(outcome=Outcome.UNKNOWN), error="too old")
        if self._turn is not None:
            await self._turn(body.root["message"].get("send_from") or body.root.get("send_from"))
            if time.time() - (read if begun is None else begun) > self._repeat_within:
                logger.warning("%s: left in the queue, because its turn came too late, key %s", operation, key)
                raise NoResultError  # this machine was asleep: another worker may have sent it long ago
        try:
            chat_id, message_id = await self._send(body)
        except LinqError as error:
            if isinstance(error, DecodeError) and error.outcome is Outcome.SENT:
                chat_id, message_id = body.root.get("chat_id"), None
            elif _is_refused(error):
                if since is not None or isinstance(error, KeyReusedError):  # an earlier delivery may have sent it
                    error.outcome = Outcome.UNKNOWN
                return await self._bury(operation, context, error, error=type(error).__name__)
            else:
                self._leave(operation, key, error)
                raise NoResultError from None
        await acknowledge(context)
        return attrs.asdict(SendStatus(key, Outcome.SENT, chat_id, message_id, None, None))

    async def _send(self, body: Hidden) -> tuple[int | None, int | None]:
        """Send a message, and return the ids of its chat and of itself."""
        assert self._linq is not None
        if "chat_id" in body.root:
            chat_id = body.root["chat_id"]
            return chat_id, (await self._linq.messages.send(chat_id, NewMessage.from_dict(_fields(body)))).id
        chat = await self._linq.chats.send(NewChat.from_dict(_fields(body)))
        return chat.id, chat.message.id

    def _leave(self, operation: str, key: str, error: LinqError) -> None:
        """Leave a message to the broker. Hold all lines if the next message would fail in the same way."""
        text = "%s: left in the queue after %s, outcome %s, key %s"
        logger.warning(text, operation, type(error).__name__, error.outcome.value, key)
        if isinstance(error, RateLimitError | AuthenticationError | ConnectError):
            self._hold(getattr(error, "retry_after", None) or HOLD)

    async def _bury(self, operation: str, context: Context, failed: LinqError, *, error: str) -> dict[str, Any]:
        """Make a dead letter of a message, and acknowledge it."""
        key, outcome, status = context.message.task_id, failed.outcome, getattr(failed, "status", None)
        logger.error("%s: dead letter: %s, outcome %s, key %s", operation, error, outcome.value, key)
        if self._dead_letter is not None:
            letter = letter_of(context, operation, outcome, error, status, failed.attempts)
            await self._dead_letter(letter)
        await acknowledge(context)
        return attrs.asdict(SendStatus(key, outcome, None, None, error, status))


def _hidden(body: Any) -> Hidden | None:
    """Return what ``Sends`` has enqueued, or None if it is something else."""
    if not isinstance(body, dict):
        return None
    fields = cast("dict[str, Any]", body)
    return Hidden(fields) if "generated" in fields and isinstance(fields.get("message"), dict) else None


def _fields(body: Hidden) -> dict[str, Any]:
    """Return the fields of a message. A response is not taken for another message's under a generated key."""
    fields: dict[str, Any] = body.root["message"]
    if not body.root["generated"]:
        return fields
    return fields | {"idempotency_key": DerivedKey(fields["idempotency_key"])}


def _both(first: AttemptHook, second: AttemptHook | None) -> AttemptHook:
    """Return a hook that calls two."""

    def hook(attempt: Attempt) -> None:
        first(attempt)
        if second is not None:
            second(attempt)

    return hook


async def _quietly(hold: Awaitable[None]) -> None:
    """Await a hold. If it fails, the other workers meet the same limit by themselves."""
    try:
        await hold
    except Exception as error:  # noqa: BLE001  # a turn may raise anything
        logger.warning("the lines could not be held: %s", type(error).__name__)


def _is_refused(error: LinqError) -> bool:
    """Return whether sending a message again would fail in the same way, but another message may be accepted."""
    if isinstance(error, APIError):
        return 400 <= error.status < 500 and error.status not in (401, 408, 409, 425, 429)
    return isinstance(error, InvalidArgumentError | UploadError | KeyReusedError)
