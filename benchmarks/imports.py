"""What an import costs, in a fresh process each."""

from __future__ import annotations

import os
import random
import subprocess
import sys

from benchmarks.pairs import Spread, median_of
from benchmarks.processes import ROOT
from benchmarks.results import Check, Found, Table
from benchmarks.rivals import absent_rows, choose

BARE, USUAL, OURS = "pass", "import aiohttp", "from linq_async import LinqClient"
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


def measure(*, quick: bool) -> Found:
    """Measure every package that is installed."""
    there, absent = choose(list(RIVALS), quick=quick)
    rivals = [RIVALS[name] for name in there]
    found = turns([BARE, USUAL, OURS, WITH_CLIENT], 7 if quick else 25)
    beside = turns([BARE, USUAL, *rivals], 10) if rivals else {}
    own = {line: net_ratio(found, line) for line in (OURS, WITH_CLIENT)}
    ratios = {**own, **{line: net_ratio(beside, line) for line in rivals}}
    costs = {**beside, **found}
    rows = [(f"`{line}`", str(ratio), _net_ms(costs, line)) for line, ratio in ratios.items()]
    rows.append((f"`{USUAL}`", "1", _net_ms(found, USUAL)))
    missing = absent_rows({f"`{RIVALS[name]}`": why for name, why in absent.items()}, 3)
    return Found(
        title="Importing",
        tables=[Table(("", "CPU ratio", "CPU ms"), [*rows, *missing])],
        checks=[Check(what="import of linq_async / aiohttp", found=ratios[OURS].median, budget=1.30, gate=1.5)],
        notes=[NOTE],
    )


def turns(lines: list[str], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each line, run in fresh processes, in turns. The first turn caches bytecode."""
    found: dict[str, list[float]] = {line: [] for line in lines}
    for number in range(rounds + 1):
        for line in random.sample(lines, len(lines)):
            seconds = _cpu_of(line)
            if number:
                found[line].append(seconds)
    return found


def _cpu_of(line: str) -> float:
    """Run a line. Bytecode is written whatever the environment says: installed packages have theirs, too."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen([sys.executable, "-c", line], cwd=ROOT, env=settings)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line)
    return usage.ru_utime + usage.ru_stime


def net_ratio(found: dict[str, list[float]], line: str) -> Spread:
    """Return an import's cost as a multiple of the usual one's, the interpreter's own start taken off both."""
    start = median_of(found[BARE])
    pairs = zip(found[line], found[USUAL], strict=True)
    return Spread.of([(ours - start) / (usual - start) for ours, usual in pairs])


def _net_ms(found: dict[str, list[float]], line: str) -> str:
    return f"{1e3 * (median_of(found[line]) - median_of(found[BARE])):.0f}"
