"""What is wrong with arguments: told all at once, each by the argument's name, and never with its value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import urlsplit

from linq_async._unset import UNSET
from linq_async.errors import Problem

MAX_ID = 2**63 - 1

_FIELD_NAME = re.compile(r"[A-Za-z_.\[\]]{1,40}")


@dataclass(frozen=True, slots=True)
class NotAList:
    """What was passed in place of a list, or failed as one: only what is wrong with it."""

    message: str


def as_tuple(values: Iterable[str]) -> tuple[str, ...]:
    """Copy a list into a tuple; into NotAList if that fails. Raises nothing: its caller's frame holds the text."""
    if values.__class__ is list or values.__class__ is tuple:  # nearly always, and to ask for an Iterable is slow
        return tuple(values)
    return cast("tuple[str, ...]", copied(values))


def copied(values: object) -> tuple[object, ...] | NotAList:
    """Copy any iterable but a str or bytes into a tuple, or say why that failed."""
    if isinstance(values, NotAList):
        return values
    try:
        if isinstance(values, Iterable) and not isinstance(values, str | bytes):
            return tuple(cast("Iterable[object]", values))
    except Exception as error:  # noqa: BLE001  # whatever a caller's iterable raises
        return NotAList(f"cannot be read: it raised {type(error).__name__}")
    return NotAList(f"must be a list, not {type(values).__name__}")


def is_field_name(name: object) -> bool:
    """Return whether an error may print a name that the caller chose: any other may be a number, or a text."""
    return isinstance(name, str) and _FIELD_NAME.fullmatch(name) is not None


def id_problems(ids: Mapping[str, object]) -> list[Problem]:
    """Return what is wrong with ids: a bool or a str is none."""
    return [
        Problem(name, "must be an int above 0")
        for name, value in ids.items()
        if type(value) is not int or not 0 < value <= MAX_ID
    ]


def count_problems(**counts: object) -> list[Problem]:
    """Return what is wrong with page numbers and sizes."""
    return id_problems(counts)


def text_problems(**values: object) -> list[Problem]:
    """Return what is wrong with texts that must be there."""
    if _are_plain(values.values()):
        return []
    found = [(name, needed_text_problem(value)) for name, value in values.items()]
    return [Problem(name, message) for name, message in found if message is not None]


def _are_plain(values: Iterable[object]) -> bool:
    """Tell whether all are texts of ASCII, and none is empty: nearly always, and soon known."""
    for value in values:
        if type(value) is str and value and value.isascii():
            continue
        return False
    return True


def optional_problems(**values: object) -> list[Problem]:
    """Return what is wrong with texts that may be None or UNSET."""
    return text_problems(**{name: value for name, value in values.items() if value is not None and value is not UNSET})


def needed_text_problem(value: object) -> str | None:
    """Say why a value cannot be sent as a text that must not be empty; None where it can."""
    return "must not be empty" if isinstance(value, str) and not value else text_problem(value)


def text_problem(value: object) -> str | None:
    """Say why a value cannot be sent as a text, which may be empty; None where it can."""
    if not isinstance(value, str):
        return f"must be a str, not {type(value).__name__}"
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return None


def list_problems(name: str, values: object, problem_of: Callable[[object], str | None]) -> list[Problem]:
    """Return what is wrong with the entries of a list. It has been through ``as_tuple``."""
    if isinstance(values, NotAList):
        return [Problem(name, values.message)]
    found: list[Problem] = []
    for index, value in enumerate(cast("tuple[object, ...]", values)):
        message = problem_of(value)
        if message is not None:
            found.append(Problem(f"{name}[{index}]", message))
    return found


def texts_problems(name: str, values: object) -> list[Problem]:
    """Return what is wrong with a list of texts, which must hold one at least. It has been through ``as_tuple``."""
    if values == ():
        return [Problem(name, "must hold one at least")]
    if values.__class__ is tuple and _are_plain(cast("tuple[object, ...]", values)):
        return []
    return list_problems(name, values, needed_text_problem)


def moment_problems(**moments: object) -> list[Problem]:
    """Return what is wrong with moments: None, or a datetime that knows its offset."""
    return [
        Problem(name, "must be a datetime with a time zone")
        for name, value in moments.items()
        if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None)
    ]


def seconds_problems(**spans: object) -> list[Problem]:
    """Return what is wrong with spans of time."""
    return [
        Problem(name, "must be a number of seconds above 0") for name, value in spans.items() if not _is_span(value)
    ]


def _is_span(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value) and value > 0


def url_problems(**urls: object) -> list[Problem]:
    """Return what is wrong with URLs."""
    found = [(name, url_problem(value)) for name, value in urls.items()]
    return [Problem(name, message) for name, message in found if message is not None]


def url_problem(value: object) -> str | None:
    """Say why a value cannot be sent as a URL; None where it can."""
    message = needed_text_problem(value)
    if message is not None or not isinstance(value, str):
        return message
    try:
        parts = urlsplit(value)
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        return "must be an http or https URL"
    return None
