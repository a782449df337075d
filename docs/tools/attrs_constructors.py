"""Gives the constructors of attrs classes to the reference, which reads the source and does not find them there."""

from __future__ import annotations

import importlib
from typing import Any

import attrs
import griffe


class AttrsConstructors(griffe.Extension):
    """Adds ``__init__`` to each attrs class, with the order and the defaults of the imported class."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Visit the classes of a package that is loaded whole, so that bases are known."""
        self._visit(pkg)

    def _visit(self, thing: griffe.Module | griffe.Class) -> None:
        for member in list(thing.members.values()):
            if isinstance(member, griffe.Module):
                self._visit(member)
            elif isinstance(member, griffe.Class) and any("attrs." in str(one.value) for one in member.decorators):
                _construct(member)


def _construct(cls: griffe.Class) -> None:
    imported = importlib.import_module(cls.module.path)
    fields = [field for field in attrs.fields(getattr(imported, cls.name)) if field.init]
    # As in Python's own signatures: those by position first.
    parameters = [_parameter(cls, field) for field in sorted(fields, key=lambda field: field.kw_only)]
    receiver = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    cls.set_member("__init__", griffe.Function("__init__", parameters=griffe.Parameters(receiver, *parameters)))


def _parameter(cls: griffe.Class, field: attrs.Attribute[Any]) -> griffe.Parameter:
    kind = griffe.ParameterKind.keyword_only if field.kw_only else griffe.ParameterKind.positional_or_keyword
    members = [one.members[field.name] for one in (cls, *cls.mro()) if field.name in one.members]
    declared = members[0] if members and isinstance(members[0], griffe.Attribute) else None
    default = _default(field)
    if declared is not None and declared.parent is cls:
        declared.value = default  # in place of attrs.field(...)
    annotation = declared.annotation if declared is not None else None
    return griffe.Parameter(field.alias or field.name, annotation=annotation, kind=kind, default=default)


def _default(field: attrs.Attribute[Any]) -> str | None:
    if field.default is attrs.NOTHING:
        return None
    return "..." if hasattr(field.default, "factory") else repr(field.default)
