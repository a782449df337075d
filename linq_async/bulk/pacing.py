"""When the next message of a line may start. Pure functions of the time."""

from __future__ import annotations

import math

import attrs

from linq_async.errors import InvalidArgumentError, Problem

DAY = 86_400.0
"""Seconds: the daily cap limits any 24 hours, not a calendar day."""


@attrs.frozen
class Pacing:
    """How fast each line sends.

    Raises:
        InvalidArgumentError: If a value is out of range.
    """

    per_line: float | None = 1.0
    """Messages a second for each line, on average; None for as fast as possible."""
    jitter: float = 0.5
    """From 0 to 1: how far a gap may differ from the mean, as a share of it. Linq advises against a fixed beat."""
    daily_cap: int | None = None
    """The maximum number of messages for each line in any 24 hours; None for no limit."""

    def __attrs_post_init__(self) -> None:
        problems: list[Problem] = []
        if self.per_line is not None and not (_is_number(self.per_line) and 0.0001 <= self.per_line <= 10_000):
            problems.append(Problem("per_line", "must be a number from 0.0001 to 10000, or None"))
        if not (_is_number(self.jitter) and 0 <= self.jitter <= 1):
            problems.append(Problem("jitter", "must be a number from 0 to 1"))
        if self.daily_cap is not None and (type(self.daily_cap) is not int or self.daily_cap < 1):
            problems.append(Problem("daily_cap", "must be an int above 0, or None"))
        if problems:
            raise InvalidArgumentError(problems)

    @property
    def gap(self) -> float:
        """Seconds between two messages of a line, on average; 0 without a pace."""
        return 1 / self.per_line if self.per_line else 0.0

    def seconds_for(self, rows: int, sent_today: int = 0) -> float:
        """Return about how long a line takes for some rows, of which ``sent_today`` were sent in the last 24 hours."""
        paced = rows * self.gap
        if self.daily_cap is None or not rows:
            return paced
        days = math.ceil((rows + min(sent_today, self.daily_cap)) / self.daily_cap) - 1
        return max(paced, days * DAY)


def next_start(now: float, previous: float, gap: float, chance: float, jitter: float = 0.5) -> float:
    """Return when the next message of a line may start; ``chance`` is drawn from 0 to 1.

    The gaps differ, and their mean is ``gap``. After a pause, the line goes on at its pace and does not catch up.
    """
    return max(now, previous + gap * (1 - jitter + 2 * jitter * chance))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
