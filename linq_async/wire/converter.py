"""The one converter between JSON values and models.

cattrs by itself turns null into the text 'None', 'false' into True and a list into an empty object. Here every leaf
has exactly its type, an unknown enum value stays the str it is, a null list is empty, and both spellings of a time
are read. Our own classes are written out by ``codegen``, with the same hooks. cattrs is imported by ``prepare``,
for it would be a tenth of what it takes to import the package.
"""

from __future__ import annotations

import enum
import functools
import types
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

import attrs

from linq_async.models.chats import CreatedChat
from linq_async.models.contacts import ContactList
from linq_async.wire.codegen import LEAVES, Hook, generate_hook
from linq_async.wire.diagnosis import MismatchError, counted, diagnose, expected

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")
_RENAMED: dict[type, dict[str, str]] = {
    CreatedChat: {"message": "chat_messages"},
    ContactList: {"data": "contacts", "meta": "pagination"},
}


def prepare() -> None:
    """Import cattrs and build the converters: before anything is sent, so that no answer is lost for want of them."""
    for detailed in (False, True):
        _converter(detailed=detailed)


def structure(data: Any, returns: type[T]) -> T:
    """Make a model of a JSON value. What it raises is of no use: ask ``shape_problems``."""
    kind: Any = returns  # a call of cast() costs more than it says
    model: T = _hook(kind, False)(data, kind)
    return model


def shape_problems(data: Any, returns: Any, path: str) -> list[str]:
    """Return what differs, and where: ``$.data.chat_handles[1].joined_at: expected a time, got int``. Names no value.

    Stops after 20 problems.
    """
    return diagnose(lambda: _hook(returns, True)(data, returns), path, _wire_name)


def returns_problem(returns: Any) -> str | None:
    """Say why JSON cannot be decoded into a type; None if it can."""
    try:
        for detailed in (False, True):
            _hook(returns, detailed)
    except Exception:  # noqa: BLE001  # cattrs and typing raise many kinds
        return "must be a type that JSON can be decoded into, such as an attrs class or list[int]"
    return None


def is_ours(kind: Any) -> bool:
    """Return whether a class is one of this package's models."""
    return isinstance(kind, type) and kind.__module__.startswith(f"{CreatedChat.__module__.rpartition('.')[0]}.")


def _wire_name(kind: type, name: str) -> str:
    return _RENAMED.get(kind, {}).get(name, name)


@functools.cache
def _hook(returns: Any, detailed: bool) -> Hook:  # positional: a name would cost the cache a bigger key
    return _converter(detailed=detailed).get_structure_hook(returns)


@functools.cache
def _converter(*, detailed: bool) -> Converter:
    """Build the converter; ``detailed`` notes on each error where it arose, at the price of a quarter more time."""
    from cattrs import Converter

    converter = Converter(detailed_validation=detailed)
    for leaf in LEAVES:
        converter.register_structure_hook(leaf, counted(_exactly(leaf)) if detailed else _exactly(leaf))
    converter.register_structure_hook(datetime, counted(_time) if detailed else _time)
    converter.register_structure_hook_factory(attrs.has, _object_hook)
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(_is_union, _union_hook)
    return converter


def _exactly(kind: type, *, optional: bool = False) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is kind or (optional and value is None):
            return value
        raise expected(kind.__name__, value)

    return hook


def _time(value: Any, _: Any) -> datetime:
    if type(value) is not str:
        raise expected("a time", value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = _spelled_otherwise(value)
    if moment.tzinfo is None:
        raise MismatchError("expected a time with its offset, got one without")
    return moment


def _time_or_none(value: Any, _: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _time(value, _)
    return moment if moment.tzinfo is not None else _time(value, _)


def _spelled_otherwise(value: str) -> datetime:
    """Read what ``fromisoformat`` of 3.11 does not: a zone's name, a space before the offset, small letters."""
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
    if not converter.detailed_validation and is_ours(kind):
        hook = generate_hook(kind, converter.get_structure_hook, _RENAMED.get(kind, {}))
        if hook is not None:
            return hook
    hook = _cattrs_hook(kind, converter)
    return counted(hook) if converter.detailed_validation else hook


def _cattrs_hook(kind: Any, converter: Converter) -> Hook:
    from cattrs.gen import make_dict_structure_fn, override

    renamed: dict[str, Any] = {name: override(rename=wire) for name, wire in _RENAMED.get(kind, {}).items()}
    build: Hook = make_dict_structure_fn(
        kind, converter, _cattrs_detailed_validation=converter.detailed_validation, **renamed
    )

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

    return hook if detailed is None else counted(hook)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, types.UnionType}


def _union_hook(kind: Any, converter: Converter) -> Hook:
    """Fuse ``X | None``, and ``SomeEnum | str | None``, into one call."""
    hook = _fused_hook(kind, converter)
    return counted(hook) if converter.detailed_validation else hook


def _fused_hook(kind: Any, converter: Converter) -> Hook:
    members = get_args(kind)
    optional = type(None) in members
    enums = [member for member in members if isinstance(member, type) and issubclass(member, enum.StrEnum)]
    rest = [member for member in members if member not in {type(None), *enums, *([str] if enums else [])}]
    if enums and not rest:
        return _open_enum(enums[0], optional=optional)
    if enums or len(rest) != 1 or not optional:
        raise TypeError(f"no rule for {kind}")
    (inner,) = rest
    if inner in LEAVES:
        return _exactly(inner, optional=True)
    if inner is datetime:
        return _time_or_none
    build = converter.get_structure_hook(inner)
    return lambda value, _: None if value is None else build(value, inner)


def _open_enum(kind: type[enum.StrEnum], *, optional: bool) -> Hook:
    known: dict[str, enum.StrEnum] = {member.value: member for member in kind}

    def hook(value: Any, _: Any) -> Any:
        if type(value) is str:
            return known.get(value, value)
        if optional and value is None:
            return None
        raise expected("str", value)

    return hook
