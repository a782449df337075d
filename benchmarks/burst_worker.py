"""A thousand creates at once. Prints how many failed, and the seconds that all took, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp

from benchmarks.clients import TOKEN
from benchmarks.examples import API_PATH, CREATE, create_body
from benchmarks.pairs import AsyncCall
from linq_async import LinqClient, Timeouts, new_idempotency_key

CONNECTIONS = 100
READ_SECONDS = 3.0


@asynccontextmanager
async def linq_async(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield our call."""
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
    """Return the call as most write it: the clock runs while it waits in line, too."""
    return _by_hand(url, aiohttp.ClientTimeout(total=READ_SECONDS))


def by_hand_sock_read(url: str) -> AbstractAsyncContextManager[AsyncCall]:
    """Return the call as it is right: the clock runs while a socket is read."""
    return _by_hand(url, aiohttp.ClientTimeout(total=None, sock_read=READ_SECONDS))


OPENS: dict[str, Callable[[str], AbstractAsyncContextManager[AsyncCall]]] = {
    "linq_async, read=3": linq_async,
    "aiohttp by hand, sock_read=3": by_hand_sock_read,
    "aiohttp by hand, total=3": by_hand_total,
}


async def burst(url: str, contender: str, count: int) -> dict[str, float]:
    """Make so many calls at once."""
    async with OPENS[contender](url) as create:
        begun = time.perf_counter()
        found = await asyncio.gather(*(create() for _ in range(count)), return_exceptions=True)
        seconds = time.perf_counter() - begun
    return {"failed": sum(isinstance(one, BaseException) for one in found), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(burst(**json.loads(sys.argv[1])))))
