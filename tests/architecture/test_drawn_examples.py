"""How hypothesis draws its examples: the same ones in each plain run, other ones in the slow runs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.generated import ANY_CASE


def test_plain_runs_can_be_repeated() -> None:
    """In a plain run the default settings and those made from it are derandomised, and remember nothing."""
    assert settings().derandomize
    assert settings().database is None
    assert settings(max_examples=5).derandomize
    assert settings(ANY_CASE, max_examples=5).derandomize


def test_a_plain_run_draws_the_same_examples() -> None:
    """Two runs of one property see the same values, whatever the state of the random numbers."""
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
    """In a run of the slow tests the settings are random."""
    assert not settings().derandomize
    assert not settings(ANY_CASE, max_examples=5).derandomize
