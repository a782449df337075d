"""Take values out of parameters, refusing what is missing or of the wrong kind."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

from linq_async.sandbox import numbers
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.refusals import invalid, malformed, missing

IDEMPOTENCY_KEY = re.compile(r"[a-zA-Z0-9_-]+")
WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
MAX_PER_PAGE = 100


def required_object(params: Params, name: str) -> Params:
    """Take the nested object under a name."""
    value = params.get(name)
    if value is None:
        raise missing(name)
    if not isinstance(value, dict):
        raise malformed(f"{name} must be an object")
    return cast("Params", value)


def optional_text(params: Params, name: str) -> str | None:
    """Take the string under a name; null and nothing are the same."""
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed(f"{name} must be a string")
    return value


def required_text(params: Params, name: str) -> str:
    """Take the string under a name, which must not be blank."""
    text = optional_text(params, name)
    if text is None:
        raise missing(name)
    if not text.strip():
        raise invalid(f"{name} can't be blank")
    return text


def optional_list(params: Params, name: str) -> list[object]:
    """Take the array under a name; null and nothing are an empty one."""
    value = params.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"{name} must be an array")
    return cast("list[object]", value)


def optional_texts(params: Params, name: str) -> list[str]:
    """Take the array of strings under a name."""
    return [_text(item, name) for item in optional_list(params, name)]


def _text(item: object, name: str) -> str:
    if not isinstance(item, str):
        raise malformed(f"{name} must hold strings only")
    return item


def read_number(text: str, name: str, read: Callable[[str], str | None] = numbers.phone_number) -> str:
    """Bring a number to E.164, or refuse it."""
    number = read(text)
    if number is None:
        raise invalid(f"{name} is not a valid phone number")
    return number


def optional_key(params: Params) -> str | None:
    """Take the idempotency key, checked whole."""
    key = optional_text(params, "idempotency_key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid("idempotency_key must be alphanumeric and may include hyphens and underscores")
    return key


def web_url(text: str, name: str) -> str:
    """Take an http or https URL with a host, or a refusal."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        good = False
    if not good:
        raise invalid(f"{name} must be http or https URLs")
    return text


def optional_moment(params: Params, name: str) -> datetime | None:
    """Take an ISO 8601 moment; one without an offset is taken as UTC."""
    text = optional_text(params, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(f"{name} must be an ISO 8601 time") from None


def paging(query: Params) -> tuple[int, int]:
    """Page and page size; what is no number counts as not given, and sizes end at 100."""
    page = whole_number(query.get("page")) or 1
    size = whole_number(query.get("per_page")) or 25
    return page, min(size, MAX_PER_PAGE)


def whole_number(value: object) -> int | None:
    """Read digits as a number; anything else is None."""
    return int(value) if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value) else None
