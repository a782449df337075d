"""The examples of hypothesis: the same in each plain run, random in slow runs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.generated import ANY_CASE


def test_plain_runs_can_be_repeated() -> None:
    """In a plain run all settings are derandomized and have no database."""
    assert settings().derandomize
    assert settings().database is None
    assert settings(max_examples=5).derandomize
    assert settings(ANY_CASE, max_examples=5).derandomize


def test_a_plain_run_draws_the_same_examples() -> None:
    """Two plain runs of a property draw the same values, whatever the random seed."""
    drawn: list[int] = []

    @settings(max_examples=20)
    @given(st.integers())
    def note(number: int) -> None:
        drawn.append(number)

    for seed in (1, 2):
        random.seed(seed)
        note()
    assert drawn[:20] == drawn[20:]
    assert len(set(drawn)) > 5


@pytest.mark.slow
def test_slow_runs_draw_others() -> None:
    """In a slow run the settings are random."""
    assert not settings().derandomize
    assert not settings(ANY_CASE, max_examples=5).derandomize
