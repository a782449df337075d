"""What the sandbox answers: envelopes, both error formats, times."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Generic, TypeVar

import attrs

from .limits import StorageFullError

JSON_TYPE = "application/json; charset=utf-8"
T = TypeVar("T")
# Every documented time has this offset, in summer and in October alike, but for those of subscriptions in UTC.
OFFICE = timezone(timedelta(hours=-5))


@attrs.frozen
class Answer:
    """A status, a body and headers, before they become an HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.Factory(dict[str, str])
    replayed: bool = False
    """Whether it shows a message that was stored under its key before."""


class RefusalError(Exception):
    """A request is refused with a status and a reason; the route picks the error format."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def missing(name: str) -> RefusalError:
    """Refuse with 400 for a parameter that is not there."""
    return RefusalError(400, "missing_params", f"Missing required parameter: {name}")


def missing_phone(name: str) -> RefusalError:
    """Refuse with the documented 400 for a sender's or a line's number that is not there."""
    return RefusalError(400, "missing_phone", f"Missing required parameter: {name}")


def malformed(detail: str) -> RefusalError:
    """Refuse with 400 for a request that cannot be read as what it has to be."""
    return RefusalError(400, "bad_request", detail)


def invalid(detail: str) -> RefusalError:
    """Refuse with the documented 422 for a value that is understood and rejected."""
    return RefusalError(422, "invalid_params", detail)


def too_large(detail: str) -> RefusalError:
    """Refuse with 413 for a body, or a part of it, that is over a limit."""
    return RefusalError(413, "payload_too_large", detail)


def storage_full(error: StorageFullError) -> RefusalError:
    """Refuse with 507 for what there is no room to store."""
    return RefusalError(507, "insufficient_storage", str(error))


def not_found(what: str) -> RefusalError:
    """Refuse with the documented 404."""
    return RefusalError(404, "not_found", f"{what} not found")


def json_answer(status: int, body: object, *, replayed: bool = False) -> Answer:
    """Make an answer that carries JSON."""
    return Answer(status, json.dumps(body).encode(), {"Content-Type": JSON_TYPE}, replayed)


def error_answer(refusal: RefusalError) -> Answer:
    """Make an answer in the format of most operations: `errors` holds objects."""
    detail = {
        "status": refusal.status,
        "code": refusal.code,
        "title": refusal.code.replace("_", " ").title(),
        "detail": refusal.detail,
    }
    return _with_headers(json_answer(refusal.status, {"errors": [detail]}), refusal)


def standard_error_answer(refusal: RefusalError) -> Answer:
    """Make an answer in the format of contacts and subscriptions: `errors` holds strings."""
    body = {
        "status": "error",
        "error_code": refusal.code.upper(),
        "message": refusal.code.replace("_", " ").capitalize(),
        "errors": [refusal.detail],
    }
    return _with_headers(json_answer(refusal.status, body), refusal)


def _with_headers(answer: Answer, refusal: RefusalError) -> Answer:
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
