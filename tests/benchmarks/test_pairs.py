"""Ratios and their spread."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.imports import BARE, USUAL, net_ratio
from benchmarks.lag import Lag
from benchmarks.pairs import (
    Cost,
    Pair,
    Spread,
    Turn,
    cpu_ratio,
    from_json,
    take_blocks,
    take_turns_blocking,
    to_json,
    wall_ratio,
)
from benchmarks.soak import worst_growth


def _pair(ours: float, usual: float) -> Pair:
    return Pair(Cost(cpu=ours, wall=2 * ours), Cost(cpu=usual, wall=usual))


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    """A pair during which the machine was slow moves neither the median nor its neighbours."""
    pairs = [_pair(1.0, 2.0), _pair(50.0, 100.0), _pair(3.0, 1.0)]
    assert cpu_ratio(pairs).median == 0.5
    assert wall_ratio(pairs).median == 1.0


def test_the_spread_leaves_out_a_tenth_on_either_side() -> None:
    """The range holds the middle four fifths."""
    assert Spread.of([float(number) for number in range(11)]) == Spread(5.0, 1.0, 9.0)


def test_one_figure_is_its_own_spread() -> None:
    """One figure alone has no range, and two are enough for one."""
    assert Spread.of([1.5]) == Spread(1.5, 1.5, 1.5)
    assert Spread.of([1.0, 2.0]).median == 1.5


def test_a_spread_reads_well() -> None:
    """It is spelled as the tables show it."""
    assert str(Spread(1.0, 0.914, 1.126)) == "1.00 (0.91 to 1.13)"


def test_pairs_survive_the_way_between_processes() -> None:
    """What a worker prints is what its parent reads."""
    found = {"linq_async": [_pair(1.0, 2.0), _pair(3.0, 4.0)]}
    assert from_json(to_json(found)) == found


def test_each_pair_runs_both_sides_once() -> None:
    """Every round runs a block of each contender and, beside each, one of the baseline."""
    calls: list[str] = []

    def named(name: str) -> Turn:
        async def call() -> None:
            calls.append(name)

        return Turn(call, 2)

    found = asyncio.run(take_blocks(named("usual"), {"a": named("a"), "b": named("b")}, rounds=3))
    assert {name: len(pairs) for name, pairs in found.items()} == {"a": 3, "b": 3}
    assert {name: calls.count(name) for name in ("usual", "a", "b")} == {"usual": 12, "a": 6, "b": 6}


def test_functions_that_do_not_await_take_turns_too() -> None:
    """A pair is noted for each round."""
    found = take_turns_blocking(lambda: None, {"a": lambda: None}, rounds=3, seconds=1e-9)
    assert [pair.contender.cpu >= 0 for pair in found["a"]] == [True] * 3


def test_an_import_is_counted_without_the_interpreter() -> None:
    """The bare interpreter's start is taken off both sides of the ratio."""
    found = {BARE: [1.0, 1.0], USUAL: [3.0, 3.0], "import ours": [4.0, 4.0]}
    assert net_ratio(found, "import ours").median == 1.5


@pytest.mark.parametrize(("warm", "later", "growth"), [(50, [50, 51, 49], 1.02), (0, [0, 0], 1.0), (0, [3], 4.0)])
def test_growth_is_the_most_that_was_held_later(warm: float, later: list[float], growth: float) -> None:
    """A peak on the way counts as much as the end, and something out of nothing is growth."""
    assert worst_growth(warm, later) == growth


def test_the_wait_for_a_processor_is_no_lag_of_ours() -> None:
    """Where the system tells it, what is gated is the worst lag without that wait, not the worst lag less a wait."""
    lag = Lag()
    lag.note(0.100, 0.099)
    lag.note(0.030, 0.010)
    assert lag.raw == 0.100
    assert lag.gated == pytest.approx(0.020)


def test_the_raw_lag_counts_where_the_system_does_not_tell() -> None:
    """Without the kernel's count the gate applies to what the ticker saw."""
    lag = Lag()
    lag.note(0.100, None)
    assert (lag.own, lag.gated) == (None, 0.100)
