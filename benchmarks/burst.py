"""A thousand concurrent creates with a slow server: the wait for a connection must not count as read time."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp

from benchmarks.clients import TOKEN
from benchmarks.examples import API_PATH, CREATE, create_body
from benchmarks.pairs import AsyncCall
from benchmarks.processes import run, serving
from benchmarks.results import Check, Result, Table
from linq_async import LinqClient, Timeouts, new_idempotency_key

COUNT = 1_000
CONNECTIONS = 100
READ_SECONDS = 3.0


@asynccontextmanager
async def linq_async(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a create of this package."""
    timeouts = Timeouts(read=READ_SECONDS)
    async with LinqClient("token", base_url=url, timeouts=timeouts, max_connections=CONNECTIONS) as linq:
        yield lambda: linq.chats.create(**CREATE)


@asynccontextmanager
async def _by_hand(url: str, timeout: aiohttp.ClientTimeout) -> AsyncGenerator[AsyncCall]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(headers=TOKEN, timeout=timeout, connector=connector) as session:

        async def create() -> object:
            body = create_body(new_idempotency_key())
            async with session.post(f"{url}{API_PATH}/chats", json=body) as response:
                return await response.json()

        yield create


def by_hand_total(url: str) -> AbstractAsyncContextManager[AsyncCall]:
    """Return the call with the usual total timeout, which includes the wait for a connection."""
    return _by_hand(url, aiohttp.ClientTimeout(total=READ_SECONDS))


def by_hand_sock_read(url: str) -> AbstractAsyncContextManager[AsyncCall]:
    """Return the call with a read timeout, which excludes the wait for a connection."""
    return _by_hand(url, aiohttp.ClientTimeout(total=None, sock_read=READ_SECONDS))


CONTENDERS: dict[str, Callable[[str], AbstractAsyncContextManager[AsyncCall]]] = {
    "linq_async, read=3": linq_async,
    "aiohttp by hand, sock_read=3": by_hand_sock_read,
    "aiohttp by hand, total=3": by_hand_total,
}
OURS, BASELINE, _ = CONTENDERS


def measure(*, quick: bool) -> Result:
    """Measure all contenders at once, since they spend their time waiting."""
    with serving(delay=1.0) as url, ThreadPoolExecutor() as threads:
        pending = {name: threads.submit(run, "burst", url=url, contender=name, count=COUNT) for name in CONTENDERS}
        results = {name: future.result() for name, future in pending.items()}
    baseline = results[BASELINE]["seconds"]
    rows = [
        (name, f"{one['failed']:.0f}", f"{one['seconds']:.2f}", f"{one['seconds'] / baseline:.2f}")
        for name, one in results.items()
    ]
    failures = Check(
        name=f"failures among {COUNT:,} creates at once",
        value=results[OURS]["failed"],
        budget=0,
        gate=0,
        unit="calls",
        deterministic=True,
    )
    ratio = results[OURS]["seconds"] / baseline
    return Result(
        title=f"{COUNT:,} creates at once, {CONNECTIONS} connections, answers after 1 s, {READ_SECONDS:g} s allowed",
        tables=[Table(("client", f"failed of {COUNT:,}", "seconds", "ratio"), rows)],
        checks=[
            failures,
            Check(name=f"time of {COUNT:,} creates at once / by hand", value=ratio, budget=1.2, gate=1.5),
        ],
        notes=["By hand, `total=3` counts the wait for a connection too, so those who stand in line fail unsent."],
    )


async def worker(url: str, contender: str, count: int) -> dict[str, float]:
    """Make all calls concurrently. Return how many failed, and the seconds that they took together."""
    async with CONTENDERS[contender](url) as create:
        start = time.perf_counter()
        results = await asyncio.gather(*(create() for _ in range(count)), return_exceptions=True)
        seconds = time.perf_counter() - start
    return {"failed": sum(isinstance(one, BaseException) for one in results), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(worker(**json.loads(sys.argv[1])))))
