"""Code that makes one of our classes from a JSON object, written out field by field.

cattrs writes such code as well, with a call for every value and another of ``__init__`` with all of them by name.
Nearly every value is of its type already, or null where it may be; here that is seen in place, only the others are
handed to their hooks, and attributes are set as unpickling sets them. It takes half the time.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Union, get_args, get_origin

import attrs

Hook = Callable[[Any, Any], Any]

LEAVES: tuple[type, ...] = (str, int, bool, float)


def generate_hook(kind: type, hook_of: Callable[[Any], Hook], wire_names: Mapping[str, str]) -> Hook | None:
    """Return a hook for a plain class: one whose ``__init__`` does nothing but to set what it is given.

    Each of its fields must be in the JSON object, or defaults to None or to an empty list. ``hook_of`` gives the hook
    of a field's type; ``wire_names`` has the fields that JSON calls otherwise. The hook may be given anything: what is
    not as it should be raises. None where the class is not plain.
    """
    fields = attrs.fields(attrs.resolve_types(kind))
    if not _is_plain(kind, fields):
        return None
    scope: dict[str, Any] = {"kind": kind, "new": kind.__new__, **{leaf.__name__: leaf for leaf in LEAVES}}
    lines = ["def structure(data, _):", "get = data.get", "made = new(kind)"]
    for field in fields:
        scope |= _scope_of(field, hook_of)
        lines += _lines(field, wire_names.get(field.name, field.name))
    source = "\n    ".join([*lines, "return made"])
    exec(compile(source, f"<linq_async structure {kind.__qualname__}>", "exec"), scope)  # noqa: S102  # names of ours
    hook: Hook = scope["structure"]
    return hook


def _is_plain(kind: Any, fields: tuple[Any, ...]) -> bool:
    return (
        not hasattr(kind, "__attrs_pre_init__")
        and not hasattr(kind, "__attrs_post_init__")
        and kind.__setattr__ is object.__setattr__
        and all(field.converter is None and field.validator is None and _is_null_if_missing(field) for field in fields)
    )


def _is_null_if_missing(field: attrs.Attribute[Any]) -> bool:
    """Tell whether a field that is missing is what it is when it is null. What JSON never holds is just set."""
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, which attrs declares as a function
        return field.init and get_origin(field.type) is list and default.factory() == []
    return not field.init or default is attrs.NOTHING or default is None


def _scope_of(field: attrs.Attribute[Any], hook_of: Callable[[Any], Hook]) -> dict[str, Any]:
    if not field.init:
        return {f"{field.name}_default": field.default}
    return {f"{field.name}_hook": hook_of(field.type), f"{field.name}_type": field.type}


def _lines(field: attrs.Attribute[Any], wire_name: str) -> Iterator[str]:
    name = field.name
    if not field.init:
        yield f"made.{name} = {name}_default"
        return
    yield f"value = data[{wire_name!r}]" if field.default is attrs.NOTHING else f"value = get({wire_name!r})"
    known = " or ".join(_known(field.type))
    otherwise = f"{name}_hook(value, {name}_type)"
    yield f"made.{name} = value if {known} else {otherwise}" if known else f"made.{name} = {otherwise}"


def _known(kind: Any) -> Iterator[str]:
    """Yield the conditions under which a value need not be looked at by its hook."""
    optional = get_origin(kind) in {Union, types.UnionType} and type(None) in get_args(kind)
    (inner, *more) = [member for member in get_args(kind) if member is not type(None)] if optional else [kind]
    if inner in LEAVES and not more:
        yield f"value.__class__ is {inner.__name__}"
    if optional:
        yield "value is None"
