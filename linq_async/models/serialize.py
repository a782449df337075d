"""Results as plain dicts, ready for JSON."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any, cast

import attrs

from linq_async.models.response import Response


def to_dict(result: Any) -> dict[str, Any]:
    """Return a result as plain dicts and lists, ready for JSON: times in ISO 8601, enums as their values.

    Field names are those of the class. Raises TypeError for what is no result of this package.
    """
    if result.__class__ is Response or not attrs.has(result.__class__):
        raise TypeError(f"expected a result, got {type(result).__name__}")
    return attrs.asdict(result, value_serializer=_plain)


def _plain(_instance: Any, _attribute: Any, value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
