"""Run the benchmarks, print the results, and check the gates. A full run writes RESULTS.md and results.svg."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks import bulk, burst, create, decode, events, hostile, imports, queue, soak, upload
from benchmarks.chart import svg
from benchmarks.machine import description, load_average, packages, platform
from benchmarks.report import budgets, page, plain
from benchmarks.results import Result

HERE = Path(__file__).parent
EPILOG = "A full run takes about 20 minutes. Rivals are measured if they are installed: pip install -e '.[dev,bench]'."


class Measure(Protocol):
    """A benchmark."""

    def __call__(self, *, quick: bool) -> Result:
        """Run the benchmark."""
        ...


BENCHMARKS: dict[str, Measure] = {
    "create": create.measure,
    "upload": upload.measure,
    "burst": burst.measure,
    "bulk": bulk.measure,
    "queue": queue.measure,
    "decode": decode.measure,
    "events": events.measure,
    "import": imports.measure,
    "hostile": hostile.measure,
    "soak": soak.measure,
}


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=EPILOG)
    parser.add_argument("--quick", action="store_true", help="one to two minutes, with small files; writes no results")
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}"
    )
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md even after a quick run, or if rivals are missing"
    )
    arguments = parser.parse_args(argv)
    if arguments.write and arguments.only:
        parser.error("--write needs all benchmarks: omit --only")
    return arguments


def measure_with_retry(measure: Measure, *, quick: bool, show: Callable[[str], None] = print) -> Result:
    """Run a benchmark. Run it a second time if a gate fails that a busy machine may have failed."""
    result = measure(quick=quick)
    if result.failures and not any(check.deterministic and check.fails for check in result.checks):
        show(f"  measured again, because of: {'; '.join(result.failures)}")
        result = measure(quick=quick)
    return result


def run(names: list[str], *, quick: bool) -> list[Result]:
    """Run benchmarks, and print their results."""
    results: list[Result] = []
    for name in names:
        start = time.perf_counter()
        result = measure_with_retry(BENCHMARKS[name], quick=quick)
        print(f"\n{result.title}  [{name}, {time.perf_counter() - start:.0f} s]")
        print("\n\n".join(plain(table) for table in result.tables), flush=True)
        results.append(result)
    return results


def main() -> int:
    """Run the selected benchmarks. Return 1 if a gate fails, else 0."""
    arguments = parse_arguments()
    before = load_average()
    print(f"{platform()}. {packages()}.", flush=True)
    results = run(arguments.only or list(BENCHMARKS), quick=arguments.quick)
    print(f"\n{plain(budgets([check for result in results for check in result.checks]))}")
    if not arguments.quick and not arguments.write and any(result.incomplete for result in results):
        print("\nRESULTS.md is unchanged, because not every rival is installed. --write writes it anyway.")
    elif not arguments.only and (arguments.write or not arguments.quick):
        machine = description((before, load_average()))
        (HERE / "RESULTS.md").write_text(page(results, machine), encoding="utf-8")
        bars = {name: ratios for result in results for name, ratios in result.bars.items()}
        (HERE / "results.svg").write_text(svg(bars), encoding="utf-8")
    failures = [line for result in results for line in result.failures]
    if failures:
        print("\n".join(failures), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
