"""The cost of imports, each in a new process."""

from __future__ import annotations

import os
import random
import subprocess
import sys

from benchmarks.pairs import Spread, median_of
from benchmarks.processes import ROOT
from benchmarks.results import Check, Result, Table
from benchmarks.rivals import select, skipped_rows

BARE, BASELINE, OURS = "pass", "import aiohttp", "from linq_async import LinqClient"
WITH_CLIENT = f"{OURS}; LinqClient('token')"
NOTE = (
    "CPU time of a fresh process, net of the interpreter's own start; bytecode is cached before. The first client "
    "loads what its calls will need (cattrs, tenacity), so that none of them waits for it."
)
RIVALS = {
    "linq-python": "import linq",
    "stripe": "import stripe",
    "slack-sdk": "import slack_sdk",
}


def measure(*, quick: bool) -> Result:
    """Measure every installed package."""
    selected, skipped = select(list(RIVALS), quick=quick)
    rivals = [RIVALS[name] for name in selected]
    ours = interleaved([BARE, BASELINE, OURS, WITH_CLIENT], 7 if quick else 25)
    theirs = interleaved([BARE, BASELINE, *rivals], 10) if rivals else {}
    ratios = {line: net_ratio(ours, line) for line in (OURS, WITH_CLIENT)}
    ratios |= {line: net_ratio(theirs, line) for line in rivals}
    seconds = {**theirs, **ours}
    rows = [(f"`{line}`", str(ratio), _net_ms(seconds, line)) for line, ratio in ratios.items()]
    rows.append((f"`{BASELINE}`", "1", _net_ms(ours, BASELINE)))
    missing = skipped_rows({f"`{RIVALS[name]}`": reason for name, reason in skipped.items()}, 3)
    return Result(
        title="Importing",
        tables=[Table(("", "CPU ratio", "CPU ms"), [*rows, *missing])],
        checks=[Check(name="import of linq_async / aiohttp", value=ratios[OURS].median, budget=1.30, gate=1.5)],
        notes=[NOTE],
    )


def interleaved(lines: list[str], rounds: int) -> dict[str, list[float]]:
    """Run each line of code in new processes, in random order. Return the CPU seconds of all rounds but the first."""
    seconds: dict[str, list[float]] = {line: [] for line in lines}
    for number in range(rounds + 1):
        for line in random.sample(lines, len(lines)):
            taken = cpu_seconds_of(line)
            if number:  # the first round writes the bytecode
                seconds[line].append(taken)
    return seconds


def cpu_seconds_of(line: str) -> float:
    """Return the CPU seconds of a process that runs a line of code. It may write bytecode, as an installer does."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen([sys.executable, "-c", line], cwd=ROOT, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line)
    return usage.ru_utime + usage.ru_stime


def net_ratio(seconds: dict[str, list[float]], line: str) -> Spread:
    """Return the cost of an import as a multiple of the baseline's, each without the start of the interpreter."""
    start = median_of(seconds[BARE])
    pairs = zip(seconds[line], seconds[BASELINE], strict=True)
    return Spread.of([(ours - start) / (baseline - start) for ours, baseline in pairs])


def _net_ms(seconds: dict[str, list[float]], line: str) -> str:
    return f"{1e3 * (median_of(seconds[line]) - median_of(seconds[BARE])):.0f}"
