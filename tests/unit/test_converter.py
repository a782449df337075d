"""linq_async/wire/converter.py: from JSON to models."""

from __future__ import annotations

import contextlib
import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import orjson
import pytest

from linq_async import Attachment, ChatHandle, CreatedChat, CreatedChatMessage, DecodeError, DeliveryStatus, Service
from linq_async import to_dict as as_dict
from linq_async.wire.converter import model_hook
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode
from tests.support.loopback import CREATED_CHAT

CENTRAL = timezone(timedelta(hours=-5))
JOINED = datetime(2025, 5, 21, 15, 30, tzinfo=CENTRAL)
MISSING = object()


def _decoded(value: Any) -> CreatedChat:
    return decode(RawResponse(201, {}, json.dumps(value).encode()), "data", CreatedChat)


def _changed(path: str, value: Any) -> dict[str, Any]:
    """Return the documented response with one value changed or removed."""
    answer: dict[str, Any] = copy.deepcopy(CREATED_CHAT)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    at: Any = answer
    for step in way:
        at = at[step]
    if value is MISSING:
        del at[last]
    else:
        at[last] = value
    return answer


def _refused(path: str, value: Any) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        _decoded(_changed(path, value))
    return caught.value


def test_the_answer_of_the_page_is_decoded() -> None:
    """Every value of the documented response is decoded into its field and type."""
    message = CreatedChatMessage(
        id=16470817,
        text="Hello! This is a sample message from Linq API v2.",
        sent_at=datetime(2025, 10, 23, 13, 7, 55, 19_000, tzinfo=CENTRAL),
        delivered_at=None,
        delivery_status=DeliveryStatus.PENDING,
        is_read=False,
        attachments=[
            Attachment(
                id="abc12345-1234-5678-9abc-def012345678",
                url="https://storage.googleapis.com/linq-files/attachments/abc123.pdf",
                filename="document.pdf",
                mime_type="application/pdf",
                file_size=12345,
            )
        ],
    )
    handles = [
        ChatHandle(id=123, phone_number="+15551234567", service=Service.IMESSAGE, joined_at=JOINED),
        ChatHandle(id=124, phone_number="+15559876543", service=Service.IMESSAGE, joined_at=JOINED),
    ]
    assert _decoded(CREATED_CHAT) == CreatedChat(
        id=45,
        message=message,
        display_name="John Doe",
        service=Service.IMESSAGE,
        group=False,
        chat_handles=handles,
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.id", "45"),
        ("data.id", 45.0),
        ("data.id", True),
        ("data.id", None),
        ("data.id", 10**30),
        ("data.id", MISSING),
        ("data.display_name", 5),
        ("data.display_name", {}),
        ("data.display_name", ["John"]),
        ("data.service", 1),
        ("data.service", False),
        ("data.group", "false"),
        ("data.group", 0),
        ("data.group", ""),
        ("data.chat_handles", {}),
        ("data.chat_handles", "none"),
        ("data.chat_handles", {"0": {}}),
        ("data.chat_messages", None),
        ("data.chat_messages", []),
        ("data.chat_messages", [CREATED_CHAT["data"]["chat_messages"]]),
        ("data.chat_messages", "text"),
        ("data.chat_messages", MISSING),
        ("data.chat_messages.delivered_at", "nonsense"),
        ("data.chat_messages.delivered_at", 1_747_859_400),
        ("data.chat_messages.delivered_at", ""),
        ("data.chat_messages.is_read", "yes"),
        ("data.chat_messages.attachments.0.file_size", 1.5),
        ("data.chat_messages.attachments.0.file_size", "12"),
        ("data.chat_messages.attachments.0.id", 7),
    ],
)
def test_a_leaf_has_exactly_its_type(path: str, value: Any) -> None:
    """No value is coerced, and the error names its path."""
    where = "$." + path.replace(".0.", "[0].")
    assert _refused(path, value).paths == (where,)


