"""Tests of the measurements: ratios, their spread, resources and lag."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.imports import BARE, BASELINE, net_ratio
from benchmarks.lag import Lag
from benchmarks.pairs import (
    Block,
    Cost,
    Pair,
    Spread,
    compare_blocks,
    compare_sync,
    cpu_ratio,
    from_json,
    to_json,
    wall_ratio,
)
from benchmarks.soak import max_growth


def _pair(contender: float, baseline: float) -> Pair:
    return Pair(Cost(cpu=contender, wall=2 * contender), Cost(cpu=baseline, wall=baseline))


def test_ratio_is_the_median_of_the_pairs() -> None:
    """A pair measured while the machine was slow does not change the median."""
    pairs = [_pair(1.0, 2.0), _pair(50.0, 100.0), _pair(3.0, 1.0)]
    assert cpu_ratio(pairs).median == 0.5
    assert wall_ratio(pairs).median == 1.0


def test_spread() -> None:
    """The range leaves out a tenth of the values at each end."""
    assert Spread.of([float(number) for number in range(11)]) == Spread(5.0, 1.0, 9.0)


def test_spread_of_few_values() -> None:
    """A single value is its own range, and two values have a spread."""
    assert Spread.of([1.5]) == Spread(1.5, 1.5, 1.5)
    assert Spread.of([1.0, 2.0]).median == 1.5


def test_spread_as_text() -> None:
    """A spread is formatted as the tables show it."""
    assert str(Spread(1.0, 0.914, 1.126)) == "1.00 (0.91 to 1.13)"


def test_pairs_as_json() -> None:
    """Pairs survive the conversion to JSON values and back."""
    pairs = {"linq_async": [_pair(1.0, 2.0), _pair(3.0, 4.0)]}
    assert from_json(to_json(pairs)) == pairs


def test_compare_blocks() -> None:
    """Each round runs one block of every contender, and one of the baseline with each."""
    calls: list[str] = []

    def named(name: str) -> Block:
        async def call() -> None:
            calls.append(name)

        return Block(call, 2)

    pairs = asyncio.run(compare_blocks(named("baseline"), {"a": named("a"), "b": named("b")}, rounds=3))
    assert {name: len(of_name) for name, of_name in pairs.items()} == {"a": 3, "b": 3}
    assert {name: calls.count(name) for name in ("baseline", "a", "b")} == {"baseline": 12, "a": 6, "b": 6}


def test_compare_sync() -> None:
    """Each round gives one pair of synchronous calls."""
    pairs = compare_sync(lambda: None, {"a": lambda: None}, rounds=3, seconds=1e-9)
    assert [pair.contender.cpu >= 0 for pair in pairs["a"]] == [True] * 3


def test_import_without_the_interpreter() -> None:
    """The start of the interpreter is subtracted from both sides of the ratio."""
    seconds = {BARE: [1.0, 1.0], BASELINE: [3.0, 3.0], "import ours": [4.0, 4.0]}
    assert net_ratio(seconds, "import ours").median == 1.5


@pytest.mark.parametrize(("warm", "later", "growth"), [(50, [50, 51, 49], 1.02), (0, [0, 0], 1.0), (0, [3], 4.0)])
def test_max_growth(warm: float, later: list[float], growth: float) -> None:
    """Growth is measured at the highest later value, and also if nothing was held at first."""
    assert max_growth(warm, later) == growth


def test_wait_for_a_processor_is_not_lag() -> None:
    """The wait for a processor is subtracted from each delay before the worst one is taken."""
    lag = Lag()
    lag.record(0.100, 0.099)
    lag.record(0.030, 0.010)
    assert lag.raw == 0.100
    assert lag.gated == pytest.approx(0.020)


def test_lag_without_the_wait_for_a_processor() -> None:
    """If the system does not count the wait, the worst delay itself is checked."""
    lag = Lag()
    lag.record(0.100, None)
    assert (lag.own, lag.gated) == (None, 0.100)
