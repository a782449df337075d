"""The other clients and libraries to compare with. All are optional: those that are missing are reported as such."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.results import NOT_INSTALLED

SKIPPED = "not in a quick run"
SLOW = frozenset({"linq-python", "linq-python[aiohttp]", "openai", "openai, open file", "slack-sdk", "stripe"})

MODULES: dict[str, tuple[str, ...]] = {
    "httpx": ("httpx",),
    "linq-python": ("linq",),
    "linq-python[aiohttp]": ("linq", "httpx_aiohttp"),
    "msgspec": ("msgspec",),
    "openai": ("openai",),
    "openai, open file": ("openai",),
    "pydantic v2": ("pydantic",),
    "slack-sdk": ("slack_sdk",),
    "standardwebhooks, pydantic": ("standardwebhooks", "pydantic"),
    "standardwebhooks, pydantic, parsed once": ("standardwebhooks", "pydantic"),
    "stripe": ("stripe",),
    "uvicorn with httptools": ("httptools",),
    "uvloop": ("uvloop",),
}
"""The modules that each one needs. Those not listed are always installed."""


def installed(name: str) -> bool:
    """Return whether everything that a contender needs is installed."""
    return all(find_spec(module) is not None for module in MODULES.get(name, ()))


def select(names: Sequence[str], *, quick: bool) -> tuple[list[str], dict[str, str]]:
    """Return the names to measure, and the reasons for skipping the others. A quick run skips the SDKs."""
    skipped = {name: NOT_INSTALLED for name in names if not installed(name)}
    if quick:
        skipped |= {name: SKIPPED for name in names if name in SLOW and name not in skipped}
    return [name for name in names if name not in skipped], skipped


def skipped_rows(skipped: dict[str, str], columns: int) -> list[tuple[str, ...]]:
    """Return table rows for the skipped names."""
    return [(name, why, *[""] * (columns - 2)) for name, why in skipped.items()]
