"""Creates in turns with a baseline, on one kind of loop. Prints the pairs as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib import import_module
from typing import Any

import attrs

from benchmarks import clients
from benchmarks.pairs import AsyncCall, Pair, take_turns, to_json

Opens = Callable[[str], AbstractAsyncContextManager[AsyncCall]]

BY_HAND = "aiohttp by hand"
OPENS: dict[str, Opens] = {
    BY_HAND: clients.by_hand,
    "linq_async": clients.linq_async,
    "floor": clients.floor,
    "aiohttp and orjson": clients.by_hand_with_orjson,
    "httpx": clients.httpx_by_hand,
    "linq-python": clients.linq_python,
    "linq-python[aiohttp]": clients.linq_python_on_aiohttp,
    "stripe": clients.stripe,
    "openai": clients.openai,
}


@attrs.frozen(kw_only=True)
class Plan:
    """What this process is to do."""

    url: str
    baseline: str
    contenders: list[str]
    in_flight: int
    rounds: int
    seconds: float
    uvloop: bool


async def measure(plan: Plan) -> dict[str, list[Pair]]:
    """Open every client, and let them take turns."""
    async with AsyncExitStack() as stack:
        baseline = await stack.enter_async_context(OPENS[plan.baseline](plan.url))
        opened = {name: await stack.enter_async_context(OPENS[name](plan.url)) for name in plan.contenders}
        return await take_turns(baseline, opened, rounds=plan.rounds, seconds=plan.seconds, in_flight=plan.in_flight)


def main() -> None:
    """Run on the loop that the plan names."""
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.uvloop:
        loops: Any = import_module("uvloop")
        found: dict[str, list[Pair]] = loops.run(measure(plan))
    else:
        found = asyncio.run(measure(plan))
    print(json.dumps(to_json(found)))


if __name__ == "__main__":
    main()
