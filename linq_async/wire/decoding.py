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
    try:
        data = _load(body, outcome)
    except DecodeError as error:
        found = error
    else:
        try:
            return structure(data if envelope is None else data[envelope], returns)
        except Exception:  # noqa: BLE001, S110  # groups of cattrs, and anything that a hook of the caller's raises
            pass
        found = decode_error(body, _problems(body, data, envelope, returns), outcome)
        del data
    del body  # a traceback with locals would show it
    raise found.with_traceback(None)


def check_value_count(body: bytes, outcome: Outcome) -> None:
    """Check that a body does not contain too many values.

    Raises:
        DecodeError: If it does, with ``outcome``.
    """
    if has_too_many_values(body):
        raise decode_error(body, [f"$: more than {MAX_VALUES:,} values"], outcome)


def decode_error(body: bytes, problems: list[str], outcome: Outcome) -> DecodeError:
    """Return the error for a body with these problems, each a path and a reason."""
    return DecodeError(
        f"the body does not have the documented shape: {'; '.join(problems[:5])}",
        paths=[problem.split(": ", 1)[0] for problem in problems],
        body=body[:ERROR_BODY_BYTES],
        outcome=outcome,
    )


def _load(body: bytes, outcome: Outcome) -> Any:
    """Return the JSON value of a body. Raises DecodeError."""
    if len(body) > UNCOUNTED_BYTES:
        check_value_count(body, outcome)
    if not body:
        raise decode_error(body, ["$: the body is empty"], outcome)
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    raise decode_error(body, ["$: not JSON"], outcome)


def _problems(body: bytes, data: Any, envelope: str | None, returns: Any) -> list[str]:
    path = "$" if envelope is None else f"$.{envelope}"
    is_counted = returns in DECODABLE if isinstance(returns, type) else False
    if len(body) > _MAX_DIAGNOSED_BYTES or (not is_counted and value_count(body) > _MAX_DIAGNOSED_VALUES):
        return [f"{path}: not accepted, and too large to say where"]
    if envelope is not None:
        if data.__class__ is not dict or envelope not in data:
            return [f"{path}: required field missing"]
        data = data[envelope]
    return shape_problems(data, returns, path) or [f"{path}: not accepted"]
