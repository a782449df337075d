"""Whatever a server answers, decoding gives a true result or a DecodeError."""

from __future__ import annotations

import copy
import enum
import json
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_async import APIError, CreatedChat, DecodeError
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode, error_details, refusal, retry_after

from .loopback import CREATED_CHAT

quick = settings(max_examples=50, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
words = st.text(max_size=12) | st.sampled_from(["iMessage", "delivered", "2025-05-21 15:30:00 -0600", "None", "false"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(leaves, lambda one: st.lists(one, max_size=4) | st.dictionaries(words, one, max_size=4))


def _paths(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value in an answer, the root excepted."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
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
    """Tell whether a value is what the annotation of its field says."""
    origin = typing.get_origin(kind)
    if origin in {typing.Union, types.UnionType}:
        return any(_is_declared(value, member) for member in typing.get_args(kind))
    if origin is list:
        return type(value) is list and all(_is_declared(item, *typing.get_args(kind)) for item in value)
    if attrs.has(kind):
        return type(value) is kind and _is_true(value)
    if kind is datetime:
        return type(value) is datetime and value.tzinfo is not None
    return type(value) is kind


def _is_true(result: Any) -> bool:
    hints = typing.get_type_hints(type(result))
    return all(_is_declared(getattr(result, field.name), hints[field.name]) for field in attrs.fields(type(result)))


def _has_no_known_str(result: Any) -> bool:
    """Tell whether no field holds, as a bare str, a value that its enum lists."""
    hints = typing.get_type_hints(type(result))
    for field in attrs.fields(type(result)):
        value = getattr(result, field.name)
        members = [kind for kind in typing.get_args(hints[field.name]) if isinstance(kind, enum.EnumType)]
        if type(value) is str and any(value in [member.value for member in kind] for kind in members):  # type: ignore[attr-defined]
            return False
    return True


def _decode(body: bytes) -> None:
    try:
        chat = decode(RawResponse(201, {}, body), "data", CreatedChat)
    except DecodeError as error:
        paths = error.paths
    else:
        assert _is_true(chat)
        assert _has_no_known_str(chat)
        return
    assert paths
    assert all(path.startswith("$") for path in paths)


@quick
@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Any bytes at all end in a DecodeError, for they are no answer of ours."""
    _decode(body)


@quick
@given(values)
def test_any_json(value: Any) -> None:
    """Any JSON value, bare or in the envelope, ends in a true result or a DecodeError."""
    _decode(json.dumps(value).encode())
    _decode(json.dumps({"data": value}).encode())


@settings(quick, max_examples=200)
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
    error = refusal(RawResponse(status, headers, body), 1e9)
    assert isinstance(error, APIError)
    assert all(isinstance(found, type(None) | int | str) for one in error.errors for found in (one.status, one.detail))
    assert all(isinstance(found, type(None) | str) for one in error.errors for found in (one.code, one.title))


@quick
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()), st.integers(300, 599))
def test_any_refusal(body: bytes, status: int) -> None:
    """Any body of any refusal becomes an APIError with details of the declared types."""
    _refuse(body, status, {"Location": body.decode("latin-1"), "X-Request-Id": body.decode("latin-1")})


@quick
@given(st.dictionaries(st.sampled_from(["errors", "error_code", "message", "status", "code", "detail"]), values))
def test_any_error_format(value: Any) -> None:
    """Bodies with the documented names and any values give details, or none, and never raise."""
    error_details(json.dumps({**value, "errors": [value, value]}).encode())
    _refuse(json.dumps(value).encode(), 422, {})


@quick
@given(st.text(max_size=40) | st.floats().map(str) | st.datetimes().map("{:%a, %d %b %Y %H:%M:%S GMT}".format))
def test_any_retry_after(header: str) -> None:
    """Any Retry-After header is None, or a number of seconds that can be waited."""
    found = retry_after(header, 1e9)
    assert found is None or 0.0 <= found < float("inf")
