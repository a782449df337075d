"""Many calls with faults on one client. Prints what the process holds at quiet moments, as JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

import attrs
import psutil  # type: ignore[import-untyped]  # it ships no stubs

from benchmarks.examples import API_PATH, CREATE
from linq_async import LinqClient, LinqError, RetryPolicy

IN_FLIGHT = 50
PATIENCE = RetryPolicy(max_attempts=6, initial_delay=0.01, max_delay=0.05)


@attrs.frozen
class Held:
    """What a process holds."""

    rss: int
    descriptors: int
    tasks: int
    timers: int


@attrs.define
class Tally:
    """What became of the calls."""

    failed: int = 0
    retries: int = 0


async def leg(linq: LinqClient, count: int, tally: Tally) -> None:
    """Make so many creates."""
    turns = iter(range(count))

    async def caller() -> None:
        for _ in turns:
            try:
                chat = await linq.chats.create(**CREATE)
                tally.retries += chat.attempts - 1  # not in one line: += would keep the sum from before the wait
            except LinqError:
                tally.failed += 1

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))


async def held(linq: LinqClient) -> Held:
    """Fill the pool, for faults have emptied places in it; then count."""
    await asyncio.gather(*(linq.request("GET", f"{API_PATH}/chats") for _ in range(IN_FLIGHT)))
    gc.collect()
    process = psutil.Process()
    loop: Any = asyncio.get_running_loop()
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # noqa: SLF001
    return Held(process.memory_info().rss, process.num_fds(), len(asyncio.all_tasks()), len(timers))


async def soak(url: str, calls: int, legs: int) -> dict[str, object]:
    """Run the legs; the first one warms up."""
    moments: list[dict[str, Any]] = []
    tally = Tally()
    async with LinqClient("token", base_url=url, retry=PATIENCE) as linq:
        for _ in range(legs):
            await leg(linq, calls // legs, tally)
            moments.append(attrs.asdict(await held(linq)))
    return {**attrs.asdict(tally), "moments": moments}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(soak(**json.loads(sys.argv[1])))))
