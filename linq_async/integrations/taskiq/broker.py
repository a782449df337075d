"""A broker on a stream of Valkey or Redis that brings back what a dead worker left behind, and forgets what is done."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, Protocol, cast

import orjson
from pydantic import RootModel
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from taskiq import AckableMessage, AcknowledgeType, Context, TaskiqDepends, TaskiqMessage
from taskiq.exceptions import NoResultError
from taskiq.formatters.proxy_formatter import ProxyFormatter
from taskiq_redis import RedisStreamBroker

from linq_async.errors import ConfigurationError, Outcome
from linq_async.integrations.taskiq.dead_letters import DeadLetter, DeadLetters

logger: logging.Logger = logging.getLogger("linq_async.queue")

IDLE_TIMEOUT: Final = 600_000
"""Milliseconds after which a message that is not acknowledged is delivered again."""
PREFETCH: Final = 10
"""Messages that are read at once. The idle clock of each runs from then on, so there must not be many."""
SINCE = "linq_since"
"""The label of a message that was delivered before: when for the first time, in seconds since 1970."""
MANUAL = AcknowledgeType.MANUAL.value
CONTEXT: Any = cast("Any", TaskiqDepends())
"""The default of a parameter that gets the context of a task."""
LONGEST_WAIT = 5.0
"""Seconds between two attempts to reach the server."""

_UNDECODABLE = "linq.undecodable"
_UNKNOWN_TASK = "linq.unknown_task"
_NAME = re.compile(r"[\w.:/-]{1,200}")
_UNREACHABLE = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError, OSError)

_PASSING = ("NOREPLICAS", "MISCONF")
"""How errors begin that end when the server has its replicas or its disk again."""

_FORGET = """#!lua flags=allow-oom
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if consumer[4] == 0 and consumer[6] > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer[2])
  end
