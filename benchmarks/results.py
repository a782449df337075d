"""The results of a benchmark: tables for the reader, and values that are checked against budgets and gates."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

NOT_INSTALLED = "not installed"


@attrs.frozen(kw_only=True)
class Check:
    """A value and its limits: the budget is the promise; the gate, which is wider, fails the run."""

    name: str
    value: float
    budget: float
    gate: float | None = None
    unit: str = ""
    """Empty for a ratio."""
    higher_is_better: bool = False
    deterministic: bool = False
    """Whether the value does not depend on the load of the machine. If its gate fails, it is not measured again."""

    @property
    def met(self) -> bool:
        """Whether the value is within the budget."""
        return self._excess(self.budget) <= 0

    @property
    def fails(self) -> bool:
        """Whether the value is beyond the gate."""
        return self.gate is not None and self._excess(self.gate) > 0

    @property
    def measured(self) -> str:
        """The value, with a third digit if it is close to the budget."""
        near = not self.unit and 0 < abs(self.value - self.budget) < 0.01
        return f"{self.value:.3f}" if near else format_value(self.value, self.unit)

    @property
    def verdict(self) -> str:
        """Whether the budget is met, or by how much it is missed."""
        return "met" if self.met else f"**missed by {format_value(self._excess(self.budget), self.unit)}**"

    @property
    def failure(self) -> str:
        """Why the run fails, if the value is beyond the gate."""
        assert self.gate is not None
        limit = f"{'at least' if self.higher_is_better else 'at most'} {format_value(self.gate, self.unit)}"
        return f"gate failed: {self.name}: {format_value(self.value, self.unit)}, {limit} allowed"

    def _excess(self, limit: float) -> float:
        return limit - self.value if self.higher_is_better else self.value - limit


@attrs.frozen
class Table:
    """A table with a header row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@attrs.frozen(kw_only=True)
class Result:
    """The result of one benchmark."""

    title: str
    tables: Sequence[Table]
    checks: Sequence[Check]
    notes: Sequence[str] = ()
    bars: dict[str, tuple[float, float]] = attrs.field(factory=dict[str, tuple[float, float]])
    """The bars of the chart: each client's CPU as a multiple of the hand-written call's, with 1 and 50 in flight."""

    @property
    def incomplete(self) -> bool:
        """Whether a rival is not installed."""
        return any(NOT_INSTALLED in cell for table in self.tables for row in table.rows for cell in row)

    @property
    def failures(self) -> list[str]:
        """One line for each failed gate."""
        return [check.failure for check in self.checks if check.fails]


def format_value(value: float, unit: str) -> str:
    """Format a value without more digits than it warrants."""
    if not unit:
        return f"{value:.3f}" if 0 < value < 0.01 else f"{value:.2f}"
    digits = 0 if value == round(value) or value >= 100 else 1
    return f"{value:.{digits}f} {unit}"
