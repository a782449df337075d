"""From status and body to a typed error, or to a model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

import orjson

from linq_async.config import Settings
from linq_async.errors import APIError, DecodeError, ErrorDetail, Outcome, error_class
from linq_async.wire.bounds import MAX_VALUES, UNCOUNTED_BYTES, has_too_many_values, value_count
from linq_async.wire.converter import is_ours, shape_problems, structure
from linq_async.wire.explain import explanation, number_hint
from linq_async.wire.request import RawResponse, Request

ERROR_BODY_BYTES = 64 << 10
MAX_DETAILS = 20
_DIAGNOSED_BYTES = 256 << 10
_DIAGNOSED_VALUES = 5_000  # for a class of the caller's, which may hold kinds that are not counted

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)([0-9a-fA-F]{4}\1){3}[0-9a-fA-F]{12}")
_WORD = re.compile(r"[0-9A-Za-z._:/+=-]{1,128}")
_NUMBER = re.compile(r"(?:[0-9][^0-9A-Za-z]*){7}")

T = TypeVar("T")

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
    """Return the error that a status outside 2xx stands for; None within. ``now`` is the wall clock, in seconds."""
    status = raw.status
    if 200 <= status <= 299:
        return None
    details = error_details(raw.body[:ERROR_BODY_BYTES])
    hint = number_hint(request) if status in {400, 422} else None
    text = f"{request.operation}: {_status_text(status)}{explanation(details, request, settings)}"
    return error_class(status)(
        text if hint is None else f"{text}; {hint}",
        status=status,
        outcome=_outcome(status),
        errors=details,
        body=raw.body[:ERROR_BODY_BYTES],
        headers=plain_headers(raw.headers),
        retry_after=retry_after(raw.headers.get("Retry-After"), _server_time(raw.headers, now)),
        request_id=request_id(raw.headers),
        hint=hint,
    )


def _outcome(status: int) -> Outcome:
    refused = 400 <= status <= 499 and status not in {408, 409}
    return Outcome.NOT_SENT if refused else Outcome.UNKNOWN


def _status_text(status: int) -> str:
    if 300 <= status <= 399:
        return f"{status} a redirect that is not followed"  # where to is in the headers: a host may be personal, too
    return f"{status} {_REASONS.get(status, 'the server failed' if status >= 500 else 'not a success')}"


def error_details(body: bytes) -> list[ErrorDetail]:
    """Return the first 20 entries of either documented error format; an empty list for anything else."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return []
    if not isinstance(data, dict):
        return []
    found = cast("dict[str, Any]", data)
    errors = found.get("errors")
    entries: list[Any] = cast("list[Any]", errors) if isinstance(errors, list) else []  # type: ignore[redundant-cast]
    if isinstance(found.get("error_code"), str) or any(isinstance(entry, str) for entry in entries):
        return _standard_errors(found, entries)
    return [_detail(cast("dict[str, Any]", entry)) for entry in entries[:MAX_DETAILS] if isinstance(entry, dict)]


def _detail(entry: Mapping[str, Any]) -> ErrorDetail:
    return ErrorDetail(
        _typed(entry.get("status"), int),
        _typed(entry.get("code"), str),
        _typed(entry.get("title"), str),
        _typed(entry.get("detail"), str),
    )


def _standard_errors(data: Mapping[str, Any], entries: list[Any]) -> list[ErrorDetail]:
    """Read the format of contacts, whose ``errors`` are sentences under one code."""
    code, title = _typed(data.get("error_code"), str), _typed(data.get("message"), str)
    sentences: list[str | None] = [entry for entry in entries[:MAX_DETAILS] if isinstance(entry, str)]
    return [ErrorDetail(None, code, title, sentence) for sentence in sentences or [None]]


def _typed(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) and type(value) is kind else None


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date; None where it says neither."""
    if header is None:
        return None
    text = header.strip()
    try:
        seconds = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return _seconds_until(text, now)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: float) -> float | None:
    moment = _timestamp(date)
    return None if moment is None else max(moment - now, 0.0)


def _server_time(headers: Mapping[str, str], now: float) -> float:
    """Return the time of the server's clock, by which it dates a Retry-After, or ``now`` if it does not give it."""
    date = headers.get("Date")
    found = None if date is None else _timestamp(date)
    return now if found is None else found


def _timestamp(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000": UTC, by the mail standard
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of the request if a log may show it: one word, without what may be a phone number."""
    found = headers.get("X-Request-Id")
    if not found or _UUID.fullmatch(found):
        return found or None
    return found if _WORD.fullmatch(found) and not _NUMBER.search(found) else None


def plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Copy headers into a dict that can be pickled, names in lower case, repeated ones joined."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return found


def decode(raw: RawResponse, envelope: str | None, returns: type[T]) -> T:
    """Return the model that a 2xx body holds, under its envelope key. Raises DecodeError."""
    data = load(raw)
    try:
        return structure(data if envelope is None else data[envelope], returns)
    except Exception:  # noqa: BLE001, S110  # cattrs raises groups, and whatever a hook of the caller's class may
        pass
    problems = _problems(raw.body, data, envelope, returns)
    del data  # a frame that raises must not hold it
    raise _undecodable(raw, problems)


def _problems(body: bytes, data: Any, envelope: str | None, returns: Any) -> list[str]:
    path = "$" if envelope is None else f"$.{envelope}"
    if len(body) > _DIAGNOSED_BYTES or (not is_ours(returns) and value_count(body) > _DIAGNOSED_VALUES):
        return [f"{path}: not accepted, and too large to say where"]
    if envelope is not None:
        if data.__class__ is not dict or envelope not in data:
            return [f"{path}: required field missing"]
        data = data[envelope]
    return shape_problems(data, returns, path) or [f"{path}: not accepted"]


def load(raw: RawResponse) -> Any:
    """Return the JSON value of a 2xx body. Raises DecodeError, also if it is over the cap or holds too many values."""
    if raw.oversized or len(raw.body) > UNCOUNTED_BYTES:
        _check_size(raw)
    if not raw.body:
        raise _undecodable(raw, ["$: the body is empty"])
    try:
        return orjson.loads(raw.body)
    except ValueError:
        pass
    raise _undecodable(raw, ["$: not JSON"])


def json_or_none(raw: RawResponse) -> Any:
    """Return the JSON value of a 2xx body; None if it is empty or not JSON. Raises DecodeError if it is too large."""
    _check_size(raw)
    try:
        return orjson.loads(raw.body)
    except ValueError:
        return None


def _check_size(raw: RawResponse) -> None:
    if raw.oversized:
        raise _undecodable(raw, ["$: longer than max_response_bytes"])
    if has_too_many_values(raw.body):
        raise _undecodable(raw, [f"$: more than {MAX_VALUES:,} values"])


def _undecodable(raw: RawResponse, problems: list[str]) -> DecodeError:
    return DecodeError(
        f"{raw.status}, accepted, but the answer is not the shape promised: {'; '.join(problems[:5])}",
        paths=[problem.split(": ", 1)[0] for problem in problems],
        status=raw.status,
        body=raw.body[:ERROR_BODY_BYTES],
        request_id=request_id(raw.headers),
    )
