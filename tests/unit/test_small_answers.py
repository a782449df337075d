"""linq_async/wire/bounds.py, diagnosis.py: memory and time stay bounded for any response."""

from __future__ import annotations

import enum
import json
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_async import CreatedChat, DecodeError, Outcome, Service
from linq_async.models.chats import ChatList
from linq_async.models.contacts import ContactList
from linq_async.models.messages import MessageList
from linq_async.wire.bounds import MAX_VALUES, has_too_many_values, value_count, without_strings
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode, json_or_none
from tests.support.clients import MESSAGE, ONCE, client_of, failure_of, refusal_of
from tests.support.loopback import CREATED_CHAT, Loopback, Reply

MIB = 1 << 20


@attrs.define
class Node:
    """A class that holds itself."""

    data: list[Node]


class Colour(enum.Enum):
    """An enum that cattrs decodes by itself."""

    RED = "red"


def _quote(_instance: object, _attribute: object, value: str) -> None:
    raise ValueError(f"expected something else, got {value}")


@attrs.define
class Told:
    """A class whose own check quotes what it was given, in words that look like ours."""

    value: str = attrs.field(validator=_quote)


def _list_of(item: bytes, count: int) -> bytes:
    return b"[" + b",".join([item] * count) + b"]"


def _problems(body: bytes, returns: Any, envelope: str | None = None) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(RawResponse(200, {}, body), envelope, returns)
    return caught.value


