"""A description of the machine: versions and size, but nothing that identifies it."""

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
    "standardwebhooks",
    "uvicorn",
    "httptools",
    "uvloop",
)


def versions() -> dict[str, str]:
    """Return the version of each installed package."""
    installed: dict[str, str] = {}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def description(load: tuple[float, float]) -> str:
    """Return a sentence about the machine. ``load`` is its load average before and after the run."""
    return f"{platform()}, load average {load[0]:.1f} before and {load[1]:.1f} after. {packages()}."


def platform() -> str:
    """Return the interpreter, the system and the number of cores."""
    python = f"{sys_platform.python_implementation()} {sys_platform.python_version()}"
    return f"{python} on {sys_platform.system()} ({sys_platform.machine()}), {os.cpu_count()} cores"


def packages() -> str:
    """Return the names and versions of the measured packages."""
    return ", ".join(f"{name} {number}" for name, number in versions().items())


def load_average() -> float:
    """Return the load average of the last minute, or 0 if the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
