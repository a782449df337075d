"""Read values from parameters; refuse those that are missing or of the wrong type."""

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
    """Return the object under a name."""
    value = params.get(name)
    if value is None:
        raise missing(name)
    if not isinstance(value, dict):
        raise malformed(f"{name} must be an object")
    return cast("Params", value)


def optional_text(params: Params, name: str) -> str | None:
    """Return the string under a name, or None if it is null or absent."""
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed(f"{name} must be a string")
    return value


def required_text(params: Params, name: str) -> str:
    """Return the string under a name, which must not be blank."""
    text = optional_text(params, name)
    if text is None:
        raise missing(name)
    if not text.strip():
        raise invalid(f"{name} can't be blank")
    return text


def optional_list(params: Params, name: str) -> list[object]:
    """Return the array under a name; null and absent count as empty."""
    value = params.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"{name} must be an array")
    return cast("list[object]", value)


def optional_texts(params: Params, name: str) -> list[str]:
    """Return the array of strings under a name."""
    return [_text(item, name) for item in optional_list(params, name)]


def _text(item: object, name: str) -> str:
    if not isinstance(item, str):
        raise malformed(f"{name} must contain only strings")
    return item


def read_number(text: str, name: str, read: Callable[[str], str | None] = numbers.phone_number) -> str:
    """Return a number in E.164, or refuse it."""
    number = read(text)
    if number is None:
        raise invalid(f"{name} is not a valid phone number")
    return number


def optional_key(params: Params) -> str | None:
    """Return the idempotency key, or None if there is none."""
    key = optional_text(params, "idempotency_key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid("idempotency_key must be alphanumeric and may include hyphens and underscores")
    return key


def web_url(text: str, name: str) -> str:
    """Return the text if it is an http or https URL with a host, or refuse it."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        good = False
    if not good:
        raise invalid(f"{name} must be http or https URLs")
    return text


def optional_moment(params: Params, name: str) -> datetime | None:
    """Return an ISO 8601 time; without an offset it is in UTC."""
    text = optional_text(params, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(f"{name} must be an ISO 8601 time") from None


def paging(query: Params) -> tuple[int, int]:
    """Return page and page size; anything but a number counts as absent, and sizes are capped at 100."""
    page = whole_number(query.get("page")) or 1
    size = whole_number(query.get("per_page")) or 25
    return page, min(size, MAX_PER_PAGE)


def whole_number(value: object) -> int | None:
    """Return digits as a number, or None for anything else."""
    return int(value) if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value) else None
