"""What the workers gave up: messages that were refused, and those that are too old to be sent again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import attrs
import orjson
from redis.asyncio import Redis

from linq_async.errors import Outcome
from linq_async.models.outgoing import new_idempotency_key

MAX_UNDECODABLE = 1_000
"""How many undecodable bodies are kept: the newest. Nobody can send them again."""
MAX_UNDECODABLE_BYTES = 64 << 10
BATCH = 100

_RETRY = """#!lua
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('XADD', KEYS[2], '*', 'data', ARGV[3])  -- first: an error does not undo what was done before it
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
"""
"""In one step, so that two who retry at once enqueue a message once."""
_ADD = """#!lua
local found = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[3] == 'not_sent' and found and cjson.decode(found).outcome ~= 'not_sent' then return end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""
"""A refusal does not replace a doubt about an earlier message with the same key: ``retry`` would send it twice."""


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that the workers gave up. Its ``repr`` shows neither text nor numbers."""

    key: str
    """The idempotency key of the message, or the key of the event."""
    operation: str
    """What was given up: ``chats.create``, ``messages.send`` or ``event``."""
    outcome: Outcome
    """NOT_SENT if it was refused for certain. UNKNOWN if it may have been sent."""
    error: str
    """The class of the exception, or ``too old``."""
    status: int | None
    """The HTTP status of the refusal, if there is one."""
    attempts: int
    """The attempts of the last try; 0 if there was none."""
    at: float
    """When it was given up, in seconds since 1970."""
    data: str = attrs.field(repr=False)
    """The task as JSON, with texts and numbers."""


@attrs.frozen
class Retried:
    """A message that was enqueued again."""

    key: str
    """Its old key."""
    new_key: str
    """The key that it is sent with now."""


class DeadLetters:
    """The dead letters of a queue, in a hash on its server. A message that dies twice is there once.

    Args:
        redis: A client of the server, which must not decode responses.
        queue_name: The name of the broker's queue.
    """

    def __init__(self, redis: Redis, queue_name: str = "linq") -> None:
        self._redis: Any = redis  # the stubs of the hash commands have no types for their results
        self._queue = queue_name
        self._letters = f"{queue_name}:dead"
        self._undecodable = f"{queue_name}:undecodable"
        self._add: Any = redis.register_script(_ADD)
        self._retry = redis.register_script(_RETRY)

    async def add(self, letter: DeadLetter) -> None:
        """Keep a letter. It stays until it is sent again or deleted.

        If one with its key may have been sent, and this one was not, the older one stays: the message is in doubt.
        """
        await self._add([self._letters], [letter.key, orjson.dumps(attrs.asdict(letter)), letter.outcome.value])

    async def add_undecodable(self, data: bytes) -> None:
        """Keep the first 64 KiB of a body that is not a task, and the newest 1,000 of them."""
        async with self._redis.pipeline() as pipe:
            pipe.lpush(self._undecodable, data[:MAX_UNDECODABLE_BYTES])
            pipe.ltrim(self._undecodable, 0, MAX_UNDECODABLE - 1)
            await pipe.execute()

    async def count(self) -> int:
        """Return the number of letters."""
        found: int = await self._redis.hlen(self._letters)
        return found

    async def count_undecodable(self) -> int:
        """Return the number of undecodable bodies, of which the newest 1,000 are kept."""
        found: int = await self._redis.llen(self._undecodable)
        return found

    async def read(self, limit: int = 1_000) -> list[DeadLetter]:
        """Return letters, the oldest of those read first."""
        letters: list[DeadLetter] = []
        async for _, value in self._redis.hscan_iter(self._letters, count=BATCH):
            letters.append(_decoded(value))
            if len(letters) >= limit:
                break
        return sorted(letters, key=lambda letter: letter.at)

    async def retry(self, keys: Iterable[str] | None = None) -> list[Retried]:
        """Enqueue messages that were certainly not sent again, each under a new key, and return them.

        Never one that may have been sent, because the server may have forgotten its key: look at the conversation, and
        then delete the letter. An event is handled again, and its replies have the same keys as before.

        Args:
            keys: The keys of the letters. Default: all.
        """
        retried: list[Retried] = []
        for key in [letter.key for letter in await self.read(await self.count())] if keys is None else keys:
            value = await self._redis.hget(self._letters, key)
            if value is None:
                continue
            letter = _decoded(value)
            if letter.operation == "event":
                data, new_key = letter.data, key
            elif letter.outcome is Outcome.NOT_SENT:
                data, new_key = _renewed(letter.data)
            else:
                continue
            if await self._retry([self._letters, self._queue], [key, value, data]):
                retried.append(Retried(key, new_key))
        return retried

    async def delete(self, keys: Iterable[str]) -> int:
        """Delete letters, and return how many there were."""
        found: int = await self._redis.hdel(self._letters, *keys)
        return found


def _decoded(value: bytes) -> DeadLetter:
    fields: dict[str, Any] = orjson.loads(value)
    return DeadLetter(outcome=Outcome(fields.pop("outcome")), **fields)


def _renewed(data: str) -> tuple[str, str]:
    """Return a task under a new idempotency key, and that key."""
    task, key = orjson.loads(data), new_idempotency_key()
    body = task["args"][0]
    body["message"]["idempotency_key"], body["generated"], task["task_id"] = key, True, key
    body["born"] = time.time()
    return orjson.dumps(task).decode(), key
