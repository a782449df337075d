"""The cost of a JSON create: sequential and with 50 calls in flight, on asyncio and on uvloop."""

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
from benchmarks.pairs import AsyncCall, Pair, compare, cpu_ratio, from_json, median_of, to_json, wall_ratio
from benchmarks.processes import run, serving
from benchmarks.results import NOT_INSTALLED, Check, Result, Table
from benchmarks.rivals import installed, select, skipped_rows

OURS = "linq_async"
BASELINE = "aiohttp by hand"
OFFICIAL = "linq-python[aiohttp]"
RIVALS = ["floor", "aiohttp and orjson", "httpx", OFFICIAL, "linq-python", "stripe", "openai"]
CONTENDERS: dict[str, Callable[[str], AbstractAsyncContextManager[AsyncCall]]] = {
    BASELINE: clients.by_hand,
    OURS: clients.linq_async,
    "floor": clients.floor,
    "aiohttp and orjson": clients.by_hand_with_orjson,
    "httpx": clients.httpx_by_hand,
    "linq-python": clients.linq_python,
    OFFICIAL: clients.linq_python_on_aiohttp,
    "stripe": clients.stripe,
    "openai": clients.openai,
}
LABELS = {
    "floor": "floor: a bare protocol and orjson",
    "aiohttp and orjson": "aiohttp by hand, with orjson",
    "httpx": "httpx by hand",
}
IN_FLIGHT = (1, 50)
OFFICIAL_BUDGETS = {1: 0.30, 50: 0.20}
NOTE = (
    "CPU ratio: the client's CPU time for a create as a multiple of the hand-written aiohttp call's "
    "(`session.post(json=)` and `await r.json()`) in the block of calls beside it: the median of the pairs, and "
    "the range of the middle 80 %. linq-python speaks version 3 of the API, stripe makes a customer, openai a "
    "completion: POSTs and answers of similar size."
)
COLUMNS = ("CPU ratio", "wall ratio", "CPU µs", "beside by hand")


@attrs.frozen
class Setting:
    """An event loop, and the number of calls in flight on it."""

    url: str
    in_flight: int
    uvloop: bool

    @property
    def name(self) -> str:
        """The name in the tables."""
        return f"{'uvloop' if self.uvloop else 'asyncio'}, {self.in_flight} in flight"

    def pairs(self, contenders: list[str], rounds: int, *, baseline: str = BASELINE) -> dict[str, list[Pair]]:
        """Compare contenders with a baseline in a process of their own."""
        return from_json(
            run("create", **attrs.asdict(self), baseline=baseline, contenders=contenders, rounds=rounds, seconds=0.02)
        )


@attrs.frozen
class SettingResult:
    """The measurements of one setting."""

    table: Table
    checks: list[Check]
    ratios: dict[str, float]


def measure(*, quick: bool) -> Result:
    """Measure every installed client in every setting."""
    loops = [False, True] if installed("uvloop") and not quick else [False]
    with serving() as url:
        results = [measure_setting(Setting(url, count, uvloop), quick=quick) for uvloop in loops for count in IN_FLIGHT]
    notes = [NOTE]
    if not quick and not installed("uvloop"):
        notes.append(f"uvloop: {NOT_INSTALLED}.")
    one, fifty = results[0].ratios, results[1].ratios
    return Result(
        title="Creating a chat (JSON)",
        tables=[result.table for result in results],
        checks=[check for result in results for check in result.checks],
        notes=notes,
        bars={name: (one[name], fifty[name]) for name in one},
    )


def measure_setting(setting: Setting, *, quick: bool) -> SettingResult:
    """Measure every installed client in one setting."""
    selected, skipped = select(RIVALS, quick=quick)
    pairs = setting.pairs([OURS], 60 if quick else 320)
    ratio = cpu_ratio(pairs[OURS])
    pairs |= setting.pairs(selected, 5 if quick else 40)
    gate = 1.25 if setting.uvloop else 1.15
    name = f"CPU of `chats.create` / hand-written aiohttp, {setting.name}"
    checks = [Check(name=name, value=ratio.median, budget=1.05, gate=gate)]
    rows = [_row(client, pairs[client]) for client in (OURS, *selected)]
    if OFFICIAL in selected and not setting.uvloop:
        official = cpu_ratio(setting.pairs([OURS], 60, baseline=OFFICIAL)[OURS])
        name = f"CPU of `chats.create` / linq-python on aiohttp, {setting.name}"
        checks.append(Check(name=name, value=official.median, budget=OFFICIAL_BUDGETS[setting.in_flight], gate=0.4))
        rows.append((f"linq_async / {OFFICIAL}, in pairs", str(official), "", "", ""))
    rows += skipped_rows(skipped, 1 + len(COLUMNS))
    ratios = {client: cpu_ratio(measured).median for client, measured in pairs.items()}
    return SettingResult(Table((setting.name, *COLUMNS), rows), checks, ratios)


def _row(client: str, pairs: list[Pair]) -> tuple[str, ...]:
    ours = median_of([pair.contender.cpu for pair in pairs])
    baseline = median_of([pair.baseline.cpu for pair in pairs])
    label = LABELS.get(client, client)
    return (label, str(cpu_ratio(pairs)), str(wall_ratio(pairs)), f"{1e6 * ours:.0f}", f"{1e6 * baseline:.0f}")


async def worker(url: str, baseline: str, contenders: list[str], **options: Any) -> dict[str, list[Pair]]:
    """Open every client, and compare them."""
    async with AsyncExitStack() as stack:
        baseline_call = await stack.enter_async_context(CONTENDERS[baseline](url))
        calls = {name: await stack.enter_async_context(CONTENDERS[name](url)) for name in contenders}
        return await compare(baseline_call, calls, **options)


def main(arguments: dict[str, Any]) -> None:
    """Run the worker on the requested event loop, and print its pairs as JSON."""
    if arguments.pop("uvloop"):
        loops: Any = import_module("uvloop")
        pairs: dict[str, list[Pair]] = loops.run(worker(**arguments))
    else:
        pairs = asyncio.run(worker(**arguments))
    print(json.dumps(to_json(pairs)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
