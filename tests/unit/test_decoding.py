"""linq_async/wire/decoding.py: bodies that may be those of responses or of webhooks."""

from __future__ import annotations

import traceback

import pytest

from linq_async import Chat, DecodeError, Outcome
from linq_async.wire.bounds import ERROR_BODY_BYTES, MAX_VALUES
from linq_async.wire.decoding import decode_body
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode

outcomes = pytest.mark.parametrize("outcome", [*Outcome])
CASES = {
    "empty": (b"", "$: the body is empty", "$"),
    "not JSON": (b"<p>+15550001111</p>", "$: not JSON", "$"),
    "no envelope": (b'{"id": 1}', "$.data: required field missing", "$.data"),
    "another type": (b'{"data": {"id": "+15550001111"}}', "$.data.id: expected int, got str", "$.data.id"),
    "many values": (b"[" + b"0," * 2 * MAX_VALUES + b"0]", "$: more than 50,000 values", "$"),
}


def _refused(body: bytes, outcome: Outcome) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode_body(body, "data", Chat, outcome)
    return caught.value


@outcomes
def test_a_body_is_decoded(outcome: Outcome) -> None:
    """The model is returned, whatever the outcome of a failure would be."""
    assert decode_body(b'{"data": {"id": 45}}', "data", Chat, outcome) == Chat(id=45)
    assert decode_body(b"[1, 2]", None, list[int], outcome) == [1, 2]


@outcomes
@pytest.mark.parametrize(("body", "problem", "path"), CASES.values(), ids=CASES)
def test_a_refused_body_has_the_outcome_of_its_caller(body: bytes, problem: str, path: str, outcome: Outcome) -> None:
    """The error has the given outcome and the path, and knows nothing of a status or a request."""
    error = _refused(body, outcome)
    assert str(error) == f"the body does not have the documented shape: {problem}"
    assert (error.outcome, error.paths, error.status, error.request_id) == (outcome, (path,), None, None)
    assert error.body == body[:ERROR_BODY_BYTES]


@pytest.mark.parametrize(("body", "problem", "path"), CASES.values(), ids=CASES)
def test_a_response_has_been_accepted(body: bytes, problem: str, path: str) -> None:
    """The error of a response has its status and request id, and the outcome SENT."""
    with pytest.raises(DecodeError) as caught:
        decode(RawResponse(201, {"X-Request-Id": "r-1"}, body), "data", Chat)
    error = caught.value
    assert str(error) == f"201, accepted, but the body does not have the documented shape: {problem}"
    assert (error.outcome, error.paths, error.status, error.request_id) == (Outcome.SENT, (path,), 201, "r-1")


@pytest.mark.parametrize("case", CASES)
def test_a_traceback_shows_no_body(case: str) -> None:
    """The frames of the decoder do not hold the body as a local, nor what was decoded from it."""
    error = _refused(CASES[case][0], Outcome.NOT_SENT)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
    assert [frame.f_code.co_name for frame in frames] == ["decode_body"]
    assert sorted(frames[0].f_locals) == ["envelope", "error", "outcome", "problems", "returns"]
