"""Uploads of one file: their cost in turns with the usual way, or one client's memory, or its loop lag. Prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs

from benchmarks.lag import Lag, watching
from benchmarks.pairs import Turn, take_blocks, take_turns, to_json
from benchmarks.peak import fresh_peak, peak
from benchmarks.upload_clients import BY_HAND, OPENS


@attrs.frozen(kw_only=True)
class Plan:
    """What this process is to do."""

    task: str
    url: str
    file: str
    small_file: str
    contenders: list[str]
    rounds: int


async def small(plan: Plan) -> Any:
    """Upload a small file many times, in turns."""
    async with AsyncExitStack() as stack:
        first, *others = [
            await stack.enter_async_context(OPENS[name](plan.url, Path(plan.small_file)))
            for name in (BY_HAND, *plan.contenders)
        ]
        contenders = dict(zip(plan.contenders, others, strict=True))
        return to_json(await take_turns(first, contenders, rounds=plan.rounds, seconds=0.08, in_flight=1))


async def large(plan: Plan) -> Any:
    """Upload a large file, in turns."""
    async with AsyncExitStack() as stack:
        first, *others = [
            Turn(await stack.enter_async_context(OPENS[name](plan.url, Path(plan.file))), 1)
            for name in (BY_HAND, *plan.contenders)
        ]
        for turn in (first, *others):
            await turn.call()
        turns = dict(zip(plan.contenders, others, strict=True))
        return to_json(await take_blocks(first, turns, rounds=plan.rounds))


async def memory(plan: Plan) -> Any:
    """Return the bytes by which one large upload raises the peak, once a small one has loaded all that is needed."""
    (name,) = plan.contenders
    async with OPENS[name](plan.url, Path(plan.small_file)) as upload:
        await upload()
    async with OPENS[name](plan.url, Path(plan.file)) as upload:
        before = fresh_peak()
        await upload()
        return peak() - before


async def lag(plan: Plan) -> Any:
    """Return the worst lags of some runs of large uploads, or of doing nothing."""
    async with AsyncExitStack() as stack:
        upload: Callable[[], Any] = lambda: asyncio.sleep(0.3)  # noqa: E731
        if plan.contenders:
            (name,) = plan.contenders
            upload = await stack.enter_async_context(OPENS[name](plan.url, Path(plan.file)))
        await upload()
        return [attrs.asdict(await _watched(upload)) for _ in range(plan.rounds)]


async def _watched(upload: Callable[[], Any]) -> Lag:
    async with watching() as found:
        for _ in range(3):
            await upload()
    return found


TASKS: dict[str, Callable[[Plan], Coroutine[Any, Any, Any]]] = {
    "small": small,
    "large": large,
    "memory": memory,
    "lag": lag,
}

if __name__ == "__main__":
    plan = Plan(**json.loads(sys.argv[1]))
    print(json.dumps(asyncio.run(TASKS[plan.task](plan))))