end
"""
"""Forget workers that are gone and have left nothing behind. One that still runs is known again when it reads."""
_CLAIM = """#!lua flags=allow-oom
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local idle = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[4])
local found = {}
for _, entry in ipairs(idle) do
  local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], entry[1])
  if claimed[1] and claimed[1][2] then
    redis.call('HSETNX', KEYS[2], entry[1], string.format('%.0f', now - entry[3]))
    local age = now - tonumber(redis.call('HGET', KEYS[2], entry[1]))
    found[#found + 1] = {entry[1], claimed[1][2], string.format('%.0f', age)}
  else
    redis.call('XACK', KEYS[1], ARGV[1], entry[1])
    redis.call('HDEL', KEYS[2], entry[1])
  end
end
return found
"""
"""Claim what is idle for too long. In place of XAUTOCLAIM, because that loses when a message was delivered before."""


class Hidden(RootModel[dict[str, Any]]):
    """An argument of a task whose ``repr`` shows nothing: taskiq logs arguments at DEBUG."""

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Return what ``repr`` shows."""
        return []


class HiddenMessage(TaskiqMessage):
    """A task whose ``repr`` shows its name and its id only."""

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Return what ``repr`` shows."""
        return [("task_id", self.task_id), ("task_name", self.task_name)]


class CheckingFormatter(ProxyFormatter):
    """Turns what is not a known task into a task of the broker: the worker would acknowledge and drop it."""

    def loads(self, message: bytes) -> TaskiqMessage:
        """Return the task in a body. Never raises."""
        try:
            found = HiddenMessage.model_validate(self.broker.serializer.loadb(message))
            found.parse_labels()
            _check(found)
        except Exception:  # noqa: BLE001  # a serializer may raise anything
            return _own_task(_UNDECODABLE, base64.b64encode(message).decode())
        task = self.broker.find_task(found.task_name)
        if task is None:
            return _own_task(_UNKNOWN_TASK, found.task_name)
        found.labels_types = None  # they are parsed
        found.labels.pop("ack_type", None)  # the body does not decide when it is lost
        found.labels |= {name: value for name, value in task.labels.items() if name == "ack_type"}
        return found


def _check(message: TaskiqMessage) -> None:
    """Raise ValueError if taskiq would run, log or lose a task in a way that its own module does not control."""
    is_ours = message.task_name.startswith("linq.")
    if not message.task_id.isprintable() or message.task_name in (_UNDECODABLE, _UNKNOWN_TASK):
        raise ValueError
    if is_ours and (len(message.args) != 1 or message.kwargs):
        raise ValueError
    if is_ours:
        orjson.dumps([message.args, message.labels])  # raises if it is too deep to become a dead letter


def _own_task(name: str, argument: str) -> TaskiqMessage:
    return HiddenMessage(task_id=name, task_name=name, labels={"ack_type": MANUAL}, args=[argument], kwargs={})


class ReclaimingBroker(RedisStreamBroker):
    """A broker for ``register`` and for tasks of your own.

    A message that is not acknowledged is delivered again after the idle time-out, also if the queue is otherwise empty:
    the worker looks for such messages at its start and every quarter of that time. An acknowledged message is deleted.

    A task with an unknown name stays in the queue, because another worker may know it, and the log has its name. A body
    that is not a task goes to ``dead_letters``.

    Args:
        url: The address of the server: ``redis://host:6379/0``.
        queue_name: The name of the stream, and the beginning of the names of all its other keys.
        idle_timeout: Milliseconds. It must be longer than a send may take: its turn, the retries and the last response.
        prefetch: Messages that are read at once.
        connection: Further arguments of ``redis.asyncio.Connection``.

    Raises:
        ConfigurationError: If the URL is invalid.
    """

    def __init__(
        self,
        url: str,
        queue_name: str = "linq",
        *,
        idle_timeout: int = IDLE_TIMEOUT,
        prefetch: int = PREFETCH,
        **connection: Any,
    ) -> None:
        connection.setdefault("retry", Retry(ExponentialBackoff(cap=2.0, base=0.05), 6))  # some 3 seconds
        try:
            super().__init__(
                url,
                queue_name=queue_name,
                consumer_group_name=queue_name,
                consumer_id="0",  # with "$", what was enqueued before the first worker started is lost
                xread_block=min(2000, max(1, idle_timeout // 4)),
                xread_count=prefetch,
                idle_timeout=idle_timeout,
                protocol=2,  # with 3, the results of streams have another shape
                **connection,
            )
        except ValueError:  # its text may repeat the password
            raise ConfigurationError("the URL of the broker is invalid, or its password is not escaped") from None
        self.with_formatter(CheckingFormatter(self))
        self.dead_letters: DeadLetters = DeadLetters(self._redis(), queue_name)
        """What the workers gave up."""
        self._first = f"{queue_name}:first"
        self._claim = self._redis().register_script(_CLAIM)
        self.register_task(_bury, _UNDECODABLE, ack_type=MANUAL)
        self.register_task(_leave, _UNKNOWN_TASK, ack_type=MANUAL)

    def _redis(self) -> Redis:
        return Redis(connection_pool=self.connection_pool)

    async def startup(self) -> None:
        """Create the queue if it does not exist, and forget workers that are gone."""
        await super().startup()
        if self.is_worker_process:
            forget = self._redis().register_script(_FORGET)
            with contextlib.suppress(*_UNREACHABLE, exceptions.ResponseError):  # listen() waits for the server
                await forget([self.queue_name], [self.consumer_group_name, self.idle_timeout])

    async def note_deadline(self, seconds: float) -> None:
        """Store how long a send may take, for ``linq-async doctor``. Log a warning if the idle time-out is shorter."""
        if self.idle_timeout < seconds * 1000:
            text = "idle_timeout is %d ms, but a send may take %d: two workers may send a message at once"
            logger.warning(text, self.idle_timeout, seconds * 1000)
        redis: Any = self._redis()
        settings = {"idle_timeout": self.idle_timeout, "deadline": int(seconds * 1000)}
        with contextlib.suppress(exceptions.OutOfMemoryError):  # workers go on when the server is full
            await redis.hset(f"{self.queue_name}:settings", mapping=settings)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield messages: those that are idle for too long, and new ones. An outage of the server is waited for."""
        failures = 0
        look_again = 0.0
        while True:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # redis may swallow the cancellation of a read
                raise asyncio.CancelledError
            try:
                found: list[tuple[bytes, bytes | None]] = []
                if time.monotonic() >= look_again:
                    found = await self._reclaim()
                    more = len(found) == self.count
                    look_again = 0.0 if more else time.monotonic() + self.idle_timeout / 4000
                found += await self._read(wait=not found)
                failures = 0
            except (*_UNREACHABLE, exceptions.ResponseError) as error:
                if str(error).startswith("NOGROUP"):
                    logger.error("the queue is gone: the server has lost it. Check it with linq-async doctor")
                    await self._declare_consumer_group()
                    continue
                if not isinstance(error, _UNREACHABLE) and not str(error).startswith(_PASSING):
                    raise
                if not failures:
                    logger.warning("the queue cannot be reached, and is tried again: %s", type(error).__name__)
                await asyncio.sleep(min(0.1 * 2**failures, LONGEST_WAIT))
                failures = min(failures + 1, 10)
                continue
            read = time.time()
            for message_id, data in found:
                if time.time() - read > self.idle_timeout / 1000:  # another worker may have sent it
                    look_again = 0.0
                    break
                yield AckableMessage(data=data or b"", ack=self._ack_of(message_id))

    async def _reclaim(self) -> list[tuple[bytes, bytes | None]]:
        """Return messages that were delivered before, with the time of that on the clock of this worker."""
        arguments: Any = [self.consumer_group_name, self.consumer_name, self.idle_timeout, self.count]
        claimed = await self._claim([self.queue_name, self._first], arguments)
        if claimed:
            logger.info("%d messages are delivered again", len(claimed))
        found: list[tuple[bytes, bytes | None]] = []
        for message_id, fields, age in claimed:
            data = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"data")
            found.append((message_id, self._marked(data, time.time() - int(age) / 1000)))
        return found

    def _marked(self, data: bytes | None, since: float) -> bytes | None:
        """Add the time of the first delivery to a task, unless it cannot be decoded."""
        try:
            message = TaskiqMessage.model_validate(self.serializer.loadb(data or b""))
            message.labels[SINCE] = since
            return self.formatter.dumps(message).message
        except Exception:  # noqa: BLE001  # the formatter will find the same, or it is too deep
            return data

    async def _read(self, *, wait: bool) -> list[tuple[bytes, bytes | None]]:
        """Return new messages."""
        block = ["BLOCK", self.block] if wait else []
        command = ["XREADGROUP", "GROUP", self.consumer_group_name, self.consumer_name, "COUNT", self.count, *block]
        redis: Any = self._redis()
        fetched = await redis.execute_command(*command, "STREAMS", self.queue_name, ">")
        return [(message_id, fields.get(b"data")) for _, entries in fetched or () for message_id, fields in entries]

    def _ack_of(self, message_id: bytes) -> Callable[[], Awaitable[None]]:
        async def ack() -> None:  # XACK is the last: it alone would leave the entry in the stream for ever
            async with self._redis().pipeline(transaction=False) as pipe:
                pipe.xdel(self.queue_name, message_id)
                pipe.hdel(self._first, message_id)
                pipe.xack(self.queue_name, self.consumer_group_name, message_id)
                await pipe.execute()

        return ack


