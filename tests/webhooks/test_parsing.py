"""linq_async/webhooks/parsing.py: whatever is delivered, the result is an event or a documented error."""

from __future__ import annotations

import contextlib
import copy
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_async import DecodeError, Outcome
from linq_async.webhooks import Event, event_key, explain, parse, unwrap
from linq_async.wire.bounds import ERROR_BODY_BYTES, MAX_DEPTH, MAX_VALUES
from tests.unit.test_decode_fuzz import quick, values

from .samples import SAMPLES, SECRET, envelope, sample_body, signed

MIB = 1 << 20


def nested(levels: int, text: str = "") -> bytes:
    """Return an event of a new type that is nested this deep."""
    inner = "[" * (levels - 2) + "]" * (levels - 2)
    return json.dumps(envelope("a.b", {"text": text, "inner": "@"})).replace('"@"', inner).encode()


HOSTILE: dict[str, tuple[bytes | str, str]] = {
    "empty": (b"", "$: the body is empty"),
    "blank": (b" ", "$: not JSON"),
    "HTML": (b"<p>", "$: not JSON"),
    "form": (b"event_type=message.received", "$: not JSON"),
    "NaN": (sample_body().replace(b"false", b"NaN"), "$: not JSON"),
    "infinite": (sample_body().replace(b"false", b"-Infinity"), "$: not JSON"),
    "deep": (b"[" * 2000 + b"]" * 2000, "$: not JSON"),
    "deep payload": (json.dumps(envelope()).replace('"Is', "[" * 2000).encode(), "$: not JSON"),
    "nested": (nested(MAX_DEPTH + 1), "$: nested more than 100 levels deep"),
    "nested in a large body": (nested(MAX_DEPTH + 1, "x" * (MIB // 2)), "$: nested more than 100 levels deep"),
    "nested as far as JSON is read": (nested(1000), "$: nested more than 100 levels deep"),
    "lone surrogate": (sample_body().replace(b"cake", rb"\ud83c"), "$: not JSON"),
    "lone surrogate in a str": (sample_body().decode().replace("cake", "\ud83c"), "$: not JSON"),
    "BOM": (b"\xef\xbb\xbf" + sample_body(), "$: not JSON"),
    "UTF-16": (sample_body().decode().encode("utf-16"), "$: not JSON"),
    "Latin-1": (sample_body().replace(b"cake", b"\xe9"), "$: not JSON"),
    "two values": (sample_body() * 2, "$: not JSON"),
    "null": (b"null", "$: expected an object, got NoneType"),
    "list": (b"[]", "$: expected an object, got list"),
    "list of an event": (b"[" + sample_body() + b"]", "$: expected an object, got list"),
    "text": (b'"message.received"', "$: expected an object, got str"),
    "number": (b"5", "$: expected an object, got int"),
    "type as a list": (json.dumps(envelope() | {"event_type": ["a"]}).encode(), "$.event_type: expected str, got list"),
    "id as a number": (json.dumps(envelope(event_id=5)).encode(), "$.event_id: expected str, got int"),
    "no id": (json.dumps(envelope(event_id="")).encode(), "$: event_id or event_type is empty"),
    "no type": (json.dumps(envelope("")).encode(), "$: event_id or event_type is empty"),
    "a long id": (json.dumps(envelope(event_id="e" * 257)).encode(), "longer than 256 characters"),
    "a long type": (json.dumps(envelope("t" * 257)).encode(), "longer than 256 characters"),
    "an id of two lines": (json.dumps(envelope(event_id="e\n1")).encode(), "is empty, not printable"),
    "an unprintable type": (json.dumps(envelope("a\u202e")).encode(), "is empty, not printable"),
    "a type with a colon": (json.dumps(envelope("a:b")).encode(), "$: event_id or event_type is empty"),
    "2 MiB": (sample_body(text="x" * 2 * MIB), "$: longer than 1,048,576 bytes"),
    "many values": (b"[" + b"0," * 2 * MAX_VALUES + b"0]", "$: more than 50,000 values"),
    "many objects": (b"[" + b"{}," * 2 * MAX_VALUES + b"0]", "$: more than 50,000 values"),
    "many wrong items": (sample_body(chat_handles=[0] * 40_000), "$.data.chat_handles[0]: expected an object, got int"),
    "large and wrong": (sample_body(text="x" * (MIB // 2), id=None), "$: not accepted, and too large to explain"),
}


@pytest.mark.parametrize(("body", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_an_event_is_a_decode_error(body: bytes | str, problem: str) -> None:
    """A body that is signed and is not an event is a ``DecodeError``, whose text shows no value."""
    with pytest.raises(DecodeError) as parsed:
        parse(body)
    with pytest.raises(DecodeError) as unwrapped:
        unwrap(body, signed(body), SECRET)
    for caught in (parsed, unwrapped):
        assert problem in str(caught.value)
        assert (caught.value.outcome, caught.value.status) == (Outcome.NOT_SENT, None)
        assert len(caught.value.body) <= ERROR_BODY_BYTES


@pytest.mark.timed
def test_no_body_takes_long() -> None:
    """The worst bodies of 1 MiB take a fraction of a second, and a few MiB beyond their own."""
    bodies = [
        sample_body(text='"' * (MIB // 2 - 2000)),
        b"[" + b'"",' * (MIB // 3) + b"0]",
        sample_body(chat_handles=[{}] * 24_000),
        sample_body(chat_handles=[{"identifier": 1, "display_name": 2, "is_me": 3}] * 3_000),
        sample_body(chat_id="1" * 500_000),
        json.dumps(envelope("a.b", {f"name {index}": "" for index in range(40_000)})).encode(),
        json.dumps(envelope("a.b", {"id": "@"})).replace('"@"', "[" * 900 + "]" * 900).encode(),
    ]
    for body in bodies:
        headers = signed(body)
        tracemalloc.start()
        started = time.process_time()
        for function in (unwrap, explain):
            with contextlib.suppress(DecodeError):
                function(body, headers, SECRET)
        taken = time.process_time() - started
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (taken < 0.5, peak < 20 * MIB) == (True, True)


def test_a_large_event_is_an_event() -> None:
    """A body of almost 1 MiB is decoded, and so is one with many values."""
    for body in (sample_body(text="x" * (MIB - 2000)), sample_body(chat_handles=[{}] * 20_000)):
        event = unwrap(body, signed(body), SECRET)
        assert event.body == body
        assert event.chat_id == 8102


@pytest.mark.parametrize("text", ["", "[" * 200, '[{"' * 200])
def test_brackets_in_texts_are_no_levels(text: str) -> None:
    """An event of 100 levels is an event, and its texts may have any number of brackets."""
    event = parse(nested(MAX_DEPTH, text))
    assert json.loads(json.dumps(event.raw, indent=2))["data"]["text"] == text


def test_the_last_member_of_a_name_counts() -> None:
    """A member that is repeated has its last value, as in other JSON parsers."""
    body = b'{"event_type": "message.read", ' + sample_body().removeprefix(b"{")
    assert parse(body).event_type == "message.received"


quick_names = st.sampled_from(["id", "chat_id", "event_id", "event_type", "data", "created_at", "text", "chat_handles"])
events = st.sampled_from([envelope(event_type, data) for event_type, data in SAMPLES.values()])


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Draw an event with up to three members of it or of its payload replaced or taken away."""
    event: Any = copy.deepcopy(draw(events))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from([event, event.get("data")]))
        if isinstance(place, dict):
            name = draw(quick_names)
            place[name] = draw(values)
            if draw(st.booleans()):
                del place[name]
    return event


@quick
@given(st.binary(max_size=200) | (values | mutated()).map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_event_or_a_decode_error(body: bytes) -> None:
    """Arbitrary bytes and JSON raise only the documented error, and an event can be used as one."""
    try:
        event = unwrap(body, signed(body), SECRET)
    except DecodeError as error:
        found: Event | DecodeError = error
    else:
        found = event
        assert event == parse(event.body)
    if isinstance(found, DecodeError):
        assert found.paths
        assert str(found).startswith("the body does not have the documented shape: $")
    else:
        assert event_key(found) == f"{found.event_type}:{found.event_id}"
        assert found.chat_id is None or type(found.chat_id) is int


@settings(quick, max_examples=30)
@given(mutated())
def test_the_payload_of_an_event_is_as_it_was_sent(value: Any) -> None:
    """What is decoded is in the JSON: nothing is invented."""
    try:
        event = parse(json.dumps(value))
    except DecodeError:
        return
    assert event.raw == json.loads(json.dumps(value))
    assert (event.event_type, event.event_id) == (value["event_type"], value["event_id"])
