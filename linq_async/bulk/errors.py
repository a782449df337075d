"""The exceptions of bulk sends. All of them mean that nothing was sent, unless the run had begun before."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from linq_async.errors import LinqError

SHOWN_PROBLEMS = 20
"""How many problems of an input file are kept; the others are counted."""


@attrs.frozen
class RowProblem:
    """One problem with a file of recipients. Shows neither values nor numbers."""

    line: int
    """The line in the file, counted from 1."""
    row: int | None
    """The row, counted from 1 without the header; None for a problem with the header or the file."""
    message: str
    """What is wrong, such as ``phone_number is empty``."""

    def __str__(self) -> str:
        return f"line {self.line}{'' if self.row is None else f', row {self.row}'}: {self.message}"


class Problems:
    """Collects problems: keeps the first 20, and counts all."""

    def __init__(self) -> None:
        self.first: list[RowProblem] = []
        self.count: int = 0

    def add(self, problem: RowProblem) -> None:
        """Add a problem."""
        self.count += 1
        if len(self.first) < SHOWN_PROBLEMS:
            self.first.append(problem)

    def check(self, message: str) -> None:
        """Raise BulkInputError if there are any."""
        if self.count:
            raise BulkInputError(message, problems=self.first, count=self.count)


class BulkInputError(LinqError, ValueError):
    """A file of recipients has problems. Nothing was stored, and nothing was sent."""

    def __init__(self, message: str = "", *, problems: Iterable[RowProblem] = (), count: int = 0) -> None:
        self.problems: tuple[RowProblem, ...] = tuple(problems)
        """The first 20 problems."""
        self.count: int = count
        """The number of all problems."""
        lines = [message, *map(str, self.problems)]
        if count > len(self.problems):
            lines.append(f"and {count - len(self.problems):,} more")
        super().__init__("\n".join(lines))


class JournalError(LinqError):
    """The journal cannot be used: it is another file, damaged, or cannot be written."""


class JournalInUseError(JournalError):
    """Another process uses the journal."""


@attrs.frozen
class CampaignChange:
    """One difference between a campaign and the one in the journal."""

    name: str
    """What differs: ``campaign``, ``text``, ``senders``, ``columns`` or ``file``."""
    old: str = attrs.field(repr=False)
    """The value in the journal."""
    new: str = attrs.field(repr=False)
    """The value that was passed."""


class CampaignChangedError(JournalError):
    """The journal has another campaign, so nothing was sent. A new campaign needs a new name and a new journal."""

    def __init__(self, message: str = "", *, changes: Iterable[CampaignChange] = ()) -> None:
        self.changes: tuple[CampaignChange, ...] = tuple(changes)
        """What differs. The values may be personal, so the text of the error has only the names."""
        super().__init__(message)
