"""Which classes are decoded from JSON, and by which names."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

T = TypeVar("T")

WIRE_NAME = "linq_async.wire_name"
"""The metadata key of a field whose name in JSON differs: ``attrs.field(metadata={WIRE_NAME: "pagination"})``."""

MAX_DIGITS = 20
"""The longest string of digits that is read as an int: a 64-bit number has no more."""

DECODABLE: set[Any] = set()
"""The registered classes."""


def decodable(kind: type[T]) -> type[T]:
    """Register an attrs class as a model that is decoded from JSON, by code generated for it."""
    DECODABLE.add(kind)
    return kind


def wire_name(field: attrs.Attribute[Any]) -> str:
    """Return the name of a field in JSON."""
    name: str = field.metadata.get(WIRE_NAME, field.name)
    return name


def wire_name_in(kind: Any, name: str) -> str:
    """Return the name in JSON of the field of a class, or ``name`` if the class is not an attrs class."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind) if attrs.has(kind) else ()
    return next((wire_name(field) for field in fields if field.name == name), name)
