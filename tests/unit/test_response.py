"""linq_async/wire/response.py: from a response to an error or a result.

Only this module uses aioresponses. Its release 0.7.9 lacks the ``stream_writer`` that aiohttp expects of a response,
hence the shim. It patches ``ClientSession._request``, so no body is written and no attempt counts as sent; behavior
that depends on it is tested with real servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import aioresponses
import pytest

from linq_async import APIError, DecodeError, ErrorDetail, LinqClient, LinqError, Outcome
from linq_async.wire.request import RawResponse
from linq_async.wire.response import decode, error_class
from tests.support.clients import MESSAGE, ONCE, TOKEN, failure_of, refusal_of
from tests.support.loopback import CREATED_CHAT

URL = "https://api.linqapp.com/api/partner/v2/chats"
SENTENCE = "The number +15550001111 cannot get 'my secret'"
MISSING_PHONE = {"status": 400, "code": "missing_phone", "title": "Missing Phone", "detail": SENTENCE}


class _Writer:
    """As much of a stream writer as a response asks for."""

    output_size = 0


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **named: Any) -> None:
        named.setdefault("stream_writer", _Writer())
        super().__init__(*args, **named)


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.aioresponses]:
    """Serve answers without a server."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", _Response)
    with aioresponses.aioresponses() as server:
        yield server


TABLE = [
    (301, "RedirectError", "unknown"),
    (307, "RedirectError", "unknown"),
    (400, "BadRequestError", "not_sent"),
    (401, "AuthenticationError", "not_sent"),
    (402, "APIError", "not_sent"),
    (403, "PermissionDeniedError", "not_sent"),
    (404, "NotFoundError", "not_sent"),
    (408, "APIError", "unknown"),
    (409, "ConflictError", "unknown"),
    (413, "PayloadTooLargeError", "not_sent"),
    (415, "APIError", "not_sent"),
    (422, "UnprocessableEntityError", "not_sent"),
    (425, "APIError", "not_sent"),
    (429, "RateLimitError", "not_sent"),
    (500, "ServerError", "unknown"),
    (501, "ServerError", "unknown"),
    (502, "ServerError", "unknown"),
    (503, "ServerError", "unknown"),
    (504, "ServerError", "unknown"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "name", "outcome"), TABLE)
async def test_a_status_becomes_its_error(mocked: Any, status: int, name: str, outcome: str) -> None:
    """Each status becomes its error class, with outcome, details, body, headers and request id."""
    payload = {"errors": [{**MISSING_PHONE, "status": status}]}
    mocked.post(URL, status=status, payload=payload, headers={"X-Request-Id": "r-9"})
    async with LinqClient(TOKEN, retry=ONCE) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE, idempotency_key="k-1"))
    assert isinstance(error, APIError)
    assert (type(error).__name__, error.status, error.outcome) == (name, status, Outcome(outcome))
    assert error.errors == (ErrorDetail(status, "missing_phone", "Missing Phone", SENTENCE),)
    assert (error.request_id, error.idempotency_key, error.attempts) == ("r-9", "k-1", 1)
    assert json.loads(error.body) == payload
    assert error.headers["x-request-id"] == "r-9"


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_any_2xx_is_a_success(mocked: Any, status: int) -> None:
    """The documented response is a result under every 2xx status."""
    mocked.post(URL, status=status, payload=CREATED_CHAT)
    async with LinqClient(TOKEN, retry=ONCE) as linq:
        assert (await linq.chats.create(**MESSAGE)).message.id == 16470817


def _refusal(status: int, body: bytes = b"", **headers: str) -> APIError:
    return refusal_of(RawResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body))


def _details(value: Any) -> tuple[ErrorDetail, ...]:
    return _refusal(422, json.dumps(value).encode()).errors


def test_the_details_of_the_common_format() -> None:
    """Every entry of ``errors`` is kept, in order, with what it has."""
    second = {"status": 400, "code": "invalid_params", "title": "Invalid Params", "detail": "Phone number is required"}
    assert _details({"errors": [MISSING_PHONE, second, {"code": "bare"}]}) == (
        ErrorDetail(400, "missing_phone", "Missing Phone", SENTENCE),
        ErrorDetail(400, "invalid_params", "Invalid Params", "Phone number is required"),
        ErrorDetail(None, "bare", None, None),
    )


def test_the_details_of_the_format_of_contacts() -> None:
    """The second documented format, one code over a list of sentences, gives one detail a sentence."""
    answer = {"success": False, "message": "Validation failed", "error_code": "invalid", "errors": ["A.", "B."]}
    assert _details(answer) == (
        ErrorDetail(None, "invalid", "Validation failed", "A."),
        ErrorDetail(None, "invalid", "Validation failed", "B."),
    )
    assert _details({"error_code": "gone", "message": "Contact not found"}) == (
        ErrorDetail(None, "gone", "Contact not found", None),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"null",
        b"5",
        b'"gone"',
        b"[1, 2]",
        b"{}",
        b'{"errors": null}',
        b'{"errors": "many"}',
        b'{"errors": {"text": ["is empty"]}}',
        b'{"errors": [5, null, []]}',
        b'{"errors": [',
        b"\xff\xfe",
        b"[" * 5_000,
    ],
)
@pytest.mark.parametrize("status", [400, 422, 429, 502])
def test_a_body_of_another_shape_keeps_the_class(status: int, body: bytes) -> None:
    """HTML, an empty body or other JSON is the error of its status, with the raw body and no details."""
    error = _refusal(status, body)
    assert error.status == status
    assert error.errors == ()
    assert error.body == body
    assert str(status) in str(error)


