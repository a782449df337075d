"""Plugins for all tests: the package's fixtures, and the check of every exchange against the contract."""

from __future__ import annotations

import gc
import os
import sys

import hypothesis
import pytest

pytest_plugins = ["linq_async.testing", "tests.contract.plugin"]

hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.register_profile("random", derandomize=False, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples in each plain run, and random ones in each slow run."""
    plain = "not slow" in str(config.getoption("markexpr"))
    hypothesis.settings.load_profile("repeatable" if plain else "random")
    if sys.dont_write_bytecode and config.pluginmanager.has_plugin("cacheprovider"):
        _cache_bytecode(str(config.cache.mkdir("bytecode")))


def _cache_bytecode(folder: str) -> None:
    """Cache bytecode in a folder of pytest, else each process that the tests start would compile all that it loads."""
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = folder
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """Exempt what was loaded from garbage collection: each full collection would visit it."""
    gc.freeze()
