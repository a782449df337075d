"""Generated code that makes a model of a JSON object, field by field.

The code of cattrs calls a hook for each value and then ``__init__`` with all of them as keyword arguments. Here the
type of a value is checked in place, only values of other types are passed to their hooks, and the attributes are set
directly. It takes half the time.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Iterator
from typing import Any, Union, get_args, get_origin

import attrs

from linq_async.models.decodable import wire_name

Hook = Callable[[Any, Any], Any]

LEAVES: tuple[type, ...] = (str, int, bool, float)


@attrs.frozen
class _Frozen:
    """A class to compare others with: all frozen classes share one ``__setattr__``."""


def generate_hook(kind: type, hook_of: Callable[[Any], Hook]) -> Hook | None:
    """Return a hook for a plain class, or None if the class is not plain.

    In a plain class ``__init__`` only sets the attributes, and each field is required or defaults to None or to an
    empty list. ``hook_of`` returns the hook of a field's type. The generated hook raises for values of other shapes.
    """
    fields = attrs.fields(attrs.resolve_types(kind))
    custom: Any = kind
    frozen = custom.__setattr__ is _Frozen.__setattr__ and "__slots__" in vars(kind)
    if (
        hasattr(kind, "__attrs_pre_init__")
        or hasattr(kind, "__attrs_post_init__")
        or not (frozen or custom.__setattr__ is object.__setattr__)
        or any(field.converter or field.validator or not _is_null_if_missing(field) for field in fields)
    ):
        return None
    scope: dict[str, Any] = {"kind": kind, "new": kind.__new__, **{leaf.__name__: leaf for leaf in LEAVES}}
    if frozen:
        scope |= {f"set_{field.name}": getattr(kind, field.name).__set__ for field in fields}
    lines = ["def structure(data, _):", "get = data.get", "made = new(kind)"]
    for field in fields:
        scope |= _scope_of(field, hook_of)
        lines += _lines(field, "set_{}(made, {})" if frozen else "made.{} = {}")
    source = "\n    ".join([*lines, "return made"])
    exec(compile(source, f"<linq_async structure {kind.__qualname__}>", "exec"), scope)  # noqa: S102  # our own names
    hook: Hook = scope["structure"]
    return hook


def _is_null_if_missing(field: attrs.Attribute[Any]) -> bool:
    """Return whether a missing field has the value of a null one. A field that is never in JSON only needs a value."""
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, which attrs declares as a function
        return field.init and get_origin(field.type) is list and default.factory() == []
    return not field.init or default is attrs.NOTHING or default is None


def _scope_of(field: attrs.Attribute[Any], hook_of: Callable[[Any], Hook]) -> dict[str, Any]:
    """Return the names that the lines of a field use."""
    name, kind = field.name, field.type
    if not field.init:
        return {f"{name}_default": field.default}
    scope: dict[str, Any] = {f"{name}_hook": hook_of(kind), f"{name}_type": kind}
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return scope | {f"{name}_item_hook": hook_of(item), f"{name}_item_type": item}
    return scope | {f"{name}_known": {member.value: member for member in _open_enum_of(kind) or ()}}


def _lines(field: attrs.Attribute[Any], setting: str) -> Iterator[str]:
    """Yield the lines that set a field. ``setting`` is the format of the last one."""
    if not field.init:
        yield setting.format(field.name, f"{field.name}_default")
        return
    required = field.default is attrs.NOTHING
    yield f"value = data[{wire_name(field)!r}]" if required else f"value = get({wire_name(field)!r})"
    yield setting.format(field.name, _expression(field.name, field.type))


def _expression(name: str, kind: Any) -> str:
    """Return the expression for a value, which calls the hook of its type only if that is needed."""
    otherwise = f"{name}_hook(value, {name}_type)"
    if get_origin(kind) is list:
        items = f"[{name}_item_hook(item, {name}_item_type) for item in value]"
        return f"{items} if value.__class__ is list else {otherwise}"
    if _open_enum_of(kind) is not None:
        return f"{name}_known.get(value, value) if value.__class__ is str else {otherwise}"
    optional = get_origin(kind) in {Union, types.UnionType} and type(None) in get_args(kind)
    (inner, *more) = [member for member in get_args(kind) if member is not type(None)] if optional else [kind]
    conditions = [f"value.__class__ is {inner.__name__}"] if inner in LEAVES and not more else []
    conditions += ["value is None"] if optional else []
    return f"value if {' or '.join(conditions)} else {otherwise}" if conditions else otherwise


def _open_enum_of(kind: Any) -> type[enum.StrEnum] | None:
    """Return the enum of a union such as ``Service | str | None``, or None if it is not one."""
    enums = [member for member in get_args(kind) if isinstance(member, type) and issubclass(member, enum.StrEnum)]
    return enums[0] if enums and str in get_args(kind) else None
