"""What an upload costs: a file of 20 kB, and one of 512 MiB."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.lag import Lag
from benchmarks.pairs import Pair, Spread, cpu_ratio, from_json, median_of, wall_ratio
from benchmarks.processes import run, serving
from benchmarks.results import Check, Found, Table
from benchmarks.rivals import absent_rows, choose
from benchmarks.upload_clients import BY_HAND

OURS = "linq_async"
RIVALS = ["openai", "openai, open file", "slack-sdk"]
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
class Bench:
    """The server and the files of one run."""

    url: str
    file: str
    small_file: str

    def run(self, task: str, contenders: list[str], rounds: int = 1) -> Any:
        """Do a task in a fresh process."""
        return run("upload_worker", task=task, contenders=contenders, rounds=rounds, **attrs.asdict(self))

    def pairs(self, task: str, there: list[str], ours: int, theirs: int) -> dict[str, list[Pair]]:
        """Measure ourselves, and fewer rounds of each rival."""
        found = from_json(self.run(task, [OURS], ours))
        for name in there:
            found |= from_json(self.run(task, [name], theirs))
        return found


def measure(*, quick: bool) -> Found:
    """Measure every client that is installed."""
    there, absent = choose(RIVALS, quick=quick)
    size = (64 if quick else 512) * MIB
    with _bench(size) as bench:
        small = _small(bench, there, absent, quick=quick)
        large, speed = _large(bench, size, there, absent, quick=quick)
        footprint, limits = _footprint(bench, there, absent, quick=quick)
    return Found(
        title=f"Creating a chat with a file of 20 kB, and of {size // MIB} MiB",
        tables=[small, large, footprint],
        checks=[speed, *limits],
        notes=[NOTE],
    )


@contextmanager
def _bench(size: int) -> Generator[Bench]:
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder, serving() as url:
        small, large = Path(folder, "small.pdf"), Path(folder, "large.bin")
        small.write_bytes(os.urandom(20_000))
        chunk = os.urandom(MIB)
        with large.open("wb") as file:
            for _ in range(size // MIB):
                file.write(chunk)
        yield Bench(url, str(large), str(small))


def _small(bench: Bench, there: list[str], absent: dict[str, str], *, quick: bool) -> Table:
    pairs = bench.pairs("small", there, *((6, 2) if quick else (30, 10)))
    rows = [
        (
            name,
            str(cpu_ratio(found)),
            str(wall_ratio(found)),
            f"{1e6 * median_of([p.contender.cpu for p in found]):.0f}",
        )
        for name, found in pairs.items()
    ]
    rows.append((BY_HAND, "1", "1", f"{1e6 * median_of([p.baseline.cpu for p in pairs[OURS]]):.0f}"))
    return Table(("20 kB", "CPU ratio", "wall ratio", "CPU µs"), [*rows, *absent_rows(absent, 4)])


def _large(bench: Bench, size: int, there: list[str], absent: dict[str, str], *, quick: bool) -> tuple[Table, Check]:
    pairs = bench.pairs("large", there, *((8, 1) if quick else (20, 3)))
    rates = {name: median_of([size / 1e6 / pair.contender.wall for pair in found]) for name, found in pairs.items()}
    rates[BY_HAND] = median_of([size / 1e6 / pair.baseline.wall for pair in pairs[OURS]])
    faster = {name: Spread.of([p.baseline.wall / p.contender.wall for p in found]) for name, found in pairs.items()}
    rows = [
        (name, f"{rates[name]:.0f}", str(faster[name]), str(cpu_ratio(found)), _cpu_rate(size, found))
        for name, found in pairs.items()
    ]
    beside = [Pair(pair.baseline, pair.baseline) for pair in pairs[OURS]]
    rows.append((BY_HAND, f"{rates[BY_HAND]:.0f}", "1", "1", _cpu_rate(size, beside)))
    head = (f"{size // MIB} MiB", "MB/s", "MB/s ratio", "CPU ratio", "MB per CPU second")
    what = f"MB/s of a {size // MIB} MiB file / aiohttp FormData"
    check = Check(what=what, found=faster[OURS].median, budget=1.0, gate=0.6, at_least=True)
    return Table(head, [*rows, *absent_rows(absent, 5)]), check


def _cpu_rate(size: int, pairs: list[Pair]) -> str:
    return f"{median_of([size / 1e6 / pair.contender.cpu for pair in pairs]):.0f}"


def _footprint(
    bench: Bench, there: list[str], absent: dict[str, str], *, quick: bool
) -> tuple[Table, tuple[Check, Check]]:
    names, runs = [OURS, BY_HAND, *there], 3
    grown = {name: max(bench.run("memory", [name]) / MIB for _ in range(1 if quick else 3)) for name in names}
    lags = {name: [Lag(**one) for one in bench.run("lag", [name], runs)] for name in names}
    lags["(idle)"] = [Lag(**one) for one in bench.run("lag", [], runs)]
    rows = [
        (
            name,
            f"{grown[name]:.1f}" if name in grown else "",
            _worst([lag.raw for lag in found]),
            _worst([lag.gated for lag in found]),
        )
        for name, found in lags.items()
    ]
    head = ("", "peak RSS growth, MiB", "worst loop lag, ms", "less the wait for a processor, ms")
    own = median_of([1e3 * lag.gated for lag in lags[OURS]])
    checks = (
        Check(what="peak RSS growth of a large upload", found=grown[OURS], budget=8, gate=16, unit="MiB"),
        Check(
            what=f"worst loop lag of large uploads, median of {runs} runs", found=own, budget=20, gate=100, unit="ms"
        ),
    )
    return Table(head, [*rows, *absent_rows(absent, 4)]), checks


def _worst(seconds: list[float]) -> str:
    return f"{1e3 * median_of(seconds):.1f} (most {1e3 * max(seconds):.1f})"
