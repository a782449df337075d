"""Budgets, gates, and what the command line makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import rivals
from benchmarks.results import Check, Found, Table, spelled


def _check(found: float, **options: Any) -> Check:
    settings: dict[str, Any] = {"what": "CPU", "found": found, "budget": 1.05, "gate": 1.15, **options}
    return Check(**settings)


def _found(ratio: float) -> Found:
    return Found(title="Something", tables=[], checks=[_check(ratio)])


def _giving(found: Iterator[Found]) -> Callable[..., Found]:
    """Return a group that finds these, one each time it is measured."""

    def measure(*, quick: bool) -> Found:
        assert isinstance(quick, bool)
        return next(found)

    return measure


@pytest.mark.parametrize(
    ("found", "met", "broken"), [(1.05, True, False), (1.06, False, False), (1.15, False, False), (1.16, False, True)]
)
def test_a_budget_may_be_missed_before_the_gate_breaks(found: float, met: bool, broken: bool) -> None:
    """The limits themselves are still within."""
    check = _check(found)
    assert (check.met, check.broken) == (met, broken)


@pytest.mark.parametrize(("found", "met", "broken"), [(1.2, True, False), (0.95, False, False), (0.5, False, True)])
def test_more_may_be_better(found: float, met: bool, broken: bool) -> None:
    """A throughput is held from below."""
    check = _check(found, budget=1.0, gate=0.9, at_least=True)
    assert (check.met, check.broken) == (met, broken)


def test_what_has_no_gate_breaks_none() -> None:
    """A budget alone never fails a run."""
    assert not _check(99.0, gate=None).broken


def test_a_verdict_says_by_how_much() -> None:
    """It is met, or missed by the difference, in the figure's own unit."""
    assert _check(1.0).verdict == "met"
    assert _check(1.17).verdict == "**missed by 0.12**"
    assert _check(24.25, budget=20, unit="ms").verdict == "**missed by 4.2 ms**"
    assert _check(0.9, budget=1.0, at_least=True).verdict == "**missed by 0.10**"


def test_a_miss_is_never_spelled_as_nothing() -> None:
    """A miss too small for two digits shows three."""
    assert _check(1.0544).verdict == "**missed by 0.004**"


def test_a_broken_gate_is_one_clear_line() -> None:
    """It names the figure, what was found and what is allowed."""
    assert _check(1.2).complaint == "gate broken: CPU: 1.20, at most 1.15 allowed"
    assert _check(0.5, gate=0.9, at_least=True).complaint == "gate broken: CPU: 0.50, at least 0.90 allowed"


@pytest.mark.parametrize(
    ("figure", "unit", "text"),
    [
        (0.6449, "", "0.64"),
        (0.0, "", "0.00"),
        (2.34, "MiB", "2.3 MiB"),
        (0, "calls", "0 calls"),
        (812.4, "ms", "812 ms"),
    ],
)
def test_figures_have_no_needless_digits(figure: float, unit: str, text: str) -> None:
    """Ratios have two digits, sizes and times one, counts none."""
    assert spelled(figure, unit) == text


def test_a_broken_gate_is_measured_once_more() -> None:
    """The second measurement stands, whatever it is; and a run within its gates is not repeated."""
    turns = iter([_found(1.3), _found(1.0)])
    said: list[str] = []
    assert program.measured(_giving(turns), quick=True, say=said.append).complaints == []
    assert len(said) == 1
    assert program.measured(_giving(repeat(_found(1.0))), quick=True, say=said.append).complaints == []
    assert len(said) == 1


def test_what_no_chance_decides_is_not_measured_again() -> None:
    """A lost message is not made good by a run that loses none."""
    broken = Found(title="Something", tables=[], checks=[_check(1, budget=0, gate=0, exact=True), _check(1.3)])
    said: list[str] = []
    assert program.measured(_giving(repeat(broken)), quick=True, say=said.append) is broken
    assert said == []


def test_a_figure_close_to_its_budget_has_a_third_digit() -> None:
    """Two digits would not tell it from the budget."""
    assert [_check(found).measured for found in (1.01, 1.0451, 1.05, 1.0549)] == ["1.01", "1.045", "1.05", "1.055"]


@pytest.mark.parametrize(("words", "written"), [([], False), (["--write"], True)])
def test_a_run_without_a_rival_writes_only_when_asked(
    words: list[str], written: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The results of a whole run are not lost to one that measured less."""
    table = Table(("client", "CPU"), [("stripe", "not installed")])
    found = Found(title="Something", tables=[table], checks=[], bars={"linq_async": (1.0, 1.0)})
    monkeypatch.setattr(program, "GROUPS", {"create": _giving(repeat(found))})
    monkeypatch.setattr(program, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    assert program.main() == 0
    assert bool(list(tmp_path.iterdir())) == written


@pytest.mark.parametrize(("ratio", "status"), [(1.0, 0), (1.1, 0), (1.3, 1)])
def test_the_exit_status_tells_of_gates_alone(
    ratio: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missed budget is shown; a broken gate fails, and is told on standard error."""
    monkeypatch.setattr(program, "GROUPS", {"create": _giving(repeat(_found(ratio)))})
    monkeypatch.setattr("sys.argv", ["benchmarks", "--quick"])
    assert program.main() == status
    assert ("gate broken" in capsys.readouterr().err) == bool(status)


@pytest.mark.parametrize(("words", "written"), [(["--quick"], False), (["--quick", "--write"], True), ([], True)])
def test_a_quick_run_writes_only_when_asked(
    words: list[str], written: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A full run writes its results; a quick one leaves those of the full one alone."""
    found = Found(title="Something", tables=[], checks=[], bars={"linq_async": (1.0, 1.0), "floor": (0.2, 0.2)})
    monkeypatch.setattr(program, "GROUPS", {"create": _giving(repeat(found))})
    monkeypatch.setattr(program, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    assert program.main() == 0
    assert {path.name for path in tmp_path.iterdir()} == ({"RESULTS.md", "results.svg"} if written else set())


def test_results_of_some_groups_are_not_written() -> None:
    """``--write`` with ``--only`` is refused, for the page would lack the rest."""
    with pytest.raises(SystemExit):
        program.options(["--only", "create", "--write"])


def test_a_missing_rival_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not installed, or too slow for a quick run, gets a row that says so."""
    specs: dict[str, object] = dict.fromkeys(["stripe"], object())
    monkeypatch.setattr(rivals, "find_spec", specs.get)
    there, absent = rivals.choose(["floor", "httpx", "stripe"], quick=True)
    assert there == ["floor"]
    assert absent == {"httpx": "not installed", "stripe": "not in a quick run"}
    assert rivals.absent_rows(absent, 3)[0] == ("httpx", "not installed", "")
