"""Pairs that take turns: each block of a contender's calls runs beside a block of the baseline's.

The two blocks of a pair run one right after the other, in random order, so that whatever else the machine does
falls on both. A pair gives one ratio; the median of the ratios is reported, with the 10th and the 90th percentile.
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
    """What one call took, in seconds: of the process's CPU, and by the clock."""

    cpu: float
    wall: float


@attrs.frozen
class Pair:
    """A block of the contender, and the block of the baseline beside it."""

    contender: Cost
    baseline: Cost


@attrs.frozen
class Turn:
    """A call, and how many of it make a block."""

    call: AsyncCall
    count: int


@attrs.frozen
class Spread:
    """The median of some figures, and the range that holds four fifths of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Sum up figures; of one alone, the range is that one."""
        if len(figures) < 2:
            return cls(figures[0], figures[0], figures[0])
        tenths = statistics.quantiles(figures, n=10, method="inclusive")
        return cls(statistics.median(figures), tenths[0], tenths[-1])

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def cpu_seconds() -> float:
    """Return the CPU time that this process has used, the kernel's on its behalf included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def block(call: AsyncCall, count: int, in_flight: int) -> Cost:
    """Make so many calls, so many at once, and return what one of them took."""
    turns = iter(range(count))

    async def caller() -> None:
        for _ in turns:
            await call()

    cpu, wall = cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return Cost((cpu_seconds() - cpu) / count, (time.perf_counter() - wall) / count)


async def calls_for(call: AsyncCall, seconds: float, in_flight: int) -> int:
    """Warm a call up, and return how many of it fill a block of so many seconds."""
    for count in (20, 60):
        cost = await block(call, max(count, 2 * in_flight), in_flight)
    return max(round(seconds / cost.wall), 2 * in_flight)


async def take_turns(
    baseline: AsyncCall, contenders: dict[str, AsyncCall], *, rounds: int, seconds: float, in_flight: int
) -> dict[str, list[Pair]]:
    """Return the pairs of each contender with the baseline. A block lasts about so many seconds."""
    usual = Turn(baseline, await calls_for(baseline, seconds, in_flight))
    turns = {name: Turn(call, await calls_for(call, seconds, in_flight)) for name, call in contenders.items()}
    return await take_blocks(usual, turns, rounds=rounds, in_flight=in_flight)


async def take_blocks(usual: Turn, turns: dict[str, Turn], *, rounds: int, in_flight: int = 1) -> dict[str, list[Pair]]:
    """Do the same with blocks of given lengths, and no warming up."""
    pairs: dict[str, list[Pair]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name in random.sample(list(turns), len(turns)):
            found: dict[bool, Cost] = {}
            for ours in random.sample((True, False), 2):
                turn = turns[name] if ours else usual
                found[ours] = await block(turn.call, turn.count, in_flight)
            pairs[name].append(Pair(found[True], found[False]))
    return pairs


def take_turns_blocking(
    baseline: Callable[[], object], contenders: dict[str, Callable[[], object]], *, rounds: int, seconds: float
) -> dict[str, list[Pair]]:
    """Do the same with functions that do not await."""
    pairs: dict[str, list[Pair]] = {name: [] for name in contenders}
    counts = {name: _count(call, seconds) for name, call in contenders.items()}
    usual = _count(baseline, seconds)
    for _, name in itertools.product(range(rounds), contenders):
        found: dict[bool, Cost] = {}
        for ours in random.sample((True, False), 2):
            call, count = (contenders[name], counts[name]) if ours else (baseline, usual)
            found[ours] = _run(call, count)
        pairs[name].append(Pair(found[True], found[False]))
    return pairs


def _run(call: Callable[[], object], count: int) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        call()
    return Cost((time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)


def _count(call: Callable[[], object], seconds: float) -> int:
    _run(call, 20)
    return max(round(seconds / _run(call, 100).wall), 20)


def cpu_ratio(pairs: Sequence[Pair]) -> Spread:
    """Return the contender's CPU time as a multiple of the baseline's."""
    return Spread.of([pair.contender.cpu / pair.baseline.cpu for pair in pairs])


def wall_ratio(pairs: Sequence[Pair]) -> Spread:
    """Return the contender's wall time as a multiple of the baseline's."""
    return Spread.of([pair.contender.wall / pair.baseline.wall for pair in pairs])


def to_json(found: dict[str, list[Pair]]) -> dict[str, Any]:
    """Return pairs as a worker prints them."""
    return {name: [attrs.asdict(pair) for pair in pairs] for name, pairs in found.items()}


def from_json(found: dict[str, Any]) -> dict[str, list[Pair]]:
    """Return the pairs that a worker printed."""
    return {
        name: [Pair(Cost(**pair["contender"]), Cost(**pair["baseline"])) for pair in pairs]
        for name, pairs in found.items()
    }


def median_of(figures: Sequence[float]) -> float:
    """Return the median alone."""
    return statistics.median(figures)
