"""linq_async/bulk/errors.py: errors that can be passed on, and that show nothing personal."""

from __future__ import annotations

import pickle

import pytest

from linq_async import LinqError, Outcome, error_to_dict
from linq_async.bulk import (
    BulkInputError,
    CampaignChange,
    CampaignChangedError,
    JournalError,
    JournalInUseError,
    RowProblem,
)

ERRORS: list[LinqError] = [
    BulkInputError("problems", problems=[RowProblem(2, 1, "has 1 fields"), RowProblem(1, None, "is empty")], count=3),
    JournalError("no"),
    JournalInUseError("no"),
    CampaignChangedError("no", changes=[CampaignChange("text", "old", "new")]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_can_be_pickled(error: LinqError) -> None:
    """An error survives a pickle with its attributes, and becomes a dict with the keys of all errors."""
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
    assert error_to_dict(error)["outcome"] == Outcome.NOT_SENT


def test_problems_are_lines() -> None:
    """Each problem is a line with its place, and the last line counts those that are not shown."""
    assert str(ERRORS[0]) == "problems\nline 2, row 1: has 1 fields\nline 1: is empty\nand 1 more"