@pytest.mark.parametrize("value", [5, "21 May 2025, says +15551234567", None, {}])
def test_an_error_names_paths_and_no_values(value: Any) -> None:
    """One error lists every mismatch by path and type, without any value of the response."""
    answer = _changed("data.chat_handles.1.joined_at", value)
    answer["data"]["group"] = "secretly"
    answer["data"]["chat_messages"]["attachments"][0]["file_size"] = "huge"
    with pytest.raises(DecodeError) as caught:
        _decoded(answer)
    expected = {"$.data.group", "$.data.chat_messages.attachments[0].file_size"}
    expected |= set() if value is None else {"$.data.chat_handles[1].joined_at"}
    assert set(caught.value.paths) == expected
    assert not [word for word in ("secretly", "huge", "+1555", "May") if word in str(caught.value)]
    assert b"secretly" in caught.value.body


@pytest.mark.parametrize("items", [[5], [None], ["x"], [[]], [{"id": 1}, {"id": "x"}]])
def test_a_bad_item_is_named_by_its_place(items: list[Any]) -> None:
    """An invalid item of a list is named with its index."""
    last = len(items) - 1
    assert _refused("data.chat_handles", items).paths[0].startswith(f"$.data.chat_handles[{last}]")


def test_an_envelope_that_is_missing_is_named() -> None:
    """The error for a response without ``data``, or that is not an object, names the envelope."""
    values: list[Any] = [{}, [], "text", 5, None, {"Data": {}}]
    for value in values:
        with pytest.raises(DecodeError) as caught:
            _decoded(value)
        assert caught.value.paths == ("$.data",)


@pytest.mark.parametrize("value", [None, [], "x", 5, True])
def test_an_object_is_an_object(value: Any) -> None:
    """A field that should be an object but is not is an error."""
    with pytest.raises(DecodeError) as caught:
        _decoded({"data": value})
    assert caught.value.paths == ("$.data",)


@pytest.mark.parametrize(
    "path",
    ["data.display_name", "data.service", "data.group", "data.chat_handles.0.joined_at", "data.chat_messages.text"],
)
@pytest.mark.parametrize("value", [None, MISSING])
def test_an_optional_field_may_be_null_or_missing(path: str, value: object) -> None:
    """Null and absence are None, and never the text 'None'."""
    chat = _decoded(_changed(path, value))
    found: Any = chat
    for step in path.replace("chat_messages", "message").split(".")[1:]:
        found = found[int(step)] if step.isdigit() else getattr(found, step)
    assert found is None


@pytest.mark.parametrize("value", [None, MISSING, []])
def test_a_list_may_be_null_or_missing(value: object) -> None:
    """A list field that is null or absent is an empty list, one for each result."""
    first, second = _decoded(_changed("data.chat_handles", value)), _decoded(_changed("data.chat_handles", value))
    assert first.chat_handles == []
    assert first.chat_handles is not second.chat_handles
    assert _decoded(_changed("data.chat_messages.attachments", value)).message.attachments == []


def test_unknown_fields_are_ignored() -> None:
    """A field that the API adds later changes nothing."""
    assert _decoded(_changed("data.chat_messages.reactions", [1])) == _decoded(CREATED_CHAT)


@pytest.mark.parametrize("value", ["WhatsApp", "imessage", "", "RCS "])
def test_an_unknown_enum_value_stays_a_str(value: str) -> None:
    """A value that is not listed stays exactly the str it is; a listed one is the member."""
    chat = _decoded(_changed("data.service", value))
    assert (type(chat.service), chat.service) == (str, value)
    assert _decoded(_changed("data.service", "SMS")).service is Service.SMS


