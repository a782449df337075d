"""linq_async/models/serialize.py: errors, ready for JSON."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from linq_async import (
    APIError,
    ConnectError,
    DecodeError,
    DeliveryTimeoutError,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    RequestTimeoutError,
    SentMessage,
    UploadError,
    WebhookVerificationError,
    error_to_dict,
)
from tests.support.errors import SECRET, error_classes, make_error

COMMON = ["type", "message", "outcome", "operation", "idempotency_key", "attempts", "request_id"]
OMITTED = {"body", "headers", "filename", "result"}
"""The attributes that the dict leaves out because they may contain what was sent."""
EXTRA: dict[type[LinqError], dict[str, Any]] = {
    InvalidArgumentError: {"problems": [{"argument": "text", "message": "must not be empty"}]},
    UploadError: {"reason": "is a directory", "index": 1},
    ConnectError: {"reason": "dns"},
    RequestTimeoutError: {"phase": "write", "seconds": 0.5},
    APIError: {
        "status": 422,
        "retry_after": 7.0,
        "hint": "text",
        "errors": [
            {"status": 422, "code": "missing_phone"},
            {"status": 400, "code": None},
            {"status": None, "code": None},
        ],
    },
    DecodeError: {"status": 201, "paths": ["$.data.id"]},
    WebhookVerificationError: {"reason": "expired"},
    KeyReusedError: {"chat_id": 45, "message_id": 7},
    DeliveryTimeoutError: {"chat_id": 1, "message_id": 2, "seconds": 3.0, "delivery_status": None},
}


@pytest.mark.parametrize("kind", [*error_classes()])
def test_an_error_is_ready_for_json(kind: type[LinqError]) -> None:
    """Both JSON libraries encode the dict of every class, and it comes back equal."""
    found = error_to_dict(make_error(kind))
    assert json.loads(json.dumps(found)) == found == orjson.loads(orjson.dumps(found))


@pytest.mark.parametrize("kind", [*error_classes()])
def test_an_error_has_the_common_keys_and_those_of_its_class(kind: type[LinqError]) -> None:
    """The values of every class are exactly those of the error."""
    error = make_error(kind)
    common = [kind.__name__, error.message, "unknown", "chats.create", "key-1", 2, "r-1"]
    extra = EXTRA.get(APIError if issubclass(kind, APIError) else kind, {})
    assert error_to_dict(error) == dict(zip(COMMON, common, strict=True)) | extra


@pytest.mark.parametrize("kind", [*error_classes()])
def test_no_attribute_is_forgotten(kind: type[LinqError]) -> None:
    """Each attribute of every class is either in the dict or omitted on purpose."""
    error = make_error(kind)
    assert set(vars(error)) <= set(error_to_dict(error)) | OMITTED


@pytest.mark.parametrize("kind", [*error_classes()])
def test_nothing_that_was_sent_is_in_the_dict(kind: type[LinqError]) -> None:
    """Phone numbers and texts in bodies, headers, details, file names and results are omitted."""
    error = make_error(kind)
    assert [part for part in ("5550001111", "nine") if part in json.dumps(error_to_dict(error))] == []


def test_the_details_of_the_server_are_shown_on_request() -> None:
    """With ``show_details`` each error has the server's title and detail, and its code unchecked."""
    errors = error_to_dict(make_error(APIError), show_details=True)["errors"]
    assert errors[0] == {"status": 422, "code": "missing_phone", "title": SECRET, "detail": SECRET}
    assert errors[1] == {"status": 400, "code": SECRET, "title": None, "detail": None}


def test_a_documented_delivery_status_is_shown() -> None:
    """A DeliveryTimeoutError includes the delivery status if it is a documented one."""
    found = error_to_dict(DeliveryTimeoutError("no", delivery_status="pending"))
    assert (found["delivery_status"], type(found["delivery_status"])) == ("pending", str)


@pytest.mark.parametrize(("result", "message_id"), [(SentMessage(id=9, text=SECRET), 9), (None, None)])
def test_a_reused_key_of_a_message_has_no_chat(result: object, message_id: int | None) -> None:
    """A KeyReusedError of ``messages.send`` includes the id of the message alone."""
    found = error_to_dict(KeyReusedError("no", result=result))
    assert (found["chat_id"], found["message_id"]) == (None, message_id)


def test_a_subclass_of_a_callers_own_has_the_keys_of_its_base() -> None:
    """A class that a caller derives is named by its own name, with the keys of its base."""

    class QuotaError(ConnectError):
        """A failure of the caller's."""

    found = error_to_dict(QuotaError("no", reason="proxy"))
    assert (found["type"], found["reason"]) == ("QuotaError", "proxy")


@pytest.mark.parametrize("value", [None, "text", ValueError("no"), LinqError])
def test_anything_else_is_refused(value: Any) -> None:
    """``error_to_dict`` of anything but a LinqError raises TypeError."""
    with pytest.raises(TypeError, match="expected a LinqError"):
        error_to_dict(value)
