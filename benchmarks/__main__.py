"""Measure, print, hold the gates; and write RESULTS.md and results.svg after a full run."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks import burst, create, decode, hostile, imports, soak, upload
from benchmarks.chart import svg
from benchmarks.machine import description, load_average, packages, platform
from benchmarks.report import budgets, page, plain
from benchmarks.results import Found

HERE = Path(__file__).parent
EPILOG = (
    "A full run takes some 12 minutes. Rivals are measured where they are installed: pip install -e '.[dev,bench]'."
)


class Measure(Protocol):
    """A group of measurements."""

    def __call__(self, *, quick: bool) -> Found:
        """Measure."""
        ...


GROUPS: dict[str, Measure] = {
    "create": create.measure,
    "upload": upload.measure,
    "burst": burst.measure,
    "decode": decode.measure,
    "import": imports.measure,
    "hostile": hostile.measure,
    "soak": soak.measure,
}


def options(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=EPILOG)
    parser.add_argument("--quick", action="store_true", help="under a minute, on small files; writes nothing by itself")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="NAME", help=f"one of {', '.join(GROUPS)}")
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md after a quick run, or without every rival, too"
    )
    chosen = parser.parse_args(words)
    if chosen.write and chosen.only:
        parser.error("--write needs every group: leave --only out")
    return chosen


def measured(measure: Measure, *, quick: bool, say: Callable[[str], None] = print) -> Found:
    """Measure a group; where a gate is broken that a busy machine may have broken, once more."""
    found = measure(quick=quick)
    if found.complaints and not any(check.exact and check.broken for check in found.checks):
        say(f"  measured again, for: {'; '.join(found.complaints)}")
        found = measure(quick=quick)
    return found


def run(names: list[str], *, quick: bool) -> list[Found]:
    """Run groups and print what each found."""
    all_found: list[Found] = []
    for name in names:
        begun = time.perf_counter()
        found = measured(GROUPS[name], quick=quick)
        print(f"\n{found.title}  [{name}, {time.perf_counter() - begun:.0f} s]")
        print("\n\n".join(plain(table) for table in found.tables), flush=True)
        all_found.append(found)
    return all_found


def main() -> int:
    """Return the exit status: 1 where a gate is broken."""
    chosen = options()
    before = load_average()
    print(f"{platform()}. {packages()}.", flush=True)
    found = run(chosen.only or list(GROUPS), quick=chosen.quick)
    print(f"\n{plain(budgets([check for one in found for check in one.checks]))}")
    if not chosen.quick and not chosen.write and any(one.absent for one in found):
        print("\nRESULTS.md is left as it is: not every rival is installed. --write writes it all the same.")
    elif not chosen.only and (chosen.write or not chosen.quick):
        machine = description((before, load_average()))
        (HERE / "RESULTS.md").write_text(page(found, machine), encoding="utf-8")
        bars = {name: ratios for one in found for name, ratios in one.bars.items()}
        (HERE / "results.svg").write_text(svg(bars), encoding="utf-8")
    complaints = [line for one in found for line in one.complaints]
    if complaints:
        print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