class Enqueueable(Protocol):
    """What is used of a task of taskiq."""

    def kicker(self) -> Any:
        """Return what enqueues it."""
        ...


async def enqueue(task: Enqueueable, key: str, body: Hidden) -> str | None:
    """Enqueue a task under a key. Return None once the broker holds it, or the class of the error.

    The error itself is not raised, because its frames hold the body.
    """
    try:
        await task.kicker().with_task_id(key).kiq(body)
    except Exception as error:  # noqa: BLE001  # every broker raises errors of its own
        return type(error.__cause__ or error).__name__
    return None


async def acknowledge(context: Context) -> None:
    """Acknowledge a task, unless its broker knows no acknowledgement, such as taskiq's own for tests."""
    if context.is_ackable:
        await context.ack()


def letter_of(
    context: Context, operation: str, outcome: Outcome, error: str, status: int | None = None, attempts: int = 0
) -> DeadLetter:
    """Return the dead letter of the task of a context."""
    context.message.labels.pop(SINCE, None)
    return DeadLetter(
        key=context.message.task_id,
        operation=operation,
        outcome=outcome,
        error=error,
        status=status,
        attempts=attempts,
        at=time.time(),
        data=context.broker.formatter.dumps(context.message).message.decode(),
    )


async def _bury(data: str, context: Context = CONTEXT) -> None:
    """Put a body that is not a task to the dead letters."""
    assert isinstance(context.broker, ReclaimingBroker)
    logger.error("a body in the queue is not a task, and goes to the dead letters")
    await context.broker.dead_letters.add_undecodable(base64.b64decode(data))
    await acknowledge(context)


async def _leave(name: str, context: Context = CONTEXT) -> None:
    """Leave a task in the queue that this worker does not know."""
    shown = name if _NAME.fullmatch(name) else "whose name is not printable"
    logger.error("a task is left in the queue, because this worker does not import it: %s", shown)
    raise NoResultError
