"""The converter from JSON values to models.

By default cattrs turns null into the text 'None', 'false' into True and a list into an empty object. This converter
requires the exact type of each leaf, keeps an unknown enum value as the str that it is, reads a null list as empty, and
reads both formats of a time. In events it also reads an int from a string of digits, as their ids are sent. Models are
made by code of ``codegen``, with the same hooks. cattrs is imported by ``prepare``, because it takes a tenth of the
time that it takes to import the package.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import attrs

from linq_async.models.decodable import DECODABLE, MAX_DIGITS, WIRE_NAME, wire_name
from linq_async.wire.codegen import LEAVES, Hook, generate_hook
from linq_async.wire.diagnosis import MismatchError, counted, diagnose, expected

if TYPE_CHECKING:
    from cattrs import Converter


def prepare() -> None:
    """Import cattrs and build the converters, before anything is sent: afterwards a failure would lose the response."""
    for detailed in (False, True):
        _converter(detailed=detailed)


@functools.cache
def model_hook(returns: Any, detailed: bool = False, digits: bool = False) -> Hook:  # names would make its key bigger
    """Return the hook that makes a model of a JSON value, for ``shape_problems`` to explain what it raises."""
    return _converter(detailed=detailed, digits=digits).get_structure_hook(returns)


def event_hook(kind: Any) -> Hook:
    """Return the hook that makes an event, in which a string of digits is an int."""
    return model_hook(kind, False, True)


def shape_problems(data: Any, returns: Any, path: str, *, digits: bool = False) -> list[str]:
    """Return the differences, such as ``$.data.chat_handles[1].joined_at: expected a time, got int``, without values.

    At most 20 of them are returned. With ``digits``, as in events, a string of digits is an int.
    """
    return diagnose(lambda: model_hook(returns, True, digits)(data, returns), path)


def returns_problem(returns: Any) -> str | None:
    """Return what is wrong with a type that JSON is to be decoded into, or None."""
    try:
        for detailed in (False, True):
            model_hook(returns, detailed)
    except Exception:  # noqa: BLE001  # cattrs and typing raise many kinds
        return "must be a type that JSON can be decoded into, such as an attrs class or list[int]"
    return None


@functools.cache
def _converter(*, detailed: bool, digits: bool = False) -> Converter:
    """Build the converter. With ``detailed`` its errors name their place, and it takes a quarter longer."""
    from cattrs import Converter

    converter = Converter(detailed_validation=detailed)
    leaves = {leaf: _exactly((leaf,), leaf.__name__) for leaf in LEAVES} | ({int: int_or_digits} if digits else {})
    for leaf, hook in (leaves | {datetime: _time}).items():
        converter.register_structure_hook(leaf, counted(hook) if detailed else hook)

    def register(applies: Callable[[Any], bool], factory: Callable[[Any, Converter], Hook]) -> None:
        def counted_factory(kind: Any, converter: Converter) -> Hook:
            return counted(factory(kind, converter))

        converter.register_structure_hook_factory(applies, counted_factory if detailed else factory)

    register(attrs.has, _object_hook)
    register(lambda kind: kind == dict[str, Any], lambda _, __: _exactly((dict,), "an object"))
    register(lambda kind: get_origin(kind) is list, _list_hook)
    register(lambda kind: get_origin(kind) in {Union, types.UnionType}, _union_hook)
    return converter


def _exactly(kinds: tuple[type, ...], name: str, *, optional: bool = False) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if type(value) in kinds or (optional and value is None):
            return value
        raise expected(name, value)

    return hook


def int_or_digits(value: Any, _: Any = int) -> int:
    """Return an id of an event, which is a string of digits or an int.

    Raises:
        MismatchError: If it is neither.
    """
    if value.__class__ is str and len(value) <= MAX_DIGITS and value.isascii() and value.isdecimal():
        return int(value)
    if type(value) is int:
        return value
    raise expected("int or digits", value)


def _time(value: Any, _: Any) -> datetime:
    if type(value) is not str:
        raise expected("a time", value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = _parse_other_format(value)
    if moment.tzinfo is None:
        raise MismatchError("expected a time with its offset, got one without")
    return moment


def _time_or_none(value: Any, _: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None if value is None else _time(value, _)
    return moment if moment.tzinfo is not None else _time(value, _)


def _parse_other_format(value: str) -> datetime:
    """Parse what ``fromisoformat`` of 3.11 does not: UTC as a name, a space before the offset, lower case."""
    text = value.upper().removesuffix(" UTC")
    head, space, offset = text.rpartition(" ")
    if text != value.upper():
        text += "+00:00"
    elif space and offset[:1] in "+-" and ":" in head:
        text = head + offset
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise MismatchError("expected a time, got other text")


def _object_hook(kind: Any, converter: Converter) -> Hook:
    from cattrs.gen import make_dict_structure_fn, override

    detailed = converter.detailed_validation
    if not detailed and kind in DECODABLE:
        generated = generate_hook(kind, converter.get_structure_hook)
        if generated is not None:
            return generated
    renamed: dict[str, Any] = {
        field.name: override(rename=wire_name(field)) for field in attrs.fields(kind) if WIRE_NAME in field.metadata
    }
    build: Hook = make_dict_structure_fn(kind, converter, _cattrs_detailed_validation=detailed, **renamed)

    def hook(value: Any, _: Any) -> Any:
        if value.__class__ is dict:
            return build(value, kind)
        raise expected("an object", value)

    return hook


def _list_hook(kind: Any, converter: Converter) -> Hook:
    from cattrs.cols import list_structure_factory

    (element,) = get_args(kind)
    one = converter.get_structure_hook(element)
    detailed = list_structure_factory(kind, converter) if converter.detailed_validation else None

    def hook(value: Any, _: Any) -> Any:
        if value is None:
            return []
        if value.__class__ is not list:
            raise expected("a list", value)
        return [one(item, element) for item in value] if detailed is None else detailed(value, kind)

    return hook


def _union_hook(kind: Any, converter: Converter) -> Hook:
    """Return one hook for ``X | None``, ``SomeEnum | str | None`` or ``int | str | None``."""
    members = get_args(kind)
    optional = type(None) in members
    enums = [member for member in members if isinstance(member, type) and issubclass(member, enum.StrEnum)]
    rest = [member for member in members if member not in {type(None), *enums, *([str] if enums else [])}]
    if enums and not rest:
        known: dict[str, enum.StrEnum] = {member.value: member for member in enums[0]}

        def open_enum(value: Any, _: Any) -> Any:
            if type(value) is str:
                return known.get(value, value)
            if optional and value is None:
                return None
            raise expected("str", value)

        return open_enum
    if set(members) == {int, str, type(None)}:
        return _exactly((int, str), "int or str", optional=True)
    if enums or len(rest) != 1 or not optional:
        raise TypeError(f"no rule for {kind}")
    (inner,) = rest
    if inner in LEAVES and inner is not int:
        return _exactly((inner,), inner.__name__, optional=True)
    if inner is datetime:
        return _time_or_none
    build = converter.get_structure_hook(inner)  # a string of digits may be an int
    return lambda value, _: None if value is None else build(value, inner)
