"""Tests of budgets and gates, and of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import rivals
from benchmarks.results import Check, Result, Table, format_value


def _check(value: float, **options: Any) -> Check:
    settings: dict[str, Any] = {"name": "CPU", "value": value, "budget": 1.05, "gate": 1.15, **options}
    return Check(**settings)


def _result(ratio: float) -> Result:
    return Result(title="Something", tables=[], checks=[_check(ratio)])


def _returning(results: Iterator[Result]) -> Callable[..., Result]:
    """Return a benchmark that returns these results, one each time it runs."""

    def measure(*, quick: bool) -> Result:
        assert isinstance(quick, bool)
        return next(results)

    return measure


@pytest.mark.parametrize(
    ("value", "met", "fails"), [(1.05, True, False), (1.06, False, False), (1.15, False, False), (1.16, False, True)]
)
def test_budget_and_gate(value: float, met: bool, fails: bool) -> None:
    """A value that equals a limit is within it, and the gate is wider than the budget."""
    check = _check(value)
    assert (check.met, check.fails) == (met, fails)


@pytest.mark.parametrize(("value", "met", "fails"), [(1.2, True, False), (0.95, False, False), (0.5, False, True)])
def test_higher_is_better(value: float, met: bool, fails: bool) -> None:
    """The limits of a throughput are lower limits."""
    check = _check(value, budget=1.0, gate=0.9, higher_is_better=True)
    assert (check.met, check.fails) == (met, fails)


def test_no_gate() -> None:
    """A check without a gate never fails."""
    assert not _check(99.0, gate=None).fails


def test_verdict() -> None:
    """The verdict is that the budget is met, or by how much it is missed, in the unit of the value."""
    assert _check(1.0).verdict == "met"
    assert _check(1.17).verdict == "**missed by 0.12**"
    assert _check(24.25, budget=20, unit="ms").verdict == "**missed by 4.2 ms**"
    assert _check(0.9, budget=1.0, higher_is_better=True).verdict == "**missed by 0.10**"


def test_small_miss() -> None:
    """A miss that two digits would show as zero has three."""
    assert _check(1.0544).verdict == "**missed by 0.004**"


def test_failed_gate_message() -> None:
    """The message names the check, the value and the limit."""
    assert _check(1.2).failure == "gate failed: CPU: 1.20, at most 1.15 allowed"
    assert _check(0.5, gate=0.9, higher_is_better=True).failure == "gate failed: CPU: 0.50, at least 0.90 allowed"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.6449, "", "0.64"),
        (0.0, "", "0.00"),
        (2.34, "MiB", "2.3 MiB"),
        (0, "calls", "0 calls"),
        (812.4, "ms", "812 ms"),
    ],
)
def test_format_value(value: float, unit: str, text: str) -> None:
    """Ratios have two decimals, sizes and times one, counts none."""
    assert format_value(value, unit) == text


def test_failed_gate_is_measured_again() -> None:
    """A failed gate is measured a second time, whose result counts; a result within its gates is not."""
    results = iter([_result(1.3), _result(1.0)])
    shown: list[str] = []
    assert program.measure_with_retry(_returning(results), quick=True, show=shown.append).failures == []
    assert len(shown) == 1
    assert program.measure_with_retry(_returning(repeat(_result(1.0))), quick=True, show=shown.append).failures == []
    assert len(shown) == 1


def test_deterministic_failure_is_not_measured_again() -> None:
    """A failed gate of a deterministic value is not measured again."""
    failed = Result(title="Something", tables=[], checks=[_check(1, budget=0, gate=0, deterministic=True), _check(1.3)])
    shown: list[str] = []
    assert program.measure_with_retry(_returning(repeat(failed)), quick=True, show=shown.append) is failed
    assert shown == []


def test_value_close_to_its_budget() -> None:
    """A value that two decimals cannot distinguish from its budget has three."""
    assert [_check(value).measured for value in (1.01, 1.0451, 1.05, 1.0549)] == ["1.01", "1.045", "1.05", "1.055"]


@pytest.mark.parametrize(("arguments", "written"), [([], False), (["--write"], True)])
def test_run_without_a_rival_writes_only_on_request(
    arguments: list[str], written: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A run that lacks a rival overwrites the results only with --write."""
    table = Table(("client", "CPU"), [("stripe", "not installed")])
    result = Result(title="Something", tables=[table], checks=[], bars={"linq_async": (1.0, 1.0)})
    monkeypatch.setattr(program, "BENCHMARKS", {"create": _returning(repeat(result))})
    monkeypatch.setattr(program, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    assert program.main() == 0
    assert bool(list(tmp_path.iterdir())) == written


@pytest.mark.parametrize(("ratio", "status"), [(1.0, 0), (1.1, 0), (1.3, 1)])
def test_exit_status(
    ratio: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a failed gate makes the exit status 1, and it is reported on standard error."""
    monkeypatch.setattr(program, "BENCHMARKS", {"create": _returning(repeat(_result(ratio)))})
    monkeypatch.setattr("sys.argv", ["benchmarks", "--quick"])
    assert program.main() == status
    assert ("gate failed" in capsys.readouterr().err) == bool(status)


@pytest.mark.parametrize(("arguments", "written"), [(["--quick"], False), (["--quick", "--write"], True), ([], True)])
def test_quick_run_writes_only_on_request(
    arguments: list[str], written: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A full run writes the results, and a quick run only with --write."""
    result = Result(title="Something", tables=[], checks=[], bars={"linq_async": (1.0, 1.0), "floor": (0.2, 0.2)})
    monkeypatch.setattr(program, "BENCHMARKS", {"create": _returning(repeat(result))})
    monkeypatch.setattr(program, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    assert program.main() == 0
    assert {path.name for path in tmp_path.iterdir()} == ({"RESULTS.md", "results.svg"} if written else set())


def test_write_needs_all_benchmarks() -> None:
    """``--write`` is refused with ``--only``, because the page would be incomplete."""
    with pytest.raises(SystemExit):
        program.parse_arguments(["--only", "create", "--write"])


def test_skipped_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rival that is not installed, or too slow for a quick run, has a row with the reason."""
    specs: dict[str, object] = dict.fromkeys(["stripe"], object())
    monkeypatch.setattr(rivals, "find_spec", specs.get)
    selected, skipped = rivals.select(["floor", "httpx", "stripe"], quick=True)
    assert selected == ["floor"]
    assert skipped == {"httpx": "not installed", "stripe": "not in a quick run"}
    assert rivals.skipped_rows(skipped, 3)[0] == ("httpx", "not installed", "")
