"""What the sandbox answers: envelopes, both error formats, times."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Generic, TypeVar

import attrs

from .refusals import RefusalError

JSON_TYPE = "application/json; charset=utf-8"
T = TypeVar("T")
# Every documented time has this offset, in summer and in October alike, but for those of subscriptions in UTC.
OFFICE = timezone(timedelta(hours=-5))


@attrs.frozen
class ApiResponse:
    """A status, a body and headers, before they become an HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.Factory(dict[str, str])
    replayed: bool = False
    """Whether it shows a message that was stored under its key before."""


def json_response(status: int, body: object, *, replayed: bool = False) -> ApiResponse:
    """Make an answer that carries JSON."""
    return ApiResponse(status, json.dumps(body).encode(), {"Content-Type": JSON_TYPE}, replayed)


def error_response(refusal: RefusalError) -> ApiResponse:
    """Make an answer in the format of most operations: `errors` holds objects."""
    detail = {
        "status": refusal.status,
        "code": refusal.code,
        "title": refusal.code.replace("_", " ").title(),
        "detail": refusal.detail,
    }
    return _with_headers(json_response(refusal.status, {"errors": [detail]}), refusal)


def standard_error_response(refusal: RefusalError) -> ApiResponse:
    """Make an answer in the format of contacts and subscriptions: `errors` holds strings."""
    body = {
        "status": "error",
        "error_code": refusal.code.upper(),
        "message": refusal.code.replace("_", " ").capitalize(),
        "errors": [refusal.detail],
    }
    return _with_headers(json_response(refusal.status, body), refusal)


def _with_headers(answer: ApiResponse, refusal: RefusalError) -> ApiResponse:
    return attrs.evolve(answer, headers={**answer.headers, **refusal.headers})


def office_time(moment: datetime) -> str:
    """Write a moment as most operations do, such as `2025-10-23T13:07:55.019-05:00`."""
    return moment.astimezone(OFFICE).isoformat(timespec="milliseconds")


def office_time_or_none(moment: datetime | None) -> str | None:
    """Write a moment, or null where there is none."""
    return None if moment is None else office_time(moment)


def utc_time(moment: datetime) -> str:
    """Write a moment as the subscriptions do, such as `2025-08-20T10:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@attrs.frozen
class Page(Generic[T]):
    """One page of a list, with the figures that both paging dialects show."""

    items: Sequence[T]
    number: int
    size: int
    total: int

    @property
    def meta(self) -> dict[str, int]:
        """The dialect of chats and messages."""
        return {"page": self.number, **self._figures}

    @property
    def pagination(self) -> dict[str, int]:
        """The dialect of contacts."""
        return {"current_page": self.number, **self._figures}

    @property
    def _figures(self) -> dict[str, int]:
        return {"total_pages": -(-self.total // self.size), "total_count": self.total, "per_page": self.size}


def page_of(items: Sequence[T], number: int, size: int) -> Page[T]:
    """Cut one page out of a list."""
    start = (number - 1) * size
    return Page(items[start : start + size], number, size, len(items))
