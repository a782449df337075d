"""Programs that tests kill: ``python -m tests.queue.killed worker VALKEY SERVER``, and ``enqueuer VALKEY FILE``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from taskiq.receiver import Receiver

from linq_async import LinqClient, NewChat, RetryPolicy, Timeouts
from linq_async.integrations.taskiq import QueueError, ReclaimingBroker, register
from tests.bulk.world import number

LINE = "+15175269229"
COUNT = 2_000
QUEUE = "killed"
IDLE = 4_000
"""Milliseconds: longer than a send may take."""
GAP = 0.008
"""Seconds between two messages, so that the enqueuer lasts long enough to be killed."""


def client(url: str) -> LinqClient:
    """Make a client that gives up within the idle time-out."""
    retry = RetryPolicy(initial_delay=0.02, max_delay=0.1, max_elapsed=2.0)
    return LinqClient("token", base_url=url, retry=retry, timeouts=Timeouts(read=1.0))


async def work(valkey: str, server: str) -> None:
    """Send what is in the queue, until this is killed."""
    broker = ReclaimingBroker(valkey, QUEUE, idle_timeout=IDLE)
    register(broker, lambda: client(server))
    broker.is_worker_process = True
    await Receiver(broker, max_async_tasks=20).listen(asyncio.Event())


async def enqueue(valkey: str, progress: Path, index: int) -> None:
    """Enqueue a message for each recipient. The next run goes on with the first one that was not confirmed."""
    sends = register(ReclaimingBroker(valkey, QUEUE), lambda: client("http://127.0.0.1:1"))
    while index < COUNT:
        message = NewChat(
            send_from=LINE, phone_numbers=[number(index)], text="Hello!", idempotency_key=f"message-{index}"
        )
        try:
            await sends.create_chat(message)
        except QueueError:  # under the same key, it may be in the queue twice
            continue
        index += 1
        new = progress.with_suffix(".new")
        new.write_text(str(index))
        new.replace(progress)
        await asyncio.sleep(GAP)


if __name__ == "__main__":
    _, role, url, other = sys.argv
    if role == "worker":
        asyncio.run(work(url, other))
    else:
        path = Path(other)
        asyncio.run(enqueue(url, path, int(path.read_text()) if path.exists() else 0))
