"""The cost of an upload: a file of 20 kB, and one of 512 MiB."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.lag import Lag, measure_lag
from benchmarks.pairs import (
    Block,
    Pair,
    Spread,
    compare,
    compare_blocks,
    cpu_ratio,
    from_json,
    median_of,
    to_json,
    wall_ratio,
)
from benchmarks.peak import peak, reset_peak
from benchmarks.processes import run, serving
from benchmarks.results import Check, Result, Table
from benchmarks.rivals import select, skipped_rows
from benchmarks.upload_clients import BASELINE, CONTENDERS

OURS = "linq_async"
RIVALS = ["openai", "openai, open file", "slack-sdk"]
LAG_RUNS = 3
MIB = 1 << 20
NOTE = (
    "Ratios to aiohttp's own `FormData` with an open file, in pairs. Memory and lag: each in a fresh process, after a "
    "first upload. Memory is the growth of the peak RSS, the worst of the runs. Lag is the worst delay of a task that "
    "ticks every millisecond: the median of some runs, and the most. Where Linux counts it, the last column leaves out "
    "the time that the thread was ready to run and had no processor; idle shows what the machine itself takes. openai "
    "is given a path, as we are, and in a row of its own an open file, which it reads bit by bit; slack-sdk is given a "
    "path and makes three calls."
)


@attrs.frozen
class Setup:
    """The server, and the files to upload."""

    url: str
    file: str
    small_file: str

    def run(self, task: str, contenders: list[str], rounds: int = 1) -> Any:
        """Run a task of the worker in a process of its own."""
        return run("upload", task=task, contenders=contenders, rounds=rounds, **attrs.asdict(self))

    def pairs(self, task: str, rivals: list[str], our_rounds: int, rival_rounds: int) -> dict[str, list[Pair]]:
        """Compare this package and each rival with the baseline."""
        pairs = from_json(self.run(task, [OURS], our_rounds))
        for name in rivals:
            pairs |= from_json(self.run(task, [name], rival_rounds))
        return pairs


def measure(*, quick: bool) -> Result:
    """Measure every installed client."""
    rivals, skipped = select(RIVALS, quick=quick)
    size = (64 if quick else 512) * MIB
    with _setup(size) as setup:
        small = _small(setup, rivals, skipped, quick=quick)
        large, speed = _large(setup, size, rivals, skipped, quick=quick)
        footprint, limits = _footprint(setup, rivals, skipped, quick=quick)
    return Result(
        title=f"Creating a chat with a file of 20 kB, and of {size // MIB} MiB",
        tables=[small, large, footprint],
        checks=[speed, *limits],
        notes=[NOTE],
    )


@contextmanager
def _setup(size: int) -> Generator[Setup]:
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder, serving() as url:
        small, large = Path(folder, "small.pdf"), Path(folder, "large.bin")
        small.write_bytes(os.urandom(20_000))
        chunk = os.urandom(MIB)
        with large.open("wb") as file:
            for _ in range(size // MIB):
                file.write(chunk)
        yield Setup(url, str(large), str(small))


def _small(setup: Setup, rivals: list[str], skipped: dict[str, str], *, quick: bool) -> Table:
    pairs = setup.pairs("small", rivals, *((6, 2) if quick else (30, 10)))
    rows = [
        (
            name,
            str(cpu_ratio(measured)),
            str(wall_ratio(measured)),
            f"{1e6 * median_of([pair.contender.cpu for pair in measured]):.0f}",
        )
        for name, measured in pairs.items()
    ]
    rows.append((BASELINE, "1", "1", f"{1e6 * median_of([pair.baseline.cpu for pair in pairs[OURS]]):.0f}"))
    return Table(("20 kB", "CPU ratio", "wall ratio", "CPU µs"), [*rows, *skipped_rows(skipped, 4)])


def _large(setup: Setup, size: int, rivals: list[str], skipped: dict[str, str], *, quick: bool) -> tuple[Table, Check]:
    pairs = setup.pairs("large", rivals, *((8, 1) if quick else (20, 3)))
    rates = {
        name: median_of([size / 1e6 / pair.contender.wall for pair in measured]) for name, measured in pairs.items()
    }
    rates[BASELINE] = median_of([size / 1e6 / pair.baseline.wall for pair in pairs[OURS]])
    speedups = {
        name: Spread.of([pair.baseline.wall / pair.contender.wall for pair in measured])
        for name, measured in pairs.items()
    }
    rows = [
        (name, f"{rates[name]:.0f}", str(speedups[name]), str(cpu_ratio(measured)), _cpu_rate(size, measured))
        for name, measured in pairs.items()
    ]
    baseline = [Pair(pair.baseline, pair.baseline) for pair in pairs[OURS]]
    rows.append((BASELINE, f"{rates[BASELINE]:.0f}", "1", "1", _cpu_rate(size, baseline)))
    head = (f"{size // MIB} MiB", "MB/s", "MB/s ratio", "CPU ratio", "MB per CPU second")
    name = f"MB/s of a {size // MIB} MiB file / aiohttp FormData"
    check = Check(name=name, value=speedups[OURS].median, budget=1.0, gate=0.6, higher_is_better=True)
    return Table(head, [*rows, *skipped_rows(skipped, 5)]), check


def _cpu_rate(size: int, pairs: list[Pair]) -> str:
    return f"{median_of([size / 1e6 / pair.contender.cpu for pair in pairs]):.0f}"


def _footprint(
    setup: Setup, rivals: list[str], skipped: dict[str, str], *, quick: bool
) -> tuple[Table, tuple[Check, Check]]:
    names = [OURS, BASELINE, *rivals]
    growth = {name: max(setup.run("memory", [name]) / MIB for _ in range(1 if quick else 3)) for name in names}
    lags = {name: [Lag(**one) for one in setup.run("lag", [name], LAG_RUNS)] for name in names}
    lags["(idle)"] = [Lag(**one) for one in setup.run("lag", [], LAG_RUNS)]
    rows = [
        (
            name,
            f"{growth[name]:.1f}" if name in growth else "",
            _median_and_max([lag.raw for lag in measured]),
            _median_and_max([lag.gated for lag in measured]),
        )
        for name, measured in lags.items()
    ]
    head = ("", "peak RSS growth, MiB", "worst loop lag, ms", "less the wait for a processor, ms")
    checks = (
        Check(name="peak RSS growth of a large upload", value=growth[OURS], budget=8, gate=16, unit="MiB"),
        Check(
            name=f"worst loop lag of large uploads, median of {LAG_RUNS} runs",
            value=median_of([1e3 * lag.gated for lag in lags[OURS]]),
            budget=20,
            gate=100,
            unit="ms",
        ),
    )
    return Table(head, [*rows, *skipped_rows(skipped, 4)]), checks


def _median_and_max(seconds: list[float]) -> str:
    return f"{1e3 * median_of(seconds):.1f} (most {1e3 * max(seconds):.1f})"


@attrs.frozen(kw_only=True)
class Plan:
    """The arguments of a worker process."""

    task: str
    url: str
    file: str
    small_file: str
    contenders: list[str]
    rounds: int


async def compare_small(plan: Plan) -> Any:
    """Compare many uploads of the small file."""
    async with AsyncExitStack() as stack:
        baseline, *others = [
            await stack.enter_async_context(CONTENDERS[name](plan.url, Path(plan.small_file)))
            for name in (BASELINE, *plan.contenders)
        ]
        calls = dict(zip(plan.contenders, others, strict=True))
        return to_json(await compare(baseline, calls, rounds=plan.rounds, seconds=0.08, in_flight=1))


async def compare_large(plan: Plan) -> Any:
    """Compare single uploads of the large file, after one to warm up."""
    async with AsyncExitStack() as stack:
        baseline, *others = [
            Block(await stack.enter_async_context(CONTENDERS[name](plan.url, Path(plan.file))), 1)
            for name in (BASELINE, *plan.contenders)
        ]
        for block in (baseline, *others):
            await block.call()
        blocks = dict(zip(plan.contenders, others, strict=True))
        return to_json(await compare_blocks(baseline, blocks, rounds=plan.rounds))


async def memory(plan: Plan) -> Any:
    """Return the growth of the peak RSS by one large upload, in bytes, after a small upload loaded all modules."""
    (name,) = plan.contenders
    async with CONTENDERS[name](plan.url, Path(plan.small_file)) as upload:
        await upload()
    async with CONTENDERS[name](plan.url, Path(plan.file)) as upload:
        before = reset_peak()
        await upload()
        return peak() - before


async def lag(plan: Plan) -> Any:
    """Return the worst lag of each run of three large uploads, or of an idle loop without contenders."""
    async with AsyncExitStack() as stack:
        upload: Callable[[], Any] = lambda: asyncio.sleep(0.3)  # noqa: E731
        if plan.contenders:
            (name,) = plan.contenders
            upload = await stack.enter_async_context(CONTENDERS[name](plan.url, Path(plan.file)))
        await upload()
        lags: list[dict[str, Any]] = []
        for _ in range(plan.rounds):
            async with measure_lag() as measured:
                for _ in range(3):
                    await upload()
            lags.append(attrs.asdict(measured))
        return lags


TASKS: dict[str, Callable[[Plan], Coroutine[Any, Any, Any]]] = {
    "small": compare_small,
    "large": compare_large,
    "memory": memory,
    "lag": lag,
}

if __name__ == "__main__":
    plan = Plan(**json.loads(sys.argv[1]))
    print(json.dumps(asyncio.run(TASKS[plan.task](plan))))
