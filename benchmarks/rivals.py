"""Which of the others are installed. None is needed: what is missing is reported as not installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.results import NOT_INSTALLED

LEFT_OUT = "not in a quick run"
SLOW = frozenset({"linq-python", "linq-python[aiohttp]", "openai", "openai, open file", "slack-sdk", "stripe"})

NEEDS: dict[str, tuple[str, ...]] = {
    "httpx": ("httpx",),
    "linq-python": ("linq",),
    "linq-python[aiohttp]": ("linq", "httpx_aiohttp"),
    "msgspec": ("msgspec",),
    "openai": ("openai",),
    "openai, open file": ("openai",),
    "pydantic v2": ("pydantic",),
    "slack-sdk": ("slack_sdk",),
    "stripe": ("stripe",),
    "uvloop": ("uvloop",),
}
"""The modules that each of them needs. Whoever is not named here is always there."""


def installed(name: str) -> bool:
    """Tell whether a contender can run."""
    return all(find_spec(module) is not None for module in NEEDS.get(name, ()))


def choose(names: Sequence[str], *, quick: bool) -> tuple[list[str], dict[str, str]]:
    """Return those that run, and why the others do not. A quick run has no time for the SDKs."""
    absent = {name: NOT_INSTALLED for name in names if not installed(name)}
    if quick:
        absent |= {name: LEFT_OUT for name in names if name in SLOW and name not in absent}
    return [name for name in names if name not in absent], absent


def absent_rows(absent: dict[str, str], columns: int) -> list[tuple[str, ...]]:
    """Return a table's rows for those that did not run."""
    return [(name, why, *[""] * (columns - 2)) for name, why in absent.items()]
