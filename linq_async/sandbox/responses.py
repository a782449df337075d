"""The responses of the API: envelopes, both error formats, times."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Generic, TypeVar

import attrs

from .refusals import RefusalError

JSON_TYPE = "application/json; charset=utf-8"
T = TypeVar("T")
# The offset of all documented times, in summer and winter, except those of subscriptions, which are in UTC.
API_OFFSET = timezone(timedelta(hours=-5))


@attrs.frozen
class ApiResponse:
    """A status, a body and headers, before they become an HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.Factory(dict[str, str])
    replayed: bool = False
    """Whether it shows a message that was stored under its key before."""


def json_response(status: int, body: object, *, replayed: bool = False) -> ApiResponse:
    """Return a response with a JSON body."""
    return ApiResponse(status, json.dumps(body).encode(), {"Content-Type": JSON_TYPE}, replayed)


def error_response(refusal: RefusalError) -> ApiResponse:
    """Return an error in the format of most operations: `errors` is a list of objects."""
    detail = {
        "status": refusal.status,
        "code": refusal.code,
        "title": refusal.code.replace("_", " ").title(),
        "detail": refusal.detail,
    }
    return _with_headers(json_response(refusal.status, {"errors": [detail]}), refusal)


def standard_error_response(refusal: RefusalError) -> ApiResponse:
    """Return an error in the format of contacts and subscriptions: `errors` is a list of strings."""
    body = {
        "status": "error",
        "error_code": refusal.code.upper(),
        "message": refusal.code.replace("_", " ").capitalize(),
        "errors": [refusal.detail],
    }
    return _with_headers(json_response(refusal.status, body), refusal)


def _with_headers(response: ApiResponse, refusal: RefusalError) -> ApiResponse:
    return attrs.evolve(response, headers={**response.headers, **refusal.headers})


def api_time(moment: datetime) -> str:
    """Write a time as most operations do, such as `2025-10-23T13:07:55.019-05:00`."""
    return moment.astimezone(API_OFFSET).isoformat(timespec="milliseconds")


def api_time_or_none(moment: datetime | None) -> str | None:
    """Write a time, or null if there is none."""
    return None if moment is None else api_time(moment)


def utc_time(moment: datetime) -> str:
    """Write a time as the subscriptions do, such as `2025-08-20T10:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_time_or_none(moment: datetime | None) -> str | None:
    """Write a time as the subscriptions do, or null if there is none."""
    return None if moment is None else utc_time(moment)


def event_time(moment: datetime) -> str:
    """Write a time as most members of events do, such as `2025-10-23T13:07:55-05:00`."""
    return moment.astimezone(API_OFFSET).isoformat(timespec="seconds")


def spaced_time(moment: datetime) -> str:
    """Write a time as events do about messages, reactions and typing, such as `2025-10-23 13:07:55 -0500`."""
    return moment.astimezone(API_OFFSET).strftime("%Y-%m-%d %H:%M:%S %z")


@attrs.frozen
class Page(Generic[T]):
    """One page of a list, with the counts that both paging formats show."""

    items: Sequence[T]
    number: int
    size: int
    total: int

    @property
    def meta(self) -> dict[str, int]:
        """The format of chats and messages."""
        return {"page": self.number, **self._figures}

    @property
    def pagination(self) -> dict[str, int]:
        """The format of contacts."""
        return {"current_page": self.number, **self._figures}

    @property
    def _figures(self) -> dict[str, int]:
        return {"total_pages": -(-self.total // self.size), "total_count": self.total, "per_page": self.size}


def page_of(items: Sequence[T], number: int, size: int) -> Page[T]:
    """Return one page of a list."""
    start = (number - 1) * size
    return Page(items[start : start + size], number, size, len(items))
