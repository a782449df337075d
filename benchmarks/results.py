"""What a group of measurements found: tables for the reader, and figures that are held to budgets and gates."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

NOT_INSTALLED = "not installed"


@attrs.frozen(kw_only=True)
class Check:
    """A figure and its limits: the budget is what we promise; the gate, which is wider, fails the run."""

    what: str
    found: float
    budget: float
    gate: float | None = None
    unit: str = ""
    """Empty for a ratio."""
    at_least: bool = False
    """Whether more is better."""
    exact: bool = False
    """Whether chance has no part in it, so that a broken gate is not measured again."""

    @property
    def met(self) -> bool:
        """Whether the budget is."""
        return self._excess(self.budget) <= 0

    @property
    def broken(self) -> bool:
        """Whether the gate is."""
        return self.gate is not None and self._excess(self.gate) > 0

    @property
    def measured(self) -> str:
        """The figure, with a third digit where two would not tell it from its budget."""
        near = not self.unit and 0 < abs(self.found - self.budget) < 0.01
        return f"{self.found:.3f}" if near else spelled(self.found, self.unit)

    @property
    def verdict(self) -> str:
        """Tell whether the budget is met, or by how much it is missed."""
        return "met" if self.met else f"**missed by {spelled(self._excess(self.budget), self.unit)}**"

    @property
    def complaint(self) -> str:
        """Tell why a run fails."""
        assert self.gate is not None
        limit = f"{'at least' if self.at_least else 'at most'} {spelled(self.gate, self.unit)}"
        return f"gate broken: {self.what}: {spelled(self.found, self.unit)}, {limit} allowed"

    def _excess(self, limit: float) -> float:
        return limit - self.found if self.at_least else self.found - limit


@attrs.frozen
class Table:
    """Rows under a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@attrs.frozen(kw_only=True)
class Found:
    """What one group found."""

    title: str
    tables: Sequence[Table]
    checks: Sequence[Check]
    notes: Sequence[str] = ()
    bars: dict[str, tuple[float, float]] = attrs.field(factory=dict[str, tuple[float, float]])
    """For the chart: each client's CPU as a multiple of the hand-written call's, at 1 and at 50 in flight."""

    @property
    def absent(self) -> bool:
        """Whether a rival is not installed."""
        return any(NOT_INSTALLED in cell for table in self.tables for row in table.rows for cell in row)

    @property
    def complaints(self) -> list[str]:
        """Tell of each gate that is broken."""
        return [check.complaint for check in self.checks if check.broken]


def spelled(figure: float, unit: str) -> str:
    """Spell a figure with no more digits than it deserves."""
    if not unit:
        return f"{figure:.3f}" if 0 < figure < 0.01 else f"{figure:.2f}"
    digits = 0 if figure == round(figure) or figure >= 100 else 1
    return f"{figure:.{digits}f} {unit}"
