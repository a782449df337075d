"""Plugins for all tests: the package's fixtures, and the check of every exchange against the contract."""

from __future__ import annotations

import hypothesis
import pytest

pytest_plugins = ["linq_async.testing", "tests.contract.plugin"]

hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.register_profile("random", derandomize=False, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples in each plain run, and random ones in each slow run."""
    plain = "not slow" in str(config.getoption("markexpr"))
    hypothesis.settings.load_profile("repeatable" if plain else "random")
