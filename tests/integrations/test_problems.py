"""linq_async/integrations/problems.py: every error as a response."""

from __future__ import annotations

import json

import pytest

from linq_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DecodeError,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    NotFoundError,
    Outcome,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
    UploadError,
    WebhookVerificationError,
)
from linq_async.integrations.problems import problem_of
from linq_async.webhooks import InboxError
from tests.support.errors import error_classes, make_error

NOT_SENT: dict[type[LinqError], int] = {
    InvalidArgumentError: 422,
    UploadError: 422,
    BadRequestError: 422,
    UnprocessableEntityError: 422,
    PayloadTooLargeError: 422,
    KeyReusedError: 422,
    NotFoundError: 404,
    RateLimitError: 503,
    AuthenticationError: 500,
    PermissionDeniedError: 500,
    ConfigurationError: 500,
    DecodeError: 500,
    InboxError: 500,
    WebhookVerificationError: 401,
}
"""The status of an error that sent nothing. Any other class is a 502."""
CLASSES = [*error_classes()]


@pytest.mark.parametrize("kind", CLASSES)
def test_the_status_follows_the_outcome(kind: type[LinqError]) -> None:
    """UNKNOWN is 504, SENT is 500, which no gateway repeats, and NOT_SENT depends on the class."""
    statuses = {outcome: problem_of(make_error(kind, outcome))[0] for outcome in Outcome}
    assert statuses == {Outcome.NOT_SENT: NOT_SENT.get(kind, 502), Outcome.UNKNOWN: 504, Outcome.SENT: 500}


@pytest.mark.parametrize("outcome", [*Outcome])
@pytest.mark.parametrize("kind", CLASSES)
def test_a_problem_has_the_same_members(kind: type[LinqError], outcome: Outcome) -> None:
    """Every problem has the same members, which come back equal from JSON and contain nothing that was sent."""
    status, problem = problem_of(make_error(kind, outcome))
    arguments: dict[type[LinqError], list[str]] = {InvalidArgumentError: ["text"], UploadError: ["attachments[1]"]}
    assert json.loads(json.dumps(problem)) == problem
    assert problem == {
        "type": f"urn:linq-async:{kind.__name__}",
        "title": problem["title"],
        "status": status,
        "outcome": outcome.value,
        "idempotency_key": "key-1",
        "request_id": "r-1",
        "arguments": arguments.get(kind, []),
        "hint": "text" if issubclass(kind, APIError) else None,
        "retry_after": 7 if status == 503 else None,
    }
    assert [part for part in ("5550001111", "nine") if part in json.dumps(problem)] == []


def test_the_titles_say_what_happened() -> None:
    """The title depends on the status; a 500 after a send differs from one before it."""
    titles = {problem_of(make_error(kind, one))[1]["title"] for kind in CLASSES for one in Outcome}
    assert len(titles) == len({401, 404, 422, 500, 502, 503, 504}) + 1
    sent = problem_of(make_error(DecodeError, Outcome.SENT))[1]["title"]
    assert sent.startswith("Sent")
    assert "same idempotency key" in problem_of(make_error(LinqError))[1]["title"]


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, 1), (30.0, 30), (None, None)])
def test_a_wait_is_in_whole_seconds(seconds: float | None, shown: int | None) -> None:
    """A wait is rounded up, so that nobody comes back too early; without one there is none to show."""
    status, problem = problem_of(RateLimitError("no", outcome=Outcome.NOT_SENT, retry_after=seconds))
    assert (status, problem["retry_after"]) == (503, shown)


def test_an_upload_outside_a_message_names_no_argument() -> None:
    """An upload that is not part of a message yet has no position to name."""
    assert problem_of(UploadError("a.pdf", "is a directory"))[1]["arguments"] == []


def test_a_subclass_of_a_callers_own_has_the_status_of_its_base() -> None:
    """A class that a caller derives is treated as its base, under its own name."""

    class QuotaError(RateLimitError):
        """A failure of the caller's."""

    status, problem = problem_of(QuotaError("no", outcome=Outcome.NOT_SENT))
    assert (status, problem["type"]) == (503, "urn:linq-async:QuotaError")
