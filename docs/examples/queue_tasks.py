"""The queue of a service and its workers. Start a worker with ``taskiq worker queue_tasks:broker``."""

import os
from typing import Any

from redis.asyncio import Redis
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend

from linq_async import LinqClient
from linq_async.integrations.taskiq import ReclaimingBroker, pace, register, register_bot
from linq_async.webhooks import Context, Dispatcher, MessageReceived

URL = os.environ.get("LINQ_BROKER", "redis://127.0.0.1:6379")

results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(
    URL, result_ex_time=86_400, serializer=JSONSerializer(), prefix_str="linq:result"
)
broker = ReclaimingBroker(URL).with_result_backend(results)
turn = pace(Redis(connection_pool=broker.connection_pool), per_second=1.0)  # for each line, over all workers
sends = register(broker, LinqClient, turn=turn)

bot = Dispatcher[None]()


@bot.on(MessageReceived)
async def answer(message: MessageReceived, context: Context[None]) -> None:
    """Answer a message, in a worker."""
    await context.reply("Thank you! We will call you back.")


accept = register_bot(broker, LinqClient, bot, None)
