"""The results as Markdown and as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Check, Result, Table, format_value

HEAD = """# Benchmarks

Written by `python -m benchmarks`; see `pip install -e ".[dev,bench]"` for the rivals. Servers run in processes of their
own on loopback. **Read the ratios**: each is the median of pairs that ran one right after the other, with the range of
the middle 80 % in brackets; times alone say how busy the machine was.
"""
CHART = "\n![CPU per create, as a multiple of the hand-written aiohttp call](results.svg)\n"


def page(results: Sequence[Result], machine: str) -> str:
    """Return the content of RESULTS.md."""
    checks = [check for result in results for check in result.checks]
    parts = [HEAD, machine, CHART, "## Budgets\n", markdown(budgets(checks)), *(section(result) for result in results)]
    return "\n".join(parts).rstrip() + "\n"


def budgets(checks: Sequence[Check]) -> Table:
    """Return a table of budgets and measured values."""
    rows = [
        (
            check.name,
            f"{'≥' if check.higher_is_better else '≤'} {format_value(check.budget, check.unit)}",
            check.measured,
            check.verdict,
        )
        for check in checks
    ]
    return Table(("what", "budget", "measured", "verdict"), rows)


def section(result: Result) -> str:
    """Return the section of one benchmark."""
    parts = [f"\n## {result.title}\n", *(f"{note}\n" for note in result.notes)]
    return "\n".join([*parts, *(markdown(table) for table in result.tables)])


def markdown(table: Table) -> str:
    """Return a table as Markdown, with all columns but the first aligned right."""
    rules = ["---", *["---:"] * (len(table.head) - 1)]
    rows = [table.head, rules, *table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def plain(table: Table) -> str:
    """Return a table as plain text."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line}".rstrip() for line in lines)
