"""Where the figures were taken: versions and the machine's size, and nothing that names it."""

from __future__ import annotations

import os
import platform as sys_platform
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
    return f"{platform()}, load average {load[0]:.1f} before and {load[1]:.1f} after. {packages()}."


def platform() -> str:
    """Name the interpreter, the system and its cores."""
    python = f"{sys_platform.python_implementation()} {sys_platform.python_version()}"
    return f"{python} on {sys_platform.system()} ({sys_platform.machine()}), {os.cpu_count()} cores"


def packages() -> str:
    """Name what is measured, with its version."""
    return ", ".join(f"{name} {number}" for name, number in versions().items())


def load_average() -> float:
    """Return the load average of the last minute; 0 where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
