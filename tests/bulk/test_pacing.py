"""linq_async/bulk/pacing.py and stopping.py: when the next message may start, and when a run stops."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from linq_async import InvalidArgumentError
from linq_async.bulk import Pacing, StopRules
from linq_async.bulk.pacing import DAY, next_start
from linq_async.bulk.stopping import StopWatch


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_the_mean_of_the_gaps_is_the_pace(jitter: float) -> None:
    """The gaps differ by at most the jitter, and their mean is within two percent of the pace."""
    chance, starts = random.Random(7), [0.0]
    for _ in range(10_000):
        starts.append(next_start(starts[-1], starts[-1], 2.0, chance.random(), jitter))
    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) >= 2.0 * (1 - jitter) - 1e-6
    assert max(gaps) <= 2.0 * (1 + jitter) + 1e-6
    assert abs(sum(gaps) / len(gaps) - 2.0) < 0.04


def test_a_late_line_does_not_catch_up() -> None:
    """After a pause, the next message starts now, and the one after it a gap later."""
    assert next_start(100.0, 10.0, 2.0, 0.5) == 100.0
    assert next_start(100.0, 100.0, 2.0, 0.5) == 102.0


@pytest.mark.parametrize(
    ("pacing", "rows", "today", "seconds"),
    [
        (Pacing(), 100, 0, 100.0),
        (Pacing(per_line=None), 100, 0, 0.0),
        (Pacing(per_line=4.0), 100, 0, 25.0),
        (Pacing(daily_cap=50), 50, 0, 50.0),
        (Pacing(daily_cap=50), 51, 0, DAY),
        (Pacing(daily_cap=50), 150, 0, 2 * DAY),
        (Pacing(daily_cap=50), 50, 10, DAY),
        (Pacing(daily_cap=50), 0, 60, 0.0),
    ],
)
def test_how_long_a_line_takes(pacing: Pacing, rows: int, today: int, seconds: float) -> None:
    """A line takes its rows at its pace, and as many days as its cap needs."""
    assert pacing.seconds_for(rows, today) == seconds


@pytest.mark.parametrize(
    "values", [{"per_line": 0.0}, {"per_line": float("nan")}, {"jitter": 1.5}, {"daily_cap": 0}, {"daily_cap": True}]
)
def test_a_pace_that_cannot_be_kept_is_refused(values: dict[str, Any]) -> None:
    """Values out of range are refused by name."""
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(values))} must be"):
        Pacing(**values)


@pytest.mark.parametrize("values", [{"in_a_row": 0}, {"share": 2.0}, {"share": "a"}, {"of": 0}])
def test_rules_that_cannot_be_applied_are_refused(values: dict[str, Any]) -> None:
    """Values out of range are refused by name."""
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(values))} must be"):
        StopRules(**values)


def _stops(rules: StopRules, results: str) -> tuple[int, str] | None:
    """Return after how many results a run stops, and the code; ``x`` is a failure."""
    watch = StopWatch(rules)
    for count, result in enumerate(results, 1):
        stopped = watch.note(failed=result == "x", cause="ServerError 503")
        if stopped is not None:
            assert stopped.message.endswith("failed; the last one: ServerError 503")
            return count, stopped.code
    return None


@pytest.mark.parametrize(
    ("rules", "results", "stop"),
    [
        (StopRules(), "x" * 20, (20, "in_a_row")),
        (StopRules(), "x" * 19 + "." + "x" * 19, None),
        (StopRules(), "....x" * 20, None),
        (StopRules(), "....x" * 9 + "...xx", (50, "share")),
        (StopRules(), "." * 1_000 + "xxx..." * 20, (1_000 + 20, "share")),
        (StopRules(in_a_row=3), ".xx.xxx", (7, "in_a_row")),
        (StopRules(in_a_row=None), "x" * 49, None),
        (StopRules(in_a_row=None, share=None), "x" * 500, None),
        (StopRules(in_a_row=None, share=0.0, of=1), ".x", (2, "share")),
    ],
)
def test_when_a_run_stops(rules: StopRules, results: str, stop: tuple[int, str] | None) -> None:
    """A run stops after failures in a row, or too large a share of the last rows."""
    assert _stops(rules, results) == stop
