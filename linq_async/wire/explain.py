"""The text of an API error beyond its status: the codes, the explanation or a pointer to it, and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import attrs

from linq_async.config import Settings
from linq_async.errors import ErrorDetail
from linq_async.uploads import Upload
from linq_async.wire.request import Request

MAX_SENTENCE = 300

_CODE = re.compile(r"(?=.{1,64}$)(?:[a-z]+(?:_[a-z]+)*|[A-Z]+(?:_[A-Z]+)*)")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[2-9][0-9]{9}")
"""E.164, or ten digits, before which the API puts +1."""
_NUMBER_FIELDS = frozenset({"forwarding_number", "from", "phone_number", "phone_numbers", "send_from", "to"})


def explanation(details: Sequence[ErrorDetail], request: Request, settings: Settings) -> str:
    """Return the server's codes, and its first explanation, or else the attribute that has it.

    Only codes that are words are included, and none that is a part of what was sent, which a server may echo.
    """
    words = {detail.code for detail in details if detail.code is not None and _CODE.fullmatch(detail.code)}
    sent = [text.lower() for text in (settings.token, *sent_texts(request))] if words else []
    codes = sorted(word for word in words if not any(word.lower() in text for text in sent))
    text = f": {', '.join(codes)}" if codes else ""
    for index, detail in enumerate(details):
        if detail.detail and settings.show_details:
            cut = detail.detail[: 4 * MAX_SENTENCE]  # one line without control characters, as terminals need it
            printable = "".join(char if char.isprintable() else " " for char in cut)
            return f"{text}: {' '.join(printable.split())[:MAX_SENTENCE]}"
        if detail.detail:
            return f"{text}; the reason is in error.errors[{index}].detail"
    return text


def number_hint(request: Request) -> str | None:
    """Return a hint that names the phone numbers that are not in E.164 form, or None if all are."""
    numbers: list[tuple[str, str]] = []
    for name in dict(request.params):
        values = [value for other, value in request.params if other == name]
        numbers += _named(name.removesuffix("[]"), values if name.endswith("[]") else values[0])
    pending = [_fields(request)]
    for fields in pending:
        for name, value in fields.items():
            if isinstance(value, Mapping):
                pending.append(cast("Mapping[str, Any]", value))
            else:
                numbers += _named(name, value)
    wrong = [name for name, value in numbers if "@" not in value and not _NUMBER.fullmatch(value)]
    if not wrong:
        return None
    named = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    return f"{named} should be in E.164 form, such as +12223334444"


def _named(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the phone numbers of a field, if it is one of theirs."""
    if name not in _NUMBER_FIELDS:
        return
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list | tuple):
        for index, one in enumerate(cast("Sequence[object]", value)):
            if isinstance(one, str):
                yield f"{name}[{index}]", one


def _fields(request: Request) -> Mapping[str, Any]:
    message = request.message
    if message is None:
        return request.json
    return {field.name: getattr(message, field.name) for field in attrs.fields(type(message))}


def sent_texts(request: Request) -> Iterator[str]:
    """Yield every text that a request sends."""
    yield from (value for _, value in request.params)
    pending: list[object] = [_fields(request)]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            pending += cast("Mapping[object, object]", value).values()
        elif isinstance(value, list | tuple):
            pending += cast("Sequence[object]", value)
        elif isinstance(value, Upload):
            yield value.filename
