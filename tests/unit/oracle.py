"""The expected results of decoding, derived only from the model annotations and the two error formats."""

from __future__ import annotations

import enum
import re
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import attrs

WIRE_NAMES = {("CreatedChat", "message"): "chat_messages"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{3})?)(?: UTC|Z| ?([+-]\d\d):?(\d\d))")


def moment(text: str) -> datetime | None:
    """Parse a time in either documented format; return None for any other."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day, clock, hours, minutes = found.groups()
    pattern = "%Y-%m-%dT%H:%M:%S.%f%z" if "." in clock else "%Y-%m-%dT%H:%M:%S%z"
    try:
        return datetime.strptime(f"{day}T{clock}{hours or '+00'}{minutes or '00'}", pattern)
    except ValueError:
        return None


def wire_fields(kind: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield each field with its wire name and its type."""
    hints = typing.get_type_hints(kind)
    fields: tuple[Any, ...] = attrs.fields(kind)
    for field in fields:
        name: str = field.name
        yield field, WIRE_NAMES.get((kind.__name__, name), name), hints[name]


def defects(value: Any, kind: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Yield the path of each value that does not fit its type, with False if decoding may accept it."""
    members = typing.get_args(kind)
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        if value is None and type(None) in members:
            return
        found = [list(defects(value, member, path)) for member in members if member is not type(None)]
        yield from min(found, key=len)
    elif typing.get_origin(kind) is list:
        yield from _list_defects(value, members[0], path)
    elif attrs.has(kind):
        yield from _object_defects(value, kind, path)
    elif isinstance(kind, enum.EnumType):
        if type(value) is not str or value not in kind.__members__.values():
            yield path, True
    elif kind is datetime:
        if type(value) is not str:
            yield path, True
        elif moment(value) is None:
            yield path, False
    elif type(value) is not kind:
        yield path, True


def _list_defects(value: Any, kind: Any, path: str) -> Iterator[tuple[str, bool]]:
    if value is None:
        return
    if type(value) is not list:
        yield path, True
        return
    for number, item in enumerate(cast("list[object]", value)):
        yield from defects(item, kind, f"{path}[{number}]")


def _object_defects(value: Any, kind: Any, path: str) -> Iterator[tuple[str, bool]]:
    if type(value) is not dict:
        yield path, True
        return
    for field, name, declared in wire_fields(kind):
        if name in value:
            yield from defects(value[name], declared, f"{path}.{name}")
        elif field.default is attrs.NOTHING:
            yield f"{path}.{name}", True


def is_same(result: Any, value: Any) -> bool:
    """Return whether a result equals the JSON value."""
    if attrs.has(cast("type[object]", type(result))):
        return all(
            is_same(getattr(result, field.name), value[name]) if name in value else _is_default(result, field)
            for field, name, _ in wire_fields(type(result))
        )
    if isinstance(result, list):
        found, items = cast("list[object]", result), cast("list[object]", value or [])
        return len(found) == len(items) and all(map(is_same, found, items))
    if isinstance(result, datetime):
        return result.tzinfo is not None and moment(value) in (result, None)
    return type(value) in (type(result), str) and result == value


def _is_default(result: Any, field: attrs.Attribute[Any]) -> bool:
    default: Any = field.default
    expected: object = default.factory() if hasattr(default, "factory") else default
    return bool(getattr(result, field.name) == expected)


Detail = tuple[int | None, str | None, str | None, str | None]


def expected_details(data: Any) -> list[Detail]:
    """Return status, code, title and detail of each entry of an error body, by the two formats of the documentation."""
    if type(data) is not dict:
        return []
    body = cast("dict[str, Any]", data)
    errors = cast("list[Any]", body["errors"]) if type(body.get("errors")) is list else []
    code = _text(body.get("error_code"))
    if code is not None or str in map(type, errors):
        sentences = [_text(entry) for entry in errors[:20] if type(entry) is str] or [None]
        return [(None, code, _text(body.get("message")), sentence) for sentence in sentences]
    return [_entry(cast("dict[str, Any]", entry)) for entry in errors[:20] if type(entry) is dict]


def _entry(entry: dict[str, Any]) -> Detail:
    status = entry.get("status")
    code, title, detail = (_text(entry.get(name)) for name in ("code", "title", "detail"))
    return status if type(status) is int else None, code, title, detail


def _text(value: Any) -> str | None:
    return value if type(value) is str else None
