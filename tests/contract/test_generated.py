"""The sandbox against requests that schemathesis makes up: no 5xx, and no answer outside the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.core.failures import FailureGroup

import linq_async.sandbox.api.phone_numbers
from linq_async.sandbox import Sandbox
from linq_async.sandbox.api.phone_numbers import phone_number_data
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import PhoneNumber

from .document import contract
from .generated import ANY_CASE, CHECKS, call, cases, fill, schema
from .recorder import Recorder
from .samples import TOKEN

OPERATIONS = sorted(contract().operations)
Send = Callable[[Any], Any]


@pytest.fixture
def send(threaded: Sandbox, recorder: Recorder) -> Iterator[Send]:
    """Send cases to a sandbox that knows one of each thing before each of them."""
    with requests.Session() as session:

        def one(case: Any) -> Any:
            threaded.reset()
            fill(threaded._state)
            return call(case, threaded, session, recorder)

        yield one


def _try(name: str, send: Send, recorder: Recorder, examples: int) -> set[int]:
    statuses: set[int] = set()

    @settings(ANY_CASE, max_examples=examples)
    @given(case=cases(name))
    def attempt(case: Any) -> None:
        statuses.add(send(case).status_code)

    attempt()
    assert recorder.counts["exchanges"] >= examples // 2
    return statuses


@pytest.mark.slow
def test_the_document_is_openapi() -> None:
    """The contract, spelled out, is a valid OpenAPI 3.1 document with 29 operations."""
    schema().validate()
    assert len(list(schema().get_all_operations())) == 29


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_few_requests(name: str, send: Send, recorder: Recorder) -> None:
    """A handful of made-up requests, right and wrong, are answered within the contract."""
    assert _try(name, send, recorder, 8)


def _with_another_member(line: PhoneNumber) -> Params:
    return {**phone_number_data(line), "surplus": 1}


def _failing(line: PhoneNumber) -> Params:
    raise RuntimeError(line.phone_number)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [_with_another_member, _failing])
def test_a_defect_is_found(
    broken: Callable[[PhoneNumber], Params], send: Send, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer outside the contract, and a 5xx, fail the made-up requests, and the recorder sees them, too."""
    monkeypatch.setattr(linq_async.sandbox.api.phone_numbers, "phone_number_data", broken)
    with pytest.raises(FailureGroup):
        _try("listPhoneNumbers", send, recorder, 8)
    assert recorder.failures()


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_many_requests(name: str, send: Send, recorder: Recorder) -> None:
    """Many made-up requests are answered within the contract, and those that need no body with what was asked for."""
    statuses = _try(name, send, recorder, 75)
    assert contract().operations[name].bodies or min(statuses) < 300


@pytest.mark.slow
def test_sequences(threaded: Sandbox, recorder: Recorder) -> None:
    """Sequences of calls, each with ids from the answers before it, are answered within the contract."""
    session = requests.Session()
    counts = recorder.counts

    class Sequence(schema().as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            threaded.reset()
            fill(threaded._state)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": threaded.base_url, "session": session, "headers": TOKEN}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)
            recorder.raise_failures()
            counts[f"sequence: {case.operation.definition.raw['operationId']} {response.status_code}"] += 1

    with session:
        run_state_machine_as_test(Sequence, settings=settings(ANY_CASE, max_examples=60, stateful_step_count=12))
    reached = {name for name in counts if name.endswith((" 200", " 201", " 204"))}
    assert len(reached) >= 10, counts
