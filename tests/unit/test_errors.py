"""linq_async/errors.py."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from linq_async import errors
from linq_async.errors import (
    APIError,
    ClientStateError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    ErrorDetail,
    InvalidArgumentError,
    LinqError,
    Outcome,
    Problem,
    RequestTimeoutError,
    UploadError,
)


def _descendants(kind: type[LinqError]) -> Iterator[type[LinqError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _descendants(child)


def _drawn(kind: type[LinqError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _drawn(child, depth + 1)


def _described() -> list[tuple[int, str]]:
    assert errors.__doc__ is not None
    tree = errors.__doc__.split("::\n\n", 1)[1].split("\n\n", 1)[0]
    return [((len(line) - len(line.lstrip()) - 4) // 2, line.split()[0]) for line in tree.splitlines()]


def _api(kind: type[APIError]) -> APIError:
    return kind(
        "422 rejected",
        status=422,
        outcome=Outcome.NOT_SENT,
        errors=[ErrorDetail(422, "invalid_params", "Invalid Params", "No.")],
        body=b"{}",
        headers={"retry-after": "7"},
        retry_after=7.0,
        request_id="r-1",
    )


MADE: dict[type[LinqError], Callable[[], LinqError]] = {
    InvalidArgumentError: lambda: InvalidArgumentError([Problem("text", "must not be empty")]),
    UploadError: lambda: UploadError("a.png", "is a directory", outcome=Outcome.UNKNOWN),
    ConnectError: lambda: ConnectError("no connection", reason="dns"),
    ConnectionLostError: lambda: ConnectionLostError("lost", outcome=Outcome.UNKNOWN),
    RequestTimeoutError: lambda: RequestTimeoutError("write", 0.5),
    DecodeError: lambda: DecodeError("not the shape", paths=["$.data.id"], status=201, body=b"[]", request_id="r-2"),
    LinqError: lambda: LinqError("failed"),
    ClientStateError: lambda: ClientStateError("closed"),
    ConfigurationError: lambda: ConfigurationError("no token"),
}
KINDS: list[type[LinqError]] = [LinqError, *_descendants(LinqError)]


def _made(kind: type[LinqError]) -> LinqError:
    """Make an error as the pipeline leaves it: with outcome, key and attempts written on it."""
    error = MADE[kind]() if kind in MADE else _api(kind) if issubclass(kind, APIError) else kind("failed")
    error.outcome, error.attempts, error.idempotency_key = Outcome.SENT, 3, "key-1"
    return error


def _same(error: Any) -> Any:
    return error


def _pickled(protocol: int) -> Callable[[LinqError], LinqError]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


COPIERS = {f"pickle {number}": _pickled(number) for number in range(2, 6)} | {"copy": copy.copy, "deep": copy.deepcopy}


def _assert_equal(found: LinqError, error: LinqError) -> None:
    assert type(found) is type(error)
    assert vars(found) == vars(error)
    assert (str(found), repr(found), found.args) == (str(error), repr(error), error.args)


def test_the_tree_is_drawn_as_it_is() -> None:
    """The tree in the module's docstring is the tree of the classes."""
    assert _described() == list(_drawn(LinqError))


@pytest.mark.parametrize("copied", COPIERS.values(), ids=COPIERS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_copies(kind: type[LinqError], copied: Callable[[LinqError], LinqError]) -> None:
    """Every error keeps its class, text and attributes through pickle, copy and deepcopy."""
    error = _made(kind)
    _assert_equal(copied(error), error)


@pytest.mark.slow
def test_errors_survive_a_process_pool() -> None:
    """Every error comes back whole from another process."""
    made = [_made(kind) for kind in KINDS]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(_same, made))
    for one, error in zip(found, made, strict=True):
        _assert_equal(one, error)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_needs_no_arguments(kind: type[LinqError]) -> None:
    """Every class can be made and printed without arguments, as mocks and reprs do."""
    error = kind()
    assert isinstance(str(error) + repr(error), str)
    assert isinstance(error.outcome, Outcome)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(InvalidArgumentError, ValueError), (RequestTimeoutError, TimeoutError), (ClientStateError, RuntimeError)],
)
def test_an_error_is_also_the_builtin_one(kind: type[LinqError], builtin: type[Exception]) -> None:
    """Those who catch the built-in class catch ours."""
    assert issubclass(kind, builtin)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("not_sent", "not_sent", "not_sent"),
        ("not_sent", "unknown", "unknown"),
        ("not_sent", "sent", "sent"),
        ("unknown", "unknown", "unknown"),
        ("unknown", "sent", "sent"),
        ("sent", "sent", "sent"),
    ],
)
def test_outcomes_join(first: str, second: str, joined: str) -> None:
    """What may have happened never un-happens, in whichever order two attempts are joined."""
    assert Outcome(first).joined(Outcome(second)) is Outcome(joined)
    assert Outcome(second).joined(Outcome(first)) is Outcome(joined)


def test_all_problems_are_reported_at_once() -> None:
    """An InvalidArgumentError names every argument in one line."""
    error = InvalidArgumentError([Problem("text", "must not be empty"), Problem("phone_numbers[1]", "must be a str")])
    assert str(error) == "text must not be empty; phone_numbers[1] must be a str"
    assert error.outcome is Outcome.NOT_SENT


def test_the_message_has_the_outcome_of_the_call() -> None:
    """The text of an error after an attempt holds outcome, attempts, key and request id."""
    error = LinqError("503 the server failed", outcome=Outcome.UNKNOWN, idempotency_key="k", attempts=2, request_id="r")
    facts = "(outcome: unknown, attempts: 2, idempotency key: k, request id: r)"
    assert str(error) == f"503 the server failed {facts}"
