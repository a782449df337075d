"""The cost of the worst responses that a server can send within the limits: blocked event loop, and memory."""

from __future__ import annotations

import asyncio
import enum
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, cast
from urllib.parse import quote

import attrs

from benchmarks.hostile_bodies import AT_THE_CAP, FILLS, MIB, SIZES
from benchmarks.hostile_server import FLOODS
from benchmarks.lag import measure_lag
from benchmarks.peak import peak, reset_peak
from benchmarks.processes import run, serving
from benchmarks.results import Check, Result, Table
from linq_async import LinqClient, LinqError, RetryPolicy

PLACES_BY_CALL = {
    "chats.create": ("data", "handles"),
    "chats.list": ("data",),
    "messages.list": ("data",),
    "messages.get": ("data",),
    "contacts.list": ("contacts",),
    "contacts.find": ("root",),
    "phone_numbers.list": ("data",),
    "request": ("root",),
    "request, a class of its own": ("data",),
    "request, dicts of lists": ("root",),
    "request, sets": ("root",),
    "request, a foreign class": ("data",),
}
"""The places in a 2xx response that each call reads values from."""
REFUSALS = ("307", "422", "503")
QUICK_CALLS = ("chats.create", "request, a foreign class")
QUICK_FILLS = ("numbers", "lists in lists", "wrong handles", "a text of commas", "values beside a text", "a mapping")
QUICK_SIZES = ("8 MiB", "210 KiB", "20 KiB")
BLOCK_MS, GROWTH_MIB = 250.0, 64.0
NOTE = (
    "Answers of up to 8 MiB, most of them gzip of a few kilobytes: wrong lists, millions of values, deep nesting, wide "
    "texts, in every place of an answer that is read, on 2xx, 3xx, 4xx and 5xx (four attempts each); and floods of "
    "headers, early answers and chunks. The block is the longest that another task waited for the loop, less the time "
    "without a processor; memory is the growth of the peak RSS, the answer itself included. Each answer is read in a "
    "process of its own."
)

Case = tuple[str, ...]
"""A call, and the response to it: status, coding, place, fill and size."""


def cases(*, quick: bool) -> Iterator[Case]:
    """Yield the cases to measure."""
    calls = QUICK_CALLS if quick else tuple(PLACES_BY_CALL)
    for size in QUICK_SIZES if quick else SIZES:
        for fill in QUICK_FILLS if quick else FILLS:
            if size != "8 MiB" and fill in AT_THE_CAP:
                continue
            for call in calls:
                for place in PLACES_BY_CALL[call]:
                    yield (call, "201", "gzip", place, fill, size)
            for status in REFUSALS:
                yield ("chats.create", status, "gzip", "errors", fill, size)
    for coding in FLOODS:
        yield ("chats.create", "422", coding, "errors", "numbers", "20 KiB")
    yield ("chats.create", "201", "chunks of a byte", "handles", "one text", "1 MiB")
    yield ("chats.create", "201", "identity", "handles", "long texts", "8 MiB")


def measure(*, quick: bool) -> Result:
    """Measure every case, and show the worst of each size."""
    selected = list(cases(quick=quick))
    with serving("hostile_server") as url:
        measured: list[dict[str, Any]] = run("hostile", url=url, cases=selected)
    results = list(zip(selected, measured, strict=True))
    checks = [
        Check(
            name="longest block of the loop by a hostile answer",
            value=1e3 * max(one["gated"] for one in measured),
            budget=BLOCK_MS,
            gate=BLOCK_MS,
            unit="ms",
        ),
        Check(
            name="growth of the peak RSS by a hostile answer",
            value=max(one["growth"] for one in measured) / MIB,
            budget=GROWTH_MIB,
            gate=GROWTH_MIB,
            unit="MiB",
        ),
    ]
    rows = [_row(size, results) for size in SIZES if any(size in case for case in selected)]
    head = ("body", "answers", "longest block", "of", "peak RSS growth", "of")
    return Result(title="Hostile answers", tables=[Table(head, rows)], checks=checks, notes=[NOTE])


def _row(size: str, results: list[tuple[Case, dict[str, Any]]]) -> tuple[str, ...]:
    of_size = [(case, measured) for case, measured in results if case[-1] == size]
    slowest = max(of_size, key=lambda one: one[1]["gated"])
    largest = max(of_size, key=lambda one: one[1]["growth"])
    return (
        size,
        str(len(of_size)),
        f"{1e3 * slowest[1]['gated']:.0f} ms",
        _label(slowest[0]),
        f"{largest[1]['growth'] / MIB:.1f} MiB",
        _label(largest[0]),
    )


def _label(case: Case) -> str:
    call, status, coding, place, fill, _ = case
    what = f"{fill} in {place}" if coding in {"gzip", "identity"} else coding
    return f"{call}, {status}, {what}"


@attrs.define
class Node:
    """A recursive class of a caller."""

    data: list[Node]


class Colour(enum.Enum):
    """An enum of a caller, which cattrs decodes itself."""

    RED = "red"


@attrs.define
class Foreign:
    """A class of a caller, most of which cattrs decodes itself."""

    data: dict[str, Colour] | None


Call = Callable[[LinqClient], Awaitable[Any]]
CALLS: dict[str, Call] = {
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


async def measure_call(url: str, call: Call) -> dict[str, Any]:
    """Make a call. Return the worst lag of the loop, the growth of the peak RSS, and how the call ended."""
    retry = RetryPolicy(initial_delay=0.0, max_delay=0.0)
    async with LinqClient("token", base_url=url, retry=retry) as linq:
        before = reset_peak()
        async with measure_lag() as lag:
            ended = await _end_of(call(linq))
        return {**attrs.asdict(lag), "gated": lag.gated, "growth": peak() - before, "ended": ended}


async def _end_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except LinqError as error:
        return type(error).__name__
    return "result"


async def warm_up() -> None:
    """Load everything that a call needs, so that no measurement includes it."""
    retry = RetryPolicy.none()
    async with LinqClient("token", base_url="http://127.0.0.1:9", retry=retry) as linq, measure_lag():
        await _end_of(linq.request("GET", "/x", returns=Node))


def run_forked(work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
    """Run a coroutine function in a fork of this process, so that it reuses no memory of others. Return its result."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.close(receive)
        try:
            os.write(send, json.dumps(asyncio.run(work(*arguments))).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        result = pipe.read()
    os.waitpid(child, 0)
    return json.loads(result)


def worker(url: str, cases: list[list[str]]) -> list[dict[str, Any]]:
    """Measure each case: the name of a call, and the parts of the path that ask for the response."""
    asyncio.run(warm_up())
    gc.collect()
    results: list[dict[str, Any]] = []
    for name, *parts in cases:
        base_url = "/".join([url, *(quote(part) for part in parts)])
        results.append(run_forked(measure_call, base_url, CALLS[name]))
    return results


if __name__ == "__main__":
    print(json.dumps(worker(**json.loads(sys.argv[1]))))
