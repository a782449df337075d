"""The findings as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Check, Found, Table, spelled

HEAD = """# Benchmarks

Written by `python -m benchmarks`; see `pip install -e ".[dev,bench]"` for the rivals. Servers run in processes of their
own on loopback. **Read the ratios**: each is the median of pairs that ran one right after the other, with the range of
the middle 80 % in brackets; times alone say how busy the machine was.
"""
CHART = "\n![CPU per create, as a multiple of the hand-written aiohttp call](results.svg)\n"


def page(found: Sequence[Found], machine: str) -> str:
    """Return the whole of RESULTS.md."""
    checks = [check for one in found for check in one.checks]
    parts = [HEAD, machine, CHART, "## Budgets\n", markdown(budgets(checks)), *(section(one) for one in found)]
    return "\n".join(parts).rstrip() + "\n"


def budgets(checks: Sequence[Check]) -> Table:
    """Return what was promised beside what was measured."""
    rows = [
        (
            check.what,
            f"{'≥' if check.at_least else '≤'} {spelled(check.budget, check.unit)}",
            check.measured,
            check.verdict,
        )
        for check in checks
    ]
    return Table(("what", "budget", "measured", "verdict"), rows)


def section(found: Found) -> str:
    """Return one group's tables and notes."""
    parts = [f"\n## {found.title}\n", *(f"{note}\n" for note in found.notes)]
    return "\n".join([*parts, *(markdown(table) for table in found.tables)])


def markdown(table: Table) -> str:
    """Return a table as Markdown; what comes after the first column is set to the right."""
    rules = ["---", *["---:"] * (len(table.head) - 1)]
    rows = [table.head, rules, *table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def plain(table: Table) -> str:
    """Return a table for a terminal."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line}".rstrip() for line in lines)
