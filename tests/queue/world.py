"""What the tests of the queue start from: brokers on a queue of their own, workers, and a sandbox."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from taskiq import AsyncBroker
from taskiq.receiver import Receiver
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend

from linq_async import LinqClient, NewChat, RetryPolicy
from linq_async.integrations.taskiq import ReclaimingBroker, Sends, register
from linq_async.sandbox import Sandbox

LINE, PERSON = "+15175269229", "+13343284472"
TEXT = "See you at nine."
IDLE = 200
"""Milliseconds until a message is delivered again."""
PATIENCE = 20.0
_numbers = itertools.count(1)


def hello(**changes: Any) -> NewChat:
    """Return a message."""
    fields: dict[str, Any] = {"send_from": LINE, "phone_numbers": [PERSON], "text": TEXT}
    return NewChat(**(fields | changes))


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until something holds that only the server knows."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110  # Valkey sets no events
            await asyncio.sleep(0.005)


class World:
    """A sandbox and a queue."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        self.url = url
        self.name = f"queue-{next(_numbers)}"
        self.redis: Any = cast("Any", Redis).from_url(url, retry=Retry(ConstantBackoff(0.1), 20))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self.redis.aclose)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def broker(self, **options: Any) -> ReclaimingBroker:
        """Make a broker on the queue, with results."""
        broker = ReclaimingBroker(self.url, self.name, **{"idle_timeout": IDLE, **options})
        results = cast("Any", RedisAsyncResultBackend)(self.url, serializer=JSONSerializer(), prefix_str=self.name)
        self._stack.push_async_callback(broker.shutdown)
        return broker.with_result_backend(results)

    def client(self, **options: Any) -> LinqClient:
        """Make a client of the sandbox that does not retry."""
        options = {"retry": RetryPolicy.none(), **options}
        return LinqClient(self.sandbox.token, base_url=self.sandbox.base_url, **options)

    def sends(self, broker: AsyncBroker, **options: Any) -> Sends:
        """Register the tasks that send."""
        return register(broker, self.client, **options)

    async def length(self) -> int:
        """Return the number of messages in the queue."""
        found: int = await self.redis.xlen(self.name)
        return found

    async def drained(self) -> None:
        """Wait until the queue is empty."""

        async def is_empty() -> bool:
            return not await self.length()

        await until(is_empty)


@asynccontextmanager
async def working(*brokers: AsyncBroker, at_once: int = 20) -> AsyncGenerator[None]:
    """Run a worker for each broker until the block is left."""
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for broker in brokers:
            broker.is_worker_process = True
            group.create_task(Receiver(broker, max_async_tasks=at_once).listen(finish))
        try:
            yield
        finally:
            finish.set()
