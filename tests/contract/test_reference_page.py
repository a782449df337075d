"""The examples of the reference page "Create Chat", letter for letter, against the contract."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from .exchange import ContractError, Exchange
from .samples import API, JSON_TYPE, TOKEN
from .validator import validator

# The body of the curl example.
CURL_BODY = (
    '{ "send_from": "+15175269229", "chat": { "display_name": "Sample Chat", "phone_numbers": '
    '[ "+13343284472", "+13344713465" ] }, "message": { "text": "Hello! This is a sample message from '
    'Linq API v2.", "idempotency_key": "msg-2024_01-23_abc123" } }'
)
# The example "Basic message without attachments".
BASIC_BODY = """
{
"send_from": "+15175269229",
"chat": {
"display_name": "Sample Chat",
"phone_numbers": [
"+13343284472",
"+13344713465"
]
},
"message": {
"text": "Hello! This is a sample message from Linq API v2.",
"idempotency_key": "msg-2024_01-23_abc123"
}
}
"""
CREATED = """
{
"data": {
"id": 45,
"display_name": "John Doe",
"service": "iMessage",
"group": false,
"chat_handles": [
{
"id": 123,
"phone_number": "+15551234567",
"service": "iMessage",
"joined_at": "2025-05-21T15:30:00.000-05:00"
},
{
"id": 124,
"phone_number": "+15559876543",
"service": "iMessage",
"joined_at": "2025-05-21T15:30:00.000-05:00"
}
],
"chat_messages": {
"id": 16470817,
"text": "Hello! This is a sample message from Linq API v2.",
"sent_at": "2025-10-23T13:07:55.019-05:00",
"delivered_at": null,
"delivery_status": "pending",
"is_read": false,
"attachments": [
{
"id": "abc12345-1234-5678-9abc-def012345678",
"url": "https://storage.googleapis.com/linq-files/attachments/abc123.pdf",
"filename": "document.pdf",
"mime_type": "application/pdf",
"file_size": 12345
}
]
}
}
}
"""
BAD_REQUEST = """
{
"errors": [
{
"status": 400,
"code": "missing_phone",
"title": "Missing Phone",
"detail": "Missing required parameter: send_from"
}
]
}
"""
UNPROCESSABLE = """
{
"errors": [
{
"status": 422,
"code": "invalid_params",
"title": "Invalid Params",
"detail": "Phone number is required"
}
]
}
"""
ANSWERS = {200: CREATED, 400: BAD_REQUEST, 422: UNPROCESSABLE}


def _exchange(body: str, status: int, answer: str) -> Exchange:
    headers = {"Content-Type": "application/json"}
    return Exchange("POST", f"{API}/chats", {**TOKEN, **headers}, body.encode(), status, headers, answer.encode())


@pytest.mark.parametrize("status", ANSWERS)
@pytest.mark.parametrize("body", [CURL_BODY, BASIC_BODY], ids=["curl", "basic"])
def test_every_example_is_within_the_contract(body: str, status: int) -> None:
    """Each example request, with each example answer, is an exchange that the contract has."""
    validator().check(_exchange(body, status, ANSWERS[status]))


def test_the_examples_are_checked() -> None:
    """The same examples fail once a name in the request and a value in the answer are changed."""
    spoilt = _exchange(CURL_BODY.replace("send_from", "from"), 200, CREATED.replace("iMessage", "Telegram"))
    with pytest.raises(ContractError) as caught:
        validator().check(spoilt)
    assert {violation.where for violation in caught.value.violations} == {"request.body", "answer.body"}


def test_every_state_of_the_page_is_within_the_contract() -> None:
    """Every documented service and delivery status, and a delivery time, are in the contract."""
    created = json.loads(CREATED)
    exchange = replace(_exchange(CURL_BODY, 200, CREATED), response_headers=JSON_TYPE)
    for service in ("iMessage", "SMS", "RCS"):
        for status in ("pending", "delivered", "rate_limit_exceeded", "paused"):
            created["data"]["service"] = service
            message = created["data"]["chat_messages"]
            message["delivery_status"], message["delivered_at"] = status, message["sent_at"]
            validator().check(replace(exchange, response_body=json.dumps(created).encode()))
