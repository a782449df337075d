"""Decode JSON bodies, those of responses and of webhooks alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from linq_async.errors import DecodeError, Outcome
from linq_async.models.decodable import DECODABLE
from linq_async.wire.bounds import (
    ERROR_BODY_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    UNCOUNTED_BYTES,
    has_too_many_values,
    is_too_deep,
    value_count,
)
from linq_async.wire.converter import event_hook, model_hook, shape_problems

_MAX_DIAGNOSED_BYTES = 256 << 10
_MAX_DIAGNOSED_VALUES = 5_000  # for a caller's class, whose hooks may not count their failures

T = TypeVar("T")


def decode_body(body: bytes, envelope: str | None, returns: type[T], outcome: Outcome) -> T:
    """Return the model in a body, from the member named ``envelope`` or from the root.

    Raises:
        DecodeError: If the body does not have the documented shape, with ``outcome``.
    """
    data, problems = _loaded(body)
    if not problems:
        try:
            value: T = model_hook(returns)(  # type: ignore[arg-type]  # mypy takes type[T] for unhashable
                data if envelope is None else data[envelope], returns
            )
        except Exception:  # noqa: BLE001  # groups of cattrs, and anything that a hook of the caller's raises
            problems = _problems(body, data, envelope, returns)
        else:
            return value
    error = decode_error(body, problems, outcome)
    del body, data  # a traceback with locals would show them
    raise error


def decode_event(body: bytes, kinds: Mapping[str, type[T]], otherwise: type[T]) -> T:
    """Return the event in a body, of the class for its ``event_type``, or of another one if there is none.

    Raises:
        DecodeError: If the body does not have the documented shape, with the outcome NOT_SENT.
    """
    data, problems = _loaded(body)
    if not problems and is_too_deep(body):
        problems = [f"$: nested more than {MAX_DEPTH} levels deep"]
    if not problems:
        name: Any = data.get("event_type") if data.__class__ is dict else None
        kind = kinds.get(name, otherwise) if name.__class__ is str else otherwise
        try:
            event: T = event_hook(kind)(data, kind)
        except Exception:  # noqa: BLE001  # as above
            problems = _problems(body, data, None, kind, digits=True)
        else:
            return event
    error = decode_error(body, problems, Outcome.NOT_SENT)
    del body, data
    raise error


def _loaded(body: bytes) -> tuple[Any, list[str]]:
    """Return the JSON value of a body, or why there is none."""
    if len(body) > UNCOUNTED_BYTES and (problems := too_large(body)):
        return None, problems
    try:
        return orjson.loads(body), []
    except ValueError:
        return None, ["$: not JSON" if body else "$: the body is empty"]


def too_large(body: bytes) -> list[str]:
    """Return the problem that a body contains too many values, if it does."""
    return [f"$: more than {MAX_VALUES:,} values"] if has_too_many_values(body) else []


def decode_error(body: bytes, problems: list[str], outcome: Outcome) -> DecodeError:
    """Return the error for a body with these problems, each a path and a reason."""
    return DecodeError(
        f"the body does not have the documented shape: {'; '.join(problems[:5])}",
        paths=[problem.split(": ", 1)[0] for problem in problems],
        body=body[:ERROR_BODY_BYTES],
        outcome=outcome,
    )


def _problems(body: bytes, data: Any, envelope: str | None, returns: Any, *, digits: bool = False) -> list[str]:
    path = "$" if envelope is None else f"$.{envelope}"
    is_counted = returns in DECODABLE if isinstance(returns, type) else False
    if len(body) > _MAX_DIAGNOSED_BYTES or (not is_counted and value_count(body) > _MAX_DIAGNOSED_VALUES):
        return [f"{path}: not accepted, and too large to explain"]
    if envelope is not None:
        if data.__class__ is not dict or envelope not in data:
            return [f"{path}: required field missing"]
        data = data[envelope]
    return shape_problems(data, returns, path, digits=digits) or [f"{path}: not accepted"]
