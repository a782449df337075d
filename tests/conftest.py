"""What every test may use: the package's own fixtures, installed or not; and the watch over the contract."""

from __future__ import annotations

import hypothesis
import pytest

pytest_plugins = ["linq_async.testing", "tests.contract.plugin"]

hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.register_profile("random", derandomize=False, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples in each plain run, and other ones in each run of the slow tests."""
    plain = "not slow" in str(config.getoption("markexpr"))
    hypothesis.settings.load_profile("repeatable" if plain else "random")