def test_a_detail_of_the_wrong_type_is_none() -> None:
    """A field of a detail has its declared type or is None: '400' and True are not accepted as ints."""
    entry = {"status": "400", "code": 7, "title": ["x"], "detail": {"a": 1}}
    assert _details({"errors": [entry, {"status": True}]}) == (ErrorDetail(), ErrorDetail())


@pytest.mark.parametrize("kind", [APIError, DecodeError])
def test_a_body_is_kept_up_to_64_kib(kind: type[LinqError]) -> None:
    """An error holds the first 64 KiB of an answer and no more, whether refused or undecodable."""
    body = b'"' + b"x" * (1 << 20)
    error: APIError | DecodeError
    if kind is APIError:
        error = _refusal(500, body)
    else:
        with pytest.raises(DecodeError) as caught:
            decode(RawResponse(200, {}, body), "data", dict)
        error = caught.value
    assert error.body == body[: 64 << 10]


def test_a_message_holds_codes_and_no_sentences() -> None:
    """The text names the status and the codes; the server's own words, which may repeat personal data, stay out."""
    entries = [MISSING_PHONE, {"code": "invalid_params"}, {"code": "+15550001111"}, {"code": "my secret"}]
    error = _refusal(400, json.dumps({"errors": entries}).encode())
    reason = "; the reason is in error.errors[0].detail"
    assert str(error) == f"chats.create: 400 bad request: invalid_params, missing_phone{reason}"
    assert not [word for word in ("+1555", "secret", "Missing Phone") if word in f"{error} {error!r}"]


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/login?token=s3cret&to=+15550001111",
        "https://user:s3cret@evil.example/",
        "https://15550001111/",
        "//s3cret.example/",
        "/login?next=s3cret",
        "",
        "https://[s3cret",
    ],
)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_does_not_print_where_to(status: int, location: str) -> None:
    """No part of a location is in a redirect's text, its host neither: the headers have it."""
    error = _refusal(status, Location=location)
    assert str(error) == f"chats.create: {status} a redirect that is not followed"
    assert error.headers["location"] == location


@pytest.mark.parametrize(
    "given",
    ["", "a\tb", "é", "x" * 129, "two words", "+15550137137", "id-1-555-013-7137", "1.555.013.7137", "a15550137137z"],
)
def test_a_request_id_that_no_log_may_show(given: str) -> None:
    """A request id that is empty, long, not one word, or holds what may be a phone number is None."""
    assert _refusal(500, b"", **{"X-Request-Id": given}).request_id is None


@pytest.mark.parametrize(
    "given",
    ["3f-1.a", "r", "req_01HZX5T9Q2", "12345678-1234-1234-1234-123456789012", "0123456789abcdef0123456789ABCDEF"],
)
def test_a_request_id_that_a_log_may_show(given: str) -> None:
    """Words and UUIDs serve, those of many digits too."""
    assert _refusal(500, b"", **{"X-Request-Id": given}).request_id == given


def test_retry_after_is_on_the_error() -> None:
    """A 429 and a 503 carry the seconds that the server asks for."""
    assert _refusal(429, Retry_After="1.5").retry_after == 1.5
    assert _refusal(503, Retry_After="soon").retry_after is None


@pytest.mark.parametrize(
    ("body", "oversized", "path"),
    [
        (b"", False, "$"),
        (b"<html>", False, "$"),
        (b'{"data": NaN}', False, "$"),
        (b'\xef\xbb\xbf{"data": 1}', False, "$"),
        (b'{"data": "\xff"}', False, "$"),
        (b"[" * 100_000 + b"]" * 100_000, False, "$"),
        (b'{"data": 1}', True, "$"),
        (b"[1]", False, "$.data"),
    ],
)
def test_a_2xx_that_is_not_the_contract(body: bytes, *, oversized: bool, path: str) -> None:
    """An accepted answer that cannot be read is a DecodeError with the outcome SENT, wherever it differs."""
    with pytest.raises(DecodeError) as caught:
        decode(RawResponse(200, {"X-Request-Id": "r"}, body, oversized), "data", dict)
    error = caught.value
    assert (error.outcome, error.paths, error.status, error.request_id) == (Outcome.SENT, (path,), 200, "r")
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (300, "RedirectError"),
        (308, "RedirectError"),
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "APIError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (413, "PayloadTooLargeError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "ServerError"),
        (599, "ServerError"),
        (600, "APIError"),
        (101, "APIError"),
    ],
)
def test_a_status_has_its_class(status: int, name: str) -> None:
    """Each status outside 2xx has one class, and an unlisted one is an APIError."""
    assert error_class(status).__name__ == name
