"""Whatever a server answers, decoding gives a true result or a DecodeError."""

from __future__ import annotations

import copy
import enum
import json
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import attrs
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_async import APIError, CreatedChat, DecodeError, Outcome
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode, retry_after
from tests.support.clients import refusal_of
from tests.support.loopback import CREATED_CHAT

from .oracle import Detail, defects, expected_details, is_same

NOW = 1e9
quick = settings(
    max_examples=50,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
words = st.text(max_size=12) | st.sampled_from(["iMessage", "delivered", "2025-05-21 15:30:00 -0600", "None", "false"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(leaves, lambda one: st.lists(one, max_size=4) | st.dictionaries(words, one, max_size=4))


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return the members of an object, or the items of a list with their indices."""
    if isinstance(value, dict):
        return cast("dict[object, object]", value).items()
    return enumerate(cast("list[object]", value)) if isinstance(value, list) else ()


def _paths(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value in an answer, the root excepted."""
    for step, inner in _items(value):
        yield (*way, step)
        yield from _paths(inner, (*way, step))


PATHS = list(_paths(CREATED_CHAT))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Draw the page's answer with up to three values replaced or taken away."""
    answer: Any = copy.deepcopy(CREATED_CHAT)
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(PATHS))
        try:
            at = answer
            for step in way:
                at = at[step]
            if draw(st.booleans()):
                at[last] = draw(values)
            else:
                del at[last]
        except (KeyError, IndexError, TypeError):  # an earlier change took the way to it
            continue
    return answer


def _is_declared(value: Any, kind: Any) -> bool:
    """Return whether a value fits the annotation of its field."""
    origin = typing.get_origin(kind)
    if origin in {typing.Union, types.UnionType}:
        return any(_is_declared(value, member) for member in typing.get_args(kind))
    if origin is list:
        return type(value) is list and all(_is_declared(item, *typing.get_args(kind)) for _, item in _items(value))
    if origin is tuple:
        items = cast("tuple[Any, ...]", value)
        return type(value) is tuple and all(_is_declared(item, typing.get_args(kind)[0]) for item in items)
    if attrs.has(kind):
        return type(value) is kind and _is_true(value)
    if kind is datetime:
        return type(value) is datetime and value.tzinfo is not None
    return type(value) is kind


def _is_true(result: Any) -> bool:
    kind = cast("Any", type(result))
    hints = typing.get_type_hints(kind)
    return all(_is_declared(getattr(result, field.name), hints[field.name]) for field in attrs.fields(kind))


def _has_no_known_str(result: Any) -> bool:
    """Return whether no field has a plain str that its enum lists."""
    result_type = cast("Any", type(result))
    hints = typing.get_type_hints(result_type)
    for field in attrs.fields(result_type):
        value = getattr(result, field.name)
        members = [kind for kind in typing.get_args(hints[field.name]) if isinstance(kind, enum.EnumType)]
        if type(value) is str and any(value in kind.__members__.values() for kind in members):
            return False
    return True


def _expected_paths(body: bytes) -> tuple[set[str], set[str]]:
    """Return the paths that an error must name, and those that it may name."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return {"$"}, {"$"}
    if type(data) is not dict or "data" not in data:
        return {"$.data"}, {"$.data"}
    found = list(defects(data["data"], CreatedChat, "$.data"))
    return {path for path, certain in found if certain}, {path for path, _ in found}


def _decode(body: bytes) -> None:
    """Decode a body, and compare the result with the JSON, or the error with its defects."""
    must, may = _expected_paths(body)
    chat = error = None
    try:
        chat = decode(RawResponse(201, {"X-Request-Id": "r-1"}, body), "data", CreatedChat)
    except DecodeError as raised:
        error = raised
    if error is not None:
        assert error.paths
        assert must <= set(error.paths) <= may
        assert (error.status, error.outcome, error.body, error.request_id) == (201, Outcome.SENT, body, "r-1")
        return
    assert not must
    assert is_same(chat, orjson.loads(body)["data"])
    assert _is_true(chat)
    assert _has_no_known_str(chat)


@quick
@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Random bytes are a DecodeError."""
    _decode(body)


@quick
@given(values)
def test_any_json(value: Any) -> None:
    """Any JSON value, bare or in the envelope, ends in a true result or a DecodeError."""
    _decode(json.dumps(value).encode())
    _decode(json.dumps({"data": value}).encode())


@settings(quick, max_examples=100)
@given(mutated())
def test_mutated_answers(answer: Any) -> None:
    """A real answer with any values changed gives fields of exactly the declared types, or a DecodeError."""
    _decode(json.dumps(answer).encode())


@quick
@given(st.integers(0, 400), st.binary(max_size=8))
def test_cut_and_spliced_answers(cut: int, splice: bytes) -> None:
    """A real answer that is cut and spliced with bytes gives a true result or a DecodeError."""
    whole = json.dumps(CREATED_CHAT).encode()
    _decode(whole[:cut] + splice + whole[cut:])
    _decode(whole[:cut] + splice)


def _refuse(body: bytes, status: int, headers: dict[str, str]) -> None:
    """Turn a body into an APIError, and compare all that it says with the body."""
    error = refusal_of(RawResponse(status, headers, body), 1e9)
    assert isinstance(error, APIError)
    unknown = not 400 <= status <= 499 or status in (408, 409)
    assert (error.status, error.outcome) == (status, Outcome.UNKNOWN if unknown else Outcome.NOT_SENT)
    assert [(one.status, one.code, one.title, one.detail) for one in error.errors] == _details(body)
    assert (error.body, error.retry_after) == (body, None)
    assert error.headers == {name.lower(): value for name, value in headers.items()}
    asked = headers.get("X-Request-Id", "")
    assert error.request_id in (asked, None)
    assert error.request_id is None or re.fullmatch(r"[!-~]{1,128}", error.request_id)


def _details(body: bytes) -> list[Detail]:
    try:
        return expected_details(orjson.loads(body))
    except ValueError:
        return []


@quick
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()), st.integers(300, 599))
def test_any_refusal(body: bytes, status: int) -> None:
    """Any body of any refusal becomes an APIError with details of the declared types."""
    _refuse(body, status, {"Location": body.decode("latin-1"), "X-Request-Id": body.decode("latin-1")})


names = st.sampled_from(["errors", "error_code", "message", "status", "code", "title", "detail"])


@quick
@given(st.dictionaries(names, values), st.lists(words | st.dictionaries(names, leaves), max_size=24))
def test_any_error_format(value: dict[str, Any], entries: list[Any]) -> None:
    """Bodies with the documented names and any values give the details that they hold, the first twenty of them."""
    _refuse(json.dumps(value).encode(), 422, {})
    _refuse(json.dumps({**value, "errors": entries}).encode(), 422, {})


@quick
@given(st.text(max_size=40))
def test_any_retry_after(header: str) -> None:
    """Any Retry-After header is None, or a number of seconds that can be waited."""
    found = retry_after(header, NOW)
    assert found is None or 0.0 <= found < float("inf")


@quick
@given(st.floats())
def test_retry_after_in_seconds(seconds: float) -> None:
    """A number of seconds is that many, none below 0, and no infinity."""
    assert retry_after(str(seconds), NOW) == (max(seconds, 0.0) if math.isfinite(seconds) else None)


@quick
@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)))
def test_retry_after_as_a_date(date: datetime) -> None:
    """A date is the seconds until then, none below 0."""
    until = date.replace(microsecond=0, tzinfo=UTC).timestamp() - NOW
    assert retry_after(f"{date:%a, %d %b %Y %H:%M:%S GMT}", NOW) == max(until, 0.0)
