"""Interleaved measurements: each block of a contender's calls is paired with a block of the baseline's.

The two blocks of a pair run in direct succession, in random order, so that other load on the machine affects both.
Each pair gives one ratio. The median of the ratios is reported, with the 10th and the 90th percentile.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

AsyncCall = Callable[[], Awaitable[object]]


@attrs.frozen
class Cost:
    """The cost of one call, in seconds of CPU time and of wall time."""

    cpu: float
    wall: float


@attrs.frozen
class Pair:
    """A block of the contender, and its block of the baseline."""

    contender: Cost
    baseline: Cost


@attrs.frozen
class Block:
    """A number of calls that are measured together."""

    call: AsyncCall
    count: int


@attrs.frozen
class Spread:
    """The median of some values, and the range of the middle 80 %."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of values. A single value is its own range."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        tenths = statistics.quantiles(values, n=10, method="inclusive")
        return cls(statistics.median(values), tenths[0], tenths[-1])

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def cpu_seconds() -> float:
    """Return the user and system CPU time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run_block(call: AsyncCall, count: int, in_flight: int) -> Cost:
    """Make ``count`` calls, ``in_flight`` at a time, and return the cost of one."""
    turns = iter(range(count))

    async def caller() -> None:
        for _ in turns:
            await call()

    cpu, wall = cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return Cost((cpu_seconds() - cpu) / count, (time.perf_counter() - wall) / count)


async def calibrate(call: AsyncCall, seconds: float, in_flight: int) -> int:
    """Warm up a call, and return the number of calls that take about this many seconds."""
    for count in (20, 60):
        cost = await run_block(call, max(count, 2 * in_flight), in_flight)
    return max(round(seconds / cost.wall), 2 * in_flight)


async def compare(
    baseline: AsyncCall, contenders: dict[str, AsyncCall], *, rounds: int, seconds: float, in_flight: int
) -> dict[str, list[Pair]]:
    """Return the pairs of each contender with the baseline. Each block takes about ``seconds``."""
    baseline_block = Block(baseline, await calibrate(baseline, seconds, in_flight))
    blocks = {name: Block(call, await calibrate(call, seconds, in_flight)) for name, call in contenders.items()}
    return await compare_blocks(baseline_block, blocks, rounds=rounds, in_flight=in_flight)


async def compare_blocks(
    baseline: Block, contenders: dict[str, Block], *, rounds: int, in_flight: int = 1
) -> dict[str, list[Pair]]:
    """Return the pairs of each contender with the baseline. The blocks are given, and nothing is warmed up."""
    pairs: dict[str, list[Pair]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in random.sample(list(contenders), len(contenders)):
            costs: dict[bool, Cost] = {}
            for is_contender in random.sample((True, False), 2):
                block = contenders[name] if is_contender else baseline
                costs[is_contender] = await run_block(block.call, block.count, in_flight)
            pairs[name].append(Pair(costs[True], costs[False]))
    return pairs


def compare_sync(
    baseline: Callable[[], object], contenders: dict[str, Callable[[], object]], *, rounds: int, seconds: float
) -> dict[str, list[Pair]]:
    """Return the pairs of each synchronous contender with the baseline."""
    pairs: dict[str, list[Pair]] = {name: [] for name in contenders}
    counts = {name: _calibrate_sync(call, seconds) for name, call in contenders.items()}
    baseline_count = _calibrate_sync(baseline, seconds)
    for _, name in itertools.product(range(rounds), contenders):
        costs: dict[bool, Cost] = {}
        for is_contender in random.sample((True, False), 2):
            call, count = (contenders[name], counts[name]) if is_contender else (baseline, baseline_count)
            costs[is_contender] = _run_sync(call, count)
        pairs[name].append(Pair(costs[True], costs[False]))
    return pairs


def _run_sync(call: Callable[[], object], count: int) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        call()
    return Cost((time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)


def _calibrate_sync(call: Callable[[], object], seconds: float) -> int:
    _run_sync(call, 20)
    return max(round(seconds / _run_sync(call, 100).wall), 20)


def cpu_ratio(pairs: Sequence[Pair]) -> Spread:
    """Return the CPU time of the contender as a multiple of the baseline's."""
    return Spread.of([pair.contender.cpu / pair.baseline.cpu for pair in pairs])


def wall_ratio(pairs: Sequence[Pair]) -> Spread:
    """Return the wall time of the contender as a multiple of the baseline's."""
    return Spread.of([pair.contender.wall / pair.baseline.wall for pair in pairs])


def to_json(pairs: dict[str, list[Pair]]) -> dict[str, Any]:
    """Return pairs as JSON values, which a worker prints."""
    return {name: [attrs.asdict(pair) for pair in of_name] for name, of_name in pairs.items()}


def from_json(value: dict[str, Any]) -> dict[str, list[Pair]]:
    """Return the pairs that a worker printed as JSON values."""
    return {
        name: [Pair(Cost(**pair["contender"]), Cost(**pair["baseline"])) for pair in pairs]
        for name, pairs in value.items()
    }


def median_of(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
