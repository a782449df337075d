"""What hostile answers cost, each in a fork of this process, so that none reuses the memory of another. Prints JSON."""

from __future__ import annotations

import asyncio
import enum
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast
from urllib.parse import quote

import attrs

from benchmarks.lag import watching
from benchmarks.peak import fresh_peak, peak
from linq_async import LinqClient, LinqError, RetryPolicy


@attrs.define
class Node:
    """A class of the caller's that holds itself."""

    data: list[Node]


class Colour(enum.Enum):
    """An enum of the caller's, which cattrs decodes by itself."""

    RED = "red"


@attrs.define
class Foreign:
    """A class of the caller's that cattrs decodes by itself for the most part."""

    data: dict[str, Colour] | None


Act = Callable[[LinqClient], Awaitable[Any]]
ACTS: dict[str, Act] = {
    "chats.create": lambda linq: linq.chats.create(send_from="+12025550100", phone_numbers=["+12025550101"], text="Hi"),
    "chats.list": lambda linq: linq.chats.list(phone_number="+12025550100"),
    "messages.list": lambda linq: linq.messages.list(1),
    "messages.get": lambda linq: linq.messages.get(1, 1),
    "contacts.list": lambda linq: linq.contacts.list(),
    "contacts.find": lambda linq: linq.contacts.find(email="a@example.com"),
    "phone_numbers.list": lambda linq: linq.phone_numbers.list(),
    "request": lambda linq: linq.request("GET", "/x"),
    "request, a class of its own": lambda linq: linq.request("GET", "/x", returns=Node),
    "request, dicts of lists": lambda linq: linq.request("GET", "/x", returns=cast("type[Any]", dict[str, list[int]])),
    "request, sets": lambda linq: linq.request("GET", "/x", returns=cast("type[Any]", set[int])),
    "request, a foreign class": lambda linq: linq.request("GET", "/x", returns=Foreign),
}


async def _one(url: str, act: Act) -> dict[str, Any]:
    """Call, and return the worst lag of the loop and the growth of the peak."""
    retry = RetryPolicy(initial_delay=0.0, max_delay=0.0)
    async with LinqClient("token", base_url=url, retry=retry) as linq:
        before = fresh_peak()
        async with watching() as lag:
            ended = await _end(act(linq))
        return {**attrs.asdict(lag), "gated": lag.gated, "grown": peak() - before, "ended": ended}


async def _end(call: Awaitable[Any]) -> str:
    try:
        await call
    except LinqError as error:
        return type(error).__name__
    return "result"


def _warm() -> None:
    """Load all that a call needs, so that no measurement pays for it."""

    async def call() -> None:
        retry = RetryPolicy.none()
        async with LinqClient("token", base_url="http://127.0.0.1:9", retry=retry) as linq, watching():
            await _end(linq.request("GET", "/x", returns=Node))

    asyncio.run(call())
    gc.collect()


def forked(work: Callable[[], Any]) -> Any:
    """Do some work in a fork of this process, and return what it returns, through JSON."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.close(receive)
        try:
            os.write(send, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    return json.loads(found)


def _measured(base_url: str, name: str) -> dict[str, Any]:
    return asyncio.run(_one(base_url, ACTS[name]))


def main(url: str, cases: list[list[str]]) -> list[dict[str, Any]]:
    """Measure each case: a name of ``ACTS``, and the parts of the path that ask for the answer."""
    _warm()
    found: list[dict[str, Any]] = []
    for name, *parts in cases:
        base_url = "/".join([url, *(quote(part) for part in parts)])
        found.append(forked(partial(_measured, base_url, name)))
    return found


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
