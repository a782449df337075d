"""A long run with faults: the resources that the client holds must not grow."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

import attrs
import psutil  # type: ignore[import-untyped]  # it has no stubs

from benchmarks.examples import API_PATH, CREATE
from benchmarks.processes import run, serving
from benchmarks.results import Check, Result, Table
from linq_async import LinqClient, LinqError, RetryPolicy

MAX_GROWTH = 1.02
FAULTS = 0.02
LEGS = 10
IN_FLIGHT = 50
RETRY = RetryPolicy(max_attempts=6, initial_delay=0.01, max_delay=0.05)
RESOURCES = {"rss": "RSS, MiB", "descriptors": "descriptors", "tasks": "tasks", "timers": "timers"}
NOTE = (
    "Answers of 503 and dropped connections, in equal parts, made {retries:,} retries. Counted between the calls, with "
    "the pool filled: connections that faults have closed are opened again first."
)


@attrs.frozen
class Resources:
    """The resources that a process holds."""

    rss: int
    descriptors: int
    tasks: int
    timers: int


@attrs.define
class Tally:
    """The failures and retries of all calls."""

    failed: int = 0
    retries: int = 0


def measure(*, quick: bool) -> Result:
    """Run one client for a long time."""
    calls = 5_000 if quick else 100_000
    with serving(faults=FAULTS) as url:
        measured = run("soak", url=url, calls=calls, legs=LEGS)
    warm, *later = measured["resources"]
    growth = {name: max_growth(warm[name], [one[name] for one in later]) for name in RESOURCES}
    rows = [
        (label, _format(name, warm[name]), _format(name, later[-1][name]), f"{growth[name]:.3f}")
        for name, label in RESOURCES.items()
    ]
    checks = [
        Check(
            name=f"growth of {label.partition(',')[0]} in {calls:,} calls",
            value=growth[name],
            budget=MAX_GROWTH,
            gate=MAX_GROWTH,
            deterministic=name != "rss",
        )
        for name, label in RESOURCES.items()
    ]
    failures = Check(
        name=f"failures among {calls:,} calls with {FAULTS:.0%} faults",
        value=measured["failed"],
        budget=0,
        gate=0,
        unit="calls",
        deterministic=True,
    )
    return Result(
        title=f"{calls:,} creates with {FAULTS:.0%} faults on one client",
        tables=[Table(("", "after a tenth", "at the end", "most / after a tenth"), rows)],
        checks=[*checks, failures],
        notes=[NOTE.format(retries=measured["retries"])],
    )


def max_growth(warm: float, later: list[float]) -> float:
    """Return the maximum held later, as a multiple of what was held after the first leg."""
    return max(later) / warm if warm else 1.0 + max(later)


def _format(name: str, value: int) -> str:
    return f"{value / (1 << 20):.1f}" if name == "rss" else str(value)


async def run_leg(linq: LinqClient, count: int, tally: Tally) -> None:
    """Make ``count`` creates, 50 at a time."""
    turns = iter(range(count))

    async def caller() -> None:
        for _ in turns:
            try:
                chat = await linq.chats.create(**CREATE)
                tally.retries += chat.attempts - 1  # after the await: += would restore the sum from before it
            except LinqError:
                tally.failed += 1

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))


async def count_resources(linq: LinqClient) -> Resources:
    """Fill the pool, from which faults removed connections, and count what the process holds."""
    await asyncio.gather(*(linq.request("GET", f"{API_PATH}/chats") for _ in range(IN_FLIGHT)))
    gc.collect()
    process = psutil.Process()
    loop: Any = asyncio.get_running_loop()
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # noqa: SLF001
    return Resources(process.memory_info().rss, process.num_fds(), len(asyncio.all_tasks()), len(timers))


async def worker(url: str, calls: int, legs: int) -> dict[str, object]:
    """Run the legs, of which the first warms up. Return the tally, and the resources after each leg."""
    resources: list[dict[str, Any]] = []
    tally = Tally()
    async with LinqClient("token", base_url=url, retry=RETRY) as linq:
        for _ in range(legs):
            await run_leg(linq, calls // legs, tally)
            resources.append(attrs.asdict(await count_resources(linq)))
    return {**attrs.asdict(tally), "resources": resources}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(worker(**json.loads(sys.argv[1])))))
