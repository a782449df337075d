"""Turn a response into a typed error or a model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import orjson

from linq_async.config import Settings
from linq_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    ErrorDetail,
    NotFoundError,
    Outcome,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    ServerError,
    UnprocessableEntityError,
)
from linq_async.wire.bounds import ERROR_BODY_BYTES
from linq_async.wire.decoding import decode_body, decode_error, too_large
from linq_async.wire.explain import explanation, number_hint
from linq_async.wire.http_date import parse_http_date
from linq_async.wire.request import RawResponse, Request

MAX_DETAILS = 20
_ACCEPTED = Outcome.SENT  # a member of an enum takes longer to look up than a global
_OVERSIZED = "$: longer than max_response_bytes"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)([0-9a-fA-F]{4}\1){3}[0-9a-fA-F]{12}")
_WORD = re.compile(r"[0-9A-Za-z._:/+=-]{1,128}")
_NUMBER = re.compile(r"(?:[0-9][^0-9A-Za-z]*){7}")

T = TypeVar("T")

_ERROR_CLASSES: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
_REASONS = {
    400: "bad request",
    401: "the token is missing or not accepted",
    403: "permission denied",
    404: "not found",
    408: "the server gave up waiting for the request",
    409: "conflict",
    413: "the body is too large",
    422: "the values were rejected",
    429: "too many requests",
}


def refusal(raw: RawResponse, now: float, request: Request, settings: Settings) -> APIError | None:
    """Return the error for a status outside 2xx, or None for a status within. ``now`` is Unix time, in seconds."""
    status = raw.status
    if 200 <= status <= 299:
        return None
    details = error_details(raw.body[:ERROR_BODY_BYTES])
    hint = number_hint(request) if status in {400, 422} else None
    reason = _REASONS.get(status, "the server failed" if status >= 500 else "not a success")
    if 300 <= status <= 399:
        reason = "a redirect that is not followed"  # the target is in the headers: its host may be personal, too
    text = f"{request.operation}: {status} {reason}{explanation(details, request, settings)}"
    rejected = 400 <= status <= 499 and status not in {408, 409}
    date = parse_http_date(raw.headers.get("Date", ""))  # by the server's clock, as a date in Retry-After is
    return error_class(status)(
        text if hint is None else f"{text}; {hint}",
        status=status,
        outcome=Outcome.NOT_SENT if rejected else Outcome.UNKNOWN,
        errors=details,
        body=raw.body[:ERROR_BODY_BYTES],
        headers=plain_headers(raw.headers),
        retry_after=retry_after(raw.headers.get("Retry-After"), now if date is None else date.timestamp()),
        request_id=request_id(raw.headers),
        hint=hint,
    )


def error_class(status: int) -> type[APIError]:
    """Return the exception class of a status outside 2xx."""
    if 500 <= status <= 599:
        return ServerError
    if 300 <= status <= 399:
        return RedirectError
    return _ERROR_CLASSES.get(status, APIError)


def error_details(body: bytes) -> list[ErrorDetail]:
    """Return the first 20 errors of a body in either of the documented formats, or an empty list."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return []
    if not isinstance(data, dict):
        return []
    found = cast("dict[str, Any]", data)
    errors = found.get("errors")
    entries: list[Any] = cast("list[Any]", errors) if isinstance(errors, list) else []  # type: ignore[redundant-cast]
    code = _typed(found.get("error_code"), str)
    sentences: list[str | None] = [entry for entry in entries[:MAX_DETAILS] if isinstance(entry, str)]
    if code is not None or any(isinstance(entry, str) for entry in entries):
        # The format of contacts: sentences under one code.
        title = _typed(found.get("message"), str)
        return [ErrorDetail(None, code, title, sentence) for sentence in sentences or [None]]
    objects = [cast("dict[str, Any]", entry) for entry in entries[:MAX_DETAILS] if isinstance(entry, dict)]
    names = ("code", "title", "detail")
    return [ErrorDetail(_typed(one.get("status"), int), *(_typed(one.get(n), str) for n in names)) for one in objects]


def _typed(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) and type(value) is kind else None


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds to wait that a Retry-After header asks for, as a number or as a date, or None if neither."""
    if header is None:
        return None
    text = header.strip()
    try:
        seconds = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        date = parse_http_date(text)
        return None if date is None else max(date.timestamp() - now, 0.0)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of the request, or None if it is not one word or may contain a phone number."""
    found = headers.get("X-Request-Id")
    if not found or _UUID.fullmatch(found):
        return found or None
    return found if _WORD.fullmatch(found) and not _NUMBER.search(found) else None


def plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as a dict that can be pickled, with names in lower case and repeated ones joined."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return found


def decode(raw: RawResponse, envelope: str | None, returns: type[T]) -> T:
    """Return the model in the body of a 2xx response, from the member named ``envelope`` or from the root.

    Raises:
        DecodeError: If the body does not have the documented shape.
    """
    if raw.oversized:
        raise _undecodable(raw, decode_error(raw.body, [_OVERSIZED], Outcome.SENT))
    try:
        return decode_body(raw.body, envelope, returns, _ACCEPTED)
    except DecodeError as error:
        found = error
    raise _undecodable(raw, found)


def json_or_none(raw: RawResponse) -> Any:
    """Return the JSON value of the body of a 2xx response, or None if it is empty or not JSON.

    Raises:
        DecodeError: If the body is too large.
    """
    problems = [_OVERSIZED] if raw.oversized else too_large(raw.body)
    if problems:
        raise _undecodable(raw, decode_error(raw.body, problems, Outcome.SENT))
    try:
        return orjson.loads(raw.body)
    except ValueError:
        return None


def _undecodable(raw: RawResponse, error: DecodeError) -> DecodeError:
    """Return the error of a body with the status and the request id of its response."""
    return DecodeError(
        f"{raw.status}, accepted, but {error.message}",
        paths=error.paths,
        status=raw.status,
        body=error.body,
        request_id=request_id(raw.headers),
        outcome=error.outcome,
    )
