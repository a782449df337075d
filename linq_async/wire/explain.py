"""What the text of an API error says beyond its status: codes, where the server's sentence is, and a hint."""

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
"""E.164; or ten digits, for which the API assumes +1."""
_NUMBER_FIELDS = frozenset({"forwarding_number", "from", "phone_number", "phone_numbers", "send_from", "to"})


def explanation(details: Sequence[ErrorDetail], request: Request, settings: Settings) -> str:
    """Return the server's codes, and its first sentence if it is to be shown, or else where it is."""
    found = _codes(details, request, settings.token)
    text = f": {', '.join(found)}" if found else ""
    for index, detail in enumerate(details):
        if detail.detail and settings.show_details:
            return f"{text}: {_printable(detail.detail)}"
        if detail.detail:
            return f"{text}; the reason is in error.errors[{index}].detail"
    return text


def _codes(details: Sequence[ErrorDetail], request: Request, token: str) -> list[str]:
    """Return the codes that a text may hold: words, none of them a part of what was sent, which a server may echo."""
    words = {detail.code for detail in details if detail.code is not None and _CODE.fullmatch(detail.code)}
    if not words:
        return []
    sent = [text.lower() for text in (token, *sent_texts(request))]
    return sorted(word for word in words if not any(word.lower() in text for text in sent))


def _printable(sentence: str) -> str:
    """Return a sentence on one line, without control characters: it may end up in a terminal."""
    cut = sentence[: 4 * MAX_SENTENCE]
    return " ".join("".join(char if char.isprintable() else " " for char in cut).split())[:MAX_SENTENCE]


def number_hint(request: Request) -> str | None:
    """Name the arguments of a request that hold no phone number as it should be written; None if there is none."""
    wrong = [name for name, value in _numbers(request) if "@" not in value and not _NUMBER.fullmatch(value)]
    if not wrong:
        return None
    named = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    return f"{named} should be in E.164 form, such as +12223334444"


def _numbers(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the phone numbers of a request, each with the name of its argument."""
    for name in dict(request.params):
        values = [value for other, value in request.params if other == name]
        yield from _named(name.removesuffix("[]"), values if name.endswith("[]") else values[0])
    pending = [_fields(request)]
    for fields in pending:
        for name, value in fields.items():
            if isinstance(value, Mapping):
                pending.append(cast("Mapping[str, Any]", value))
            else:
                yield from _named(name, value)


def _named(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield a field's phone numbers, if it holds any."""
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
