"""Which classes are decoded from JSON, and by which names."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

T = TypeVar("T")

WIRE_NAME = "linq_async.wire_name"
"""The metadata key of a field whose name in JSON differs: ``attrs.field(metadata={WIRE_NAME: "pagination"})``."""

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
