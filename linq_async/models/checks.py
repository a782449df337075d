"""Argument checks. All problems are reported at once, each with the argument's name and never with its value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

from linq_async._unset import UNSET
from linq_async.errors import Problem

MAX_ID = 2**63 - 1

_FIELD_NAME = re.compile(r"[A-Za-z_.\[\]]{1,40}")


class NotAList:
    """Replaces an argument that is not a list or could not be read. Holds the reason, not the value."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message: str = message


def as_tuple(values: Iterable[str]) -> tuple[str, ...]:
    """Copy an iterable into a tuple, or return NotAList. Never raises, because the caller's frame holds the text."""
    if values.__class__ is list or values.__class__ is tuple:  # the common case: isinstance(_, Iterable) is slow
        return tuple(values)
    return cast("tuple[str, ...]", copied(values))


def copied(values: object) -> tuple[object, ...] | NotAList:
    """Copy any iterable except str and bytes into a tuple, or return NotAList with the reason."""
    if isinstance(values, NotAList):
        return values
    try:
        if isinstance(values, Iterable) and not isinstance(values, str | bytes):
            return tuple(cast("Iterable[object]", values))
    except Exception as error:  # noqa: BLE001  # a caller's iterable may raise anything
        return NotAList(f"cannot be read: it raised {type(error).__name__}")
    return NotAList(f"must be a list, not {type(values).__name__}")


def is_field_name(name: object) -> bool:
    """Return whether an error may print a name that the caller chose. Other names may be a phone number or a text."""
    return isinstance(name, str) and _FIELD_NAME.fullmatch(name) is not None


def id_problems(ids: Mapping[str, object]) -> list[Problem]:
    """Check ids. Neither a bool nor a str is accepted."""
    return [
        Problem(name, "must be an int above 0")
        for name, value in ids.items()
        if type(value) is not int or not 0 < value <= MAX_ID
    ]


def count_problems(**counts: object) -> list[Problem]:
    """Check page numbers and page sizes."""
    return id_problems(counts)


def text_problems(**values: object) -> list[Problem]:
    """Check texts that must not be empty."""
    if all_ascii(values.values()):
        return []
    found = [(name, required_text_problem(value)) for name, value in values.items()]
    return [Problem(name, message) for name, message in found if message is not None]


def all_ascii(values: Collection[Any]) -> bool:
    """Return whether all values are non-empty ASCII texts: the common case, which is cheap to check."""
    try:
        return "".join(values).isascii() and all(values)
    except TypeError:  # not all of them are texts
        return False


def optional_text_problems(**values: object) -> list[Problem]:
    """Check texts that may be None or UNSET but not empty."""
    return text_problems(**{name: value for name, value in values.items() if value is not None and value is not UNSET})


def required_text_problem(value: object) -> str | None:
    """Return why a value cannot be sent as a text that must not be empty, or None if it can."""
    return "must not be empty" if isinstance(value, str) and not value else text_problem(value)


def text_problem(value: object) -> str | None:
    """Return why a value cannot be sent as a text, which may be empty, or None if it can."""
    if not isinstance(value, str):
        return f"must be a str, not {type(value).__name__}"
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return "contains an unpaired surrogate"
    return None


def list_problems(name: str, values: object, problem_of: Callable[[object], str | None]) -> list[Problem]:
    """Check each entry of a list that ``as_tuple`` or ``copied`` returned."""
    if isinstance(values, NotAList):
        return [Problem(name, values.message)]
    found: list[Problem] = []
    for index, value in enumerate(cast("tuple[object, ...]", values)):
        message = problem_of(value)
        if message is not None:
            found.append(Problem(f"{name}[{index}]", message))
    return found


def text_list_problems(name: str, values: object) -> list[Problem]:
    """Check a list of texts that ``as_tuple`` returned. Neither the list nor a text may be empty."""
    if values == ():
        return [Problem(name, "must not be empty")]
    return list_problems(name, values, required_text_problem)


def datetime_problems(**values: object) -> list[Problem]:
    """Check datetimes, which must have a UTC offset. None is accepted."""
    return [
        Problem(name, "must be a datetime with a time zone")
        for name, value in values.items()
        if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None)
    ]


def seconds_problems(**values: object) -> list[Problem]:
    """Check durations in seconds. Infinity is accepted, NaN and bool are not."""
    return [
        Problem(name, "must be a number of seconds above 0")
        for name, value in values.items()
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value) or value <= 0
    ]


def url_problems(**urls: object) -> list[Problem]:
    """Check URLs."""
    found = [(name, url_problem(value)) for name, value in urls.items()]
    return [Problem(name, message) for name, message in found if message is not None]


def url_problem(value: object) -> str | None:
    """Return why a value cannot be sent as a URL, or None if it can."""
    message = required_text_problem(value)
    if message is not None or not isinstance(value, str):
        return message
    try:
        parts = urlsplit(value)
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        return "must be an http or https URL"
    return None