@pytest.mark.parametrize(
    "spelling",
    [
        "2025-05-21T15:30:00.000-05:00",
        "2025-05-21 15:30:00 -0500",
        "2025-05-21T15:30:00-05:00",
        "2025-05-21T15:30:00-0500",
        "2025-05-21 15:30:00 -05:00",
        "2025-05-21T20:30:00Z",
        "2025-05-21t20:30:00z",
        "2025-05-21 20:30:00 UTC",
        "2025-05-21T20:30:00.0000000Z",
        "20250521T203000Z",
    ],
)
def test_a_time_is_read_in_every_spelling(spelling: str) -> None:
    """Both documented spellings, and those that servers slip into, are the same aware moment."""
    found = _decoded(_changed("data.chat_handles.0.joined_at", spelling)).chat_handles[0].joined_at
    assert found is not None
    assert found.tzinfo is not None
    assert found == datetime(2025, 5, 21, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize("spelling", ["2025-05-21T15:30:00", "2025-05-21 15:30:00", "2025-05-21", "20250521"])
def test_no_time_is_naive(spelling: str) -> None:
    """A time without an offset is an error or gets one, so that times can always be compared."""
    found = JOINED
    with contextlib.suppress(DecodeError):
        found = _decoded(_changed("data.chat_handles.0.joined_at", spelling)).chat_handles[0].joined_at or JOINED
    assert found.tzinfo is not None


def test_to_dict_is_ready_for_json() -> None:
    """``to_dict`` gives what both JSON libraries take as it is, with the class's names and the same moments."""
    chat = _decoded(_changed("data.service", "WhatsApp"))
    plain = as_dict(chat)
    assert json.loads(json.dumps(plain)) == plain == orjson.loads(orjson.dumps(plain))
    assert set(plain) == {field.name for field in attrs.fields(CreatedChat)}
    assert plain["service"] == "WhatsApp"
    assert type(plain["message"]["delivery_status"]) is str
    assert datetime.fromisoformat(plain["chat_handles"][1]["joined_at"]) == JOINED
    assert plain["message"]["attachments"][0]["file_size"] == 12345


def test_to_dict_of_a_result_can_be_decoded_again() -> None:
    """What ``to_dict`` gives is, under its wire name, an answer that decodes to the same result."""
    chat = _decoded(CREATED_CHAT)
    plain = as_dict(chat)
    plain["chat_messages"] = plain.pop("message")
    assert _decoded({"data": plain}) == chat


@pytest.mark.parametrize("value", [{}, [], None, "text", Service.SMS, 5])
def test_to_dict_refuses_what_is_no_result(value: Any) -> None:
    """``to_dict`` of anything else is a TypeError, not an empty dict."""
    with pytest.raises(TypeError):
        as_dict(value)


@pytest.mark.parametrize(
    ("returns", "body", "value"),
    [
        (int, b"5", 5),
        (str, b'"x"', "x"),
        (bool, b"true", True),
        (list[int], b"[1, 2]", [1, 2]),
        (list[int], b"null", []),
        (dict[str, Any], b'{"a": [1]}', {"a": [1]}),
        (dict[str, int], b'{"a": 1}', {"a": 1}),
        (int | None, b"null", None),
        (int | str | None, b"null", None),
        (list[int | str | None], b'["5", 5]', ["5", 5]),
        (Service | str, b'"SMS"', Service.SMS),
        (datetime, b'"2025-05-21T20:30:00Z"', datetime(2025, 5, 21, 20, 30, tzinfo=UTC)),
        (Any, b'{"a": null}', {"a": None}),
    ],
)
def test_other_shapes_can_be_asked_for(returns: Any, body: bytes, value: Any) -> None:
    """What ``returns=`` may name beside a model of ours is decoded by the same strict rules."""
    assert decode(RawResponse(200, {}, body), None, returns) == value
    assert decode(RawResponse(200, {}, body), None, returns) == value


@pytest.mark.parametrize(
    ("returns", "body"),
    [
        (int, b'"5"'),
        (int | None, b'"5"'),
        (int | str | None, b"true"),
        (str, b"null"),
        (bool, b"0"),
        (list[int], b'["1"]'),
        (dict[str, int], b'{"a": "1"}'),
        (dict[str, Any], b"[]"),
    ],
)
def test_other_shapes_are_strict_too(returns: Any, body: bytes) -> None:
    """The strict leaves hold at the root and in containers."""
    with pytest.raises(DecodeError):
        decode(RawResponse(200, {}, body), None, returns)


def test_the_answer_of_a_create_takes_the_fast_decoder() -> None:
    """What is decoded most often is decoded by code written out for it, its lists' classes too."""
    for kind in (CreatedChat, CreatedChatMessage, ChatHandle, Attachment):
        assert model_hook(kind, False).__code__.co_filename == f"<linq_async structure {kind.__qualname__}>"
