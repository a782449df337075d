"""Decode JSON bodies, those of responses and of webhooks alike."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson

from linq_async.errors import DecodeError, Outcome
from linq_async.models.decodable import DECODABLE
from linq_async.wire.bounds import ERROR_BODY_BYTES, MAX_VALUES, UNCOUNTED_BYTES, has_too_many_values, value_count
from linq_async.wire.converter import shape_problems, structure

_MAX_DIAGNOSED_BYTES = 256 << 10
_MAX_DIAGNOSED_VALUES = 5_000  # for a caller's class, whose hooks may not count their failures

T = TypeVar("T")


def decode_body(body: bytes, envelope: str | None, returns: type[T], outcome: Outcome) -> T:
    """Return the model in a body, from the member named ``envelope`` or from the root.

    Raises:
        DecodeError: If the body does not have the documented shape, with ``outcome``.
    """
    problems = too_large(body) if len(body) > UNCOUNTED_BYTES else None
    if not problems:
        try:
            data = orjson.loads(body)
        except ValueError:
            problems = ["$: not JSON" if body else "$: the body is empty"]
        else:
            try:
                return structure(data if envelope is None else data[envelope], returns)
            except Exception:  # noqa: BLE001, S110  # groups of cattrs, and anything that a hook of the caller's raises
                pass
            problems = _problems(body, data, envelope, returns)
            del data
    error = decode_error(body, problems, outcome)
    del body  # a traceback with locals would show it
    raise error


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


def _problems(body: bytes, data: Any, envelope: str | None, returns: Any) -> list[str]:
    path = "$" if envelope is None else f"$.{envelope}"
    is_counted = returns in DECODABLE if isinstance(returns, type) else False
    if len(body) > _MAX_DIAGNOSED_BYTES or (not is_counted and value_count(body) > _MAX_DIAGNOSED_VALUES):
        return [f"{path}: not accepted, and too large to explain"]
    if envelope is not None:
        if data.__class__ is not dict or envelope not in data:
            return [f"{path}: required field missing"]
        data = data[envelope]
    return shape_problems(data, returns, path) or [f"{path}: not accepted"]
