"""Where the figures were taken: versions and the machine's size, and nothing that names it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "aiohttp",
    "attrs",
    "cattrs",
    "orjson",
    "tenacity",
    "yarl",
    "httpx",
    "linq-python",
    "stripe",
    "openai",
    "slack-sdk",
    "pydantic",
    "msgspec",
    "uvloop",
)


def versions() -> dict[str, str]:
    """Return the version of each package that is installed."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def description(load: tuple[float, float]) -> str:
    """Describe the machine in a sentence; ``load`` is its average before and after."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    cores = os.cpu_count()
    return (
        f"{python} on {platform.system()} ({platform.machine()}), {cores} cores, load average {load[0]:.1f} before "
        f"and {load[1]:.1f} after. {packages}."
    )


def load_average() -> float:
    """Return the load average of the last minute; 0 where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
