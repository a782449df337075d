"""linq_async/webhooks/events.py and data.py: every documented event is decoded into its class."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast, get_args

import attrs
import pytest

from linq_async import DecodeError, Service, WebhookEventType, to_dict
from linq_async.models.decodable import wire_name
from linq_async.webhooks import (
    CallCompleted,
    ChatCreated,
    Event,
    MessageData,
    MessageReceived,
    ReactionReceived,
    TypingIndicatorReceived,
    UnknownEvent,
    WebhookEvent,
    event_key,
    parse,
    unwrap,
)

from .samples import LINE, PERSON, SAMPLES, SECRET, envelope, sample_body, signed

MOMENT = datetime(2025, 9, 2, 16, 56, 20, tzinfo=timezone(-timedelta(hours=6)))
UNDOCUMENTED = {"chat.created", "participant.added", "participant.removed", "message.expired"}
REQUIRED = {"id", "chat_id"}
kinds = pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)


def _received(**changes: Any) -> MessageReceived:
    event = parse(sample_body(**changes))
    assert isinstance(event, MessageReceived)
    return event


def _fields(value: object) -> Iterator[tuple[str, object]]:
    """Yield the fields of a payload and of what it contains, by their names in JSON."""
    kind: type[Any] = value.__class__
    for field in attrs.fields(kind) if attrs.has(kind) else ():
        inner: object = getattr(value, field.name)
        yield wire_name(field), inner
        for one in cast("list[object]", inner) if isinstance(inner, list) else [inner]:
            yield from _fields(one)


def _with_ids(value: object, kind: type) -> Any:
    """Return JSON with the ids that are numbers as another type."""
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        is_id = {name for name, inner in pairs if name.endswith("id") and str(inner).isdecimal()}
        return {name: kind(inner) if name in is_id else _with_ids(inner, kind) for name, inner in pairs}
    return [_with_ids(one, kind) for one in cast("list[object]", value)] if isinstance(value, list) else value


@kinds
def test_an_event_is_decoded_into_its_class(kind: type[WebhookEvent]) -> None:
    """The class follows the type, and the event has what its envelope has."""
    event_type, data = SAMPLES[kind]
    body = sample_body(kind)
    event = unwrap(body, signed(body), SECRET)
    assert type(event) is kind
    assert isinstance(event, Event)
    assert (event.event_type, event.created_at, event.api_version) == (event_type, MOMENT, "v2")
    assert event_key(event) == f"{event_type}:{event.event_id}"
    assert (event.body, event.raw) == (body, json.loads(body))
    assert event.chat_id == (8102 if "chat_id" in data else None)
    assert event == parse(body.decode())


def test_there_is_a_class_for_each_type() -> None:
    """The types that can be subscribed to are those with a class, and the union is those and ``UnknownEvent``."""
    assert {event_type for event_type, _ in SAMPLES.values()} == {*WebhookEventType}
    assert set(get_args(WebhookEvent)) == {*SAMPLES, UnknownEvent}


@pytest.mark.parametrize("event_type", [name for name, _ in SAMPLES.values() if name not in UNDOCUMENTED])
def test_no_documented_member_is_lost(event_type: str) -> None:
    """Every member of a documented payload is a field, and all ids and times have one type."""
    (data,) = [data for name, data in SAMPLES.values() if name == event_type]
    fields = [*_fields(parse(json.dumps(envelope(event_type, data))).data)]
    documented = json.dumps(_with_ids(data, int))
    assert {name for name, _ in fields} >= set(data)
    for name, value in fields:
        is_uuid = isinstance(value, str) and name == "id"
        assert not name.endswith("id") or value is None or type(value) is int or is_uuid
        assert not name.endswith(("_at", "_time", "timestamp")) or value == MOMENT
        assert not isinstance(value, str | int) or json.dumps(value) in documented


@kinds
def test_ids_may_be_ints_or_digits(kind: type[WebhookEvent]) -> None:
    """Ids of both types are the same event."""
    event_type, data = SAMPLES[kind]
    bodies = [json.dumps(envelope(event_type, _with_ids(data, one))) for one in (int, str)]
    numbers, digits = [parse(body) for body in bodies]
    assert bodies[0] != bodies[1] or not data
    assert numbers == digits or event_type in UNDOCUMENTED
    assert numbers.chat_id == digits.chat_id


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", " 1", "1_000", "١٢", "1.0", "1" * 21, "x", 1.0, 1e30, True, None, [1], {"id": 1}]
)
def test_other_ids_are_refused(value: Any) -> None:
    """An id is a string of at most 20 ASCII digits or an int. An event without its chat is not an event."""
    with pytest.raises(DecodeError) as caught:
        _received(chat_id=value)
    assert caught.value.paths == ("$.data.chat_id",)
    assert f"$.data.chat_id: expected int or digits, got {type(value).__name__}" in str(caught.value)


@pytest.mark.parametrize("value", ["12025550111", "r-302", 302, None])
def test_a_member_of_unknown_type_is_kept(value: Any) -> None:
    """Two members are documented as null, so that a str or an int is accepted, and is kept as it is."""
    event = parse(sample_body(CallCompleted, forwarded_from=value))
    assert isinstance(event, CallCompleted)
    assert event.data.forwarded_from == _received(reaction_id=value).data.reaction_id == value


@pytest.mark.parametrize(
    "name", ["reaction_id", "text", "service", "is_read", "chat_handles", "attachments", "sent_at"]
)
def test_a_member_of_another_type_is_refused(name: str) -> None:
    """A documented member of another type is an error with its path."""
    with pytest.raises(DecodeError) as caught:
        _received(**{name: 1.5})
    assert caught.value.paths == (f"$.data.{name}",)


@pytest.mark.parametrize(
    "text",
    [
        "2025-09-02T16:56:20-06:00",
        "2025-09-02T22:56:20Z",
        "2025-09-02T22:56:20.000Z",
        "2025-09-02 16:56:20 -0600",
        "2025-09-02 22:56:20 UTC",
    ],
)
def test_both_formats_of_a_time_are_read(text: str) -> None:
    """Any time of an event may have any of the documented formats."""
    event = parse(json.dumps(envelope(created_at=text)).replace("2025-09-02 16:56:20 -0600", text))
    assert isinstance(event, MessageReceived)
    assert event.created_at == event.data.sent_at == MOMENT.astimezone(UTC)


def test_what_is_new_is_accepted() -> None:
    """An unknown value of an enum is a str, and an unknown member is in ``raw`` alone."""
    event = _received(service="Carrier pigeon", mood="cheerful")
    assert (event.data.service, event.raw["data"]["mood"]) == ("Carrier pigeon", "cheerful")
    assert _received().data.service is Service.IMESSAGE


@kinds
@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
def test_only_ids_are_required(kind: type[WebhookEvent], absent: bool) -> None:
    """Everything but the ids of the payload and of its chat may be absent or null. Lists are never None."""
    event_type, data = SAMPLES[kind]
    rest = {name: None for name in data if name not in REQUIRED and not absent}
    event = parse(json.dumps(envelope(event_type, {**{name: data[name] for name in data if name in REQUIRED}, **rest})))
    assert type(event) is kind
    if event_type not in UNDOCUMENTED:
        values = {name: value for name, value in _fields(event.data) if name not in REQUIRED}
        assert all(
            value == [] if name in {"chat_handles", "attachments"} else value is None for name, value in values.items()
        )


@kinds
def test_ids_are_required(kind: type[WebhookEvent]) -> None:
    """A documented payload without its own id or that of its chat is an error."""
    event_type, data = SAMPLES[kind]
    for name in (REQUIRED & set(data)) if event_type not in UNDOCUMENTED else ():
        with pytest.raises(DecodeError, match="required field missing") as caught:
            parse(json.dumps(envelope(event_type, {one: data[one] for one in data if one != name})))
        assert caught.value.paths == (f"$.data.{name}",)


@pytest.mark.parametrize("name", ["event_id", "created_at", "data", "event_type"])
@pytest.mark.parametrize("event_type", ["message.received", "participant.added", "message.expired"])
def test_the_envelope_is_required(event_type: str, name: str) -> None:
    """An event without id, time, payload or type is an error."""
    event = envelope(event_type)
    del event[name]
    with pytest.raises(DecodeError, match="required field missing") as caught:
        parse(json.dumps(event))
    assert f"$.{name}" in caught.value.paths


@pytest.mark.parametrize("event_type", sorted(UNDOCUMENTED))
@pytest.mark.parametrize("text", ["{}", '{"chat_id": null, "participants": [{"id": {}}]}', '{"id": "x", "text": 5}'])
def test_an_undocumented_payload_may_be_any_object(event_type: str, text: str) -> None:
    """Payloads that are not documented are kept as they are, and must be objects."""
    data: dict[str, Any] = json.loads(text)
    event = parse(json.dumps(envelope(event_type, data)))
    assert (event.event_type, event.data, event.chat_id) == (event_type, data, None)
    assert isinstance(event, UnknownEvent) is (event_type == "message.expired")
    with pytest.raises(DecodeError, match="expected an object, got list"):
        parse(json.dumps(envelope(event_type, [data])))


@pytest.mark.parametrize(
    ("chat_id", "known"), [("8102", 8102), (8102, 8102), ("x", None), (None, None), (True, None), ([1], None)]
)
def test_an_undocumented_payload_may_name_its_chat(chat_id: Any, known: int | None) -> None:
    """``chat_id`` is read from an undocumented payload if it is there and is an id."""
    assert parse(json.dumps(envelope("chat.created", {"chat_id": chat_id}))).chat_id == known


@pytest.mark.parametrize("kind", [MessageReceived, ReactionReceived, TypingIndicatorReceived])
def test_the_sides_of_a_chat(kind: type[MessageReceived | ReactionReceived | TypingIndicatorReceived]) -> None:
    """``line`` is your own number, and ``others`` are the participants at the other side."""
    event = parse(sample_body(kind))
    assert isinstance(event, kind)
    assert event.data.line == LINE
    assert [handle.identifier for handle in event.data.others] == [PERSON]


@pytest.mark.parametrize("handles", [None, [], [{}], [{"identifier": PERSON}], [{"is_me": None}]])
def test_the_own_line_may_be_unknown(handles: Any) -> None:
    """Without a participant that is marked as yours, ``line`` is None, and all are ``others``."""
    data = _received(chat_handles=handles).data
    assert data.line is None
    assert data.others == data.chat_handles


def test_json_cannot_set_more() -> None:
    """Members named like the fields of this package change nothing."""
    event = parse(json.dumps(envelope(body="x", raw={}, chat_id=5)))
    assert event.chat_id == 8102
    assert event.raw["chat_id"] == 5


def test_an_event_is_frozen() -> None:
    """An event cannot be changed, and a change of ``raw`` changes nothing."""
    event = _received()
    for name in ("data", "body", "event_type", "note"):
        with pytest.raises((AttributeError, attrs.exceptions.FrozenInstanceError)):
            setattr(event, name, None)
    event.raw.clear()
    assert event.raw["event_id"] == event.event_id
    assert copy.deepcopy(event) == event


def test_an_event_can_be_made_by_hand() -> None:
    """Tests can make events. Those have no body, and are equal to events that were received."""
    event = MessageReceived(event_id="e-1", created_at=MOMENT, data=MessageData(id=1, chat_id=2, text="Hi"))
    assert (event.event_type, event.chat_id, event.body, event.raw) == ("message.received", 2, b"", {})
    body = json.dumps(envelope(data={"id": "1", "chat_id": "2", "text": "Hi"}, event_id="e-1", api_version=None))
    assert event == parse(body)
    assert event_key(event) == "message.received:e-1"
    assert event.data.others == []


@kinds
def test_an_event_is_ready_for_json(kind: type[WebhookEvent]) -> None:
    """``to_dict`` returns an event without its body."""
    found = to_dict(parse(sample_body(kind)))
    assert json.loads(json.dumps(found)) == found
    assert {"event_id", "event_type", "created_at", "api_version", "data"} == set(found)


def test_one_id_may_be_that_of_two_events() -> None:
    """Events of two types with one id have two keys."""
    keys = {event_key(parse(sample_body(kind))) for kind in SAMPLES}
    assert len(keys) == len(SAMPLES)
    assert ChatCreated in SAMPLES
