"""When a run stops by itself, because its messages fail. Pure."""

from __future__ import annotations

from collections import deque
from typing import Literal

import attrs

from linq_async.errors import InvalidArgumentError, Problem

StopCode = Literal["in_a_row", "share", "rejected", "requested"]
"""Why a run stopped: a rule of StopRules, a rejected token, or a call of ``stop``."""


@attrs.frozen
class Stopped:
    """Why a run stopped before its end. Rows that did not start stay pending."""

    code: StopCode
    """The reason as a code."""
    message: str
    """The reason as a text."""


@attrs.frozen
class StopRules:
    """When a run stops because of failures: rows that end failed or unknown.

    Raises:
        InvalidArgumentError: If a value is out of range.
    """

    in_a_row: int | None = 20
    """Stop after this many failures in a row; None for never."""
    share: float | None = 0.2
    """Stop if more than this share of the last ``of`` rows failed; None for never."""
    of: int = 50
    """The number of rows of which ``share`` is a share."""

    def __attrs_post_init__(self) -> None:
        problems: list[Problem] = []
        if self.in_a_row is not None and not _is_count(self.in_a_row):
            problems.append(Problem("in_a_row", "must be an int above 0, or None"))
        if self.share is not None and not (isinstance(self.share, int | float) and 0 <= self.share <= 1):
            problems.append(Problem("share", "must be a number from 0 to 1, or None"))
        if not _is_count(self.of):
            problems.append(Problem("of", "must be an int above 0"))
        if problems:
            raise InvalidArgumentError(problems)


class StopWatch:
    """Applies the rules to the rows of one run, in the order in which they end."""

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._in_a_row = 0
        self._failed: deque[bool] = deque(maxlen=rules.of)
        self._failures = 0

    def note(self, *, failed: bool, cause: str | None = None) -> Stopped | None:
        """Take the result of a row. Return why the run must stop, if it must; ``cause`` is that of a failure."""
        if len(self._failed) == self._failed.maxlen:
            self._failures -= self._failed[0]
        self._failed.append(failed)
        self._failures += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        rules, last = self._rules, f"; the last one: {cause}"
        if rules.in_a_row is not None and self._in_a_row >= rules.in_a_row:
            return Stopped("in_a_row", f"{self._in_a_row} messages in a row failed{last}")
        full = len(self._failed) == rules.of
        if rules.share is not None and full and failed and self._failures > rules.share * rules.of:
            return Stopped("share", f"{self._failures} of the last {rules.of} messages failed{last}")
        return None


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0