WRONG: dict[str, tuple[Any, bytes]] = {
    "ones for chats": (ChatList, b'{"data":' + _list_of(b"1", 40_000) + b"}"),
    "objects without ids": (MessageList, b'{"data":' + _list_of(b"{}", 20_000) + b"}"),
    "fields of other types": (ContactList, b'{"contacts":' + _list_of(b'{"id":"x","email":5}', 10_000) + b"}"),
    "lists for sets": (set[int], _list_of(b"[]", 24_000)),
    "a mapping of enums": (dict[str, Colour], json.dumps({str(n): "blue" for n in range(20_000)}).encode()),
    "a mapping of lists": (dict[str, list[int]], json.dumps({str(n): 5 for n in range(20_000)}).encode()),
    "a class within itself": (Node, b'{"data":' + _list_of(b"1", 40_000) + b"}"),
    "objects in objects": (dict[str, int], b'{"a":' * 900 + b"1" + b"}" * 900),
    "itself, 300 deep": (Node, b'{"data":[' * 300 + b"1" + b"]}" * 300),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_diagnosis_stops(name: str) -> None:
    """However many values differ, 20 problems are named at most, and little memory is used to find them."""
    returns, body = WRONG[name]
    _problems(b"5", returns)  # loads what is loaded once
    tracemalloc.start()
    try:
        error = _problems(body, returns)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1 <= len(error.paths) <= 20
    assert len(str(error)) < 2_000
    assert peak < 24 * MIB


def test_a_diagnosis_names_the_first_problems() -> None:
    """Of many problems the first 20 are named, in the order of the answer, and none twice."""
    error = _problems(b'{"data":' + _list_of(b"{}", 500) + b"}", ChatList)
    assert error.paths == tuple(f"$.data[{number}].id" for number in range(20))


def test_a_large_answer_is_not_diagnosed() -> None:
    """Above 256 KiB a wrong answer is an error that names the envelope, and says why it names no more."""
    answer = {**CREATED_CHAT["data"], "id": "x", "display_name": "x" * (257 << 10)}
    error = _problems(json.dumps({"data": answer}).encode(), CreatedChat, "data")
    assert error.paths == ("$.data",)
    assert "too large to explain" in str(error)


@pytest.mark.parametrize("key", ["+15550001111", "a'] @ $.b", 'x"]', "[0]", " @ $.secret"])
def test_a_mapping_key_is_masked(key: str) -> None:
    """A path names no key of a mapping, whatever it looks like: it may be somebody's number."""
    error = _problems(json.dumps({key: {key: "text"}}).encode(), dict[str, dict[str, int]])
    assert error.paths == ("$[*][*]",)
    assert str(error).endswith(": $[*][*]: expected int, got str")


def test_a_reason_in_the_words_of_another_is_not_shown() -> None:
    """What the caller's own class raises is named by its type: its text may quote a value."""
    error = _problems(b'{"value": "+15550001111"}', Told)
    assert str(error).endswith(": $: not accepted (ValueError)")


def test_a_missing_field_is_called_missing() -> None:
    """A field that is required and absent is named by its wire name, with that reason."""
    error = _problems(b'{"data": {"id": 1}}', CreatedChat, "data")
    assert str(error).endswith(": $.data.chat_messages: required field missing")


READERS: dict[str, Callable[[bytes], object]] = {
    "decode": lambda body: decode(RawResponse(200, {}, body), "data", CreatedChat),
    "any JSON": lambda body: json_or_none(RawResponse(200, {}, body)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("item", [b"1", b"{}", b"[]", b'""', b'{"":[[[]]]}'])
def test_too_many_values_are_not_parsed(reader: str, item: bytes) -> None:
    """An answer of millions of values is refused before it is parsed, and takes less memory than its own bytes."""
    body = b'{"data":' + _list_of(item, 100_000) + b"}"
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="more than 50,000 values") as caught:
            READERS[reader](body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (caught.value.outcome, caught.value.paths) == (Outcome.SENT, ("$",))
    assert peak < 2 * len(body) + (64 << 10)


@pytest.mark.parametrize("text", [",", "[{", '",', '\\",', "\\", '\\\\",{'])
def test_texts_are_not_counted(text: str) -> None:
    """A person may write a text of nothing but commas, brackets, quotes and backslashes: the answer is decoded."""
    answer = json.loads(json.dumps(CREATED_CHAT))
    answer["data"]["chat_messages"]["text"] = text * 60_000
    chat = decode(RawResponse(200, {}, json.dumps(answer).encode()), "data", CreatedChat)
    assert chat.message.text == text * 60_000


def test_a_full_page_is_far_below_the_limit() -> None:
    """A page of 100 chats with 32 people each, every field there, is decoded and holds half of what may come."""
    handle = CREATED_CHAT["data"]["chat_handles"][0]
    chat = {"id": 1, "display_name": "x", "service": "SMS", "group": True, "chat_handles": [handle] * 32}
    body = json.dumps({"data": [chat] * 100, "meta": {"page": 1, "total_pages": 9}}).encode()
    assert len(decode(RawResponse(200, {}, body), None, ChatList).data) == 100
    assert value_count(body) < MAX_VALUES / 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a,[{"\\\u00e9', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet=',"\\{', max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def _values_in(value: Any) -> int:
    inner: Iterable[Any] = []
    if isinstance(value, dict):
        inner = cast("dict[str, object]", value).values()
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    return 1 + sum(_values_in(one) for one in inner)


@settings(max_examples=100, deadline=None)
@given(json_values)
def test_values_are_counted(value: Any) -> None:
    """Without its texts, JSON has at least as many values as are counted in it, and one more for an empty list."""
    count = value_count(without_strings(json.dumps(value).encode()))
    assert _values_in(value) <= count <= 2 * _values_in(value)


def test_a_short_body_is_not_counted() -> None:
    """Values are counted only in responses of 64 KiB or more."""
    assert not has_too_many_values(_list_of(b"1", 30_000))
    assert not has_too_many_values(_list_of(b"1", MAX_VALUES - 2))
    assert has_too_many_values(_list_of(b"1", MAX_VALUES + 1))


@pytest.mark.parametrize("entry", [b"{}", b'"a sentence"', b'{"code":"a"}', b"5,{}"])
@pytest.mark.parametrize("status", [307, 400, 422, 503])
def test_an_error_keeps_20_details(status: int, entry: bytes) -> None:
    """The first 20 entries of an error response are kept."""
    error = refusal_of(RawResponse(status, {}, b'{"errors":' + _list_of(entry, 2_000) + b"}"))
    assert 10 <= len(error.errors) <= 20


def test_a_long_refusal_is_read_to_64_kib() -> None:
    """An error response over 64 KiB has no details, keeps the start of its body, and uses little memory."""
    body = b'{"errors":' + _list_of(b"{}", 1_000_000) + b"}"
    tracemalloc.start()
    try:
        error = refusal_of(RawResponse(503, {}, body))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (error.errors, error.body, peak < 12 * MIB) == ((), body[: 64 << 10], True)


@pytest.mark.asyncio
async def test_a_send_with_too_large_an_answer_is_sent() -> None:
    """A stored message whose answer holds too many values is SENT, under its key, and is not sent again."""
    many = Reply(201, b'{"data":' + _list_of(b"{}", 200_000) + b"}")
    async with Loopback(many, many) as server, client_of(server) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE, idempotency_key="k-1"))
        again = await failure_of(linq.request("GET", "/x"))
    assert len(server.seen) == 2
    assert (type(error).__name__, error.outcome, error.idempotency_key) == ("DecodeError", Outcome.SENT, "k-1")
    assert (type(again).__name__, again.outcome, again.attempts) == ("DecodeError", Outcome.SENT, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "returns",
    [
        [int],
        {},
        {"a": int},
        "Chat",
        5,
        object,
        int | str,
        int | float | None,
        Service | int,
        Service | int | None,
        list[int | str],
        dict[str, object],
        Loopback,
        list[Loopback],
    ],
)
async def test_what_cannot_be_decoded_into_is_refused(returns: Any) -> None:
    """A ``returns`` that JSON cannot be decoded into is refused with the other arguments, before anything is sent."""
    async with Loopback() as server, client_of(server, retry=ONCE) as linq:
        with pytest.raises(ValueError, match=r"path must look like .*; returns must be a type"):
            await linq.request("POST", "x", json={}, returns=returns)
        with pytest.raises(ValueError, match=r"^returns must be a type that JSON can be decoded into"):
            await linq.request("POST", "/x", json={}, returns=returns)
    assert server.seen == []
