"""Where a JSON value differs from the type that it is decoded into: paths and types, without values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from linq_async.models.decodable import wire_name_in

if TYPE_CHECKING:
    from linq_async.wire.codegen import Hook

MAX_PROBLEMS = 20
_MAX_DEPTH = 64
_MAX_FAILURES = 10 * MAX_PROBLEMS  # a problem is a failure of each object and list around it, too
_failures_left: ContextVar[int] = ContextVar("failures_left")


class MismatchError(TypeError):
    """A value has another type than expected. The text names types, never the value."""


def expected(what: str, value: object) -> MismatchError:
    """Return the error for a value that is not what was expected."""
    return MismatchError(f"expected {what}, got {type(value).__name__}")


def counted(hook: Hook) -> Hook:
    """Return a hook that accepts anything after too many failures. Its results are not used."""

    def counting(value: Any, kind: Any) -> Any:
        if _failures_left.get(_MAX_FAILURES) <= 0:
            return value
        try:
            return hook(value, kind)
        except Exception:
            _failures_left.set(_failures_left.get(_MAX_FAILURES) - 1)
            raise

    return counting


def diagnose(structure: Callable[[], Any], path: str) -> list[str]:
    """Return the problems that ``structure`` raises with detailed validation, at most ``MAX_PROBLEMS``."""
    reset = _failures_left.set(_MAX_FAILURES)
    try:
        structure()
    except Exception as error:  # noqa: BLE001  # groups of cattrs, and anything that a hook of the caller's raises
        return [f"{place}: {reason}" for place, reason in islice(_problems(error, path), MAX_PROBLEMS)]
    finally:
        _failures_left.reset(reset)
    return []


def _problems(error: BaseException, path: str) -> Iterator[tuple[str, str]]:
    """Yield paths and reasons in the order of the fields. Not recursive, because JSON may be 1,000 levels deep."""
    pending = [(error, path, 0)]
    while pending:
        found, place, depth = pending.pop()
        is_group = issubclass(type(found), BaseExceptionGroup)  # isinstance would narrow to a group of unknown type
        if is_group and depth < _MAX_DEPTH:
            inner = cast("BaseExceptionGroup[BaseException]", found).exceptions
            kind: type = getattr(found, "cl", object)
            pending += [(one, place + _step(one, kind), depth + 1) for one in reversed(inner)]
        elif isinstance(found, MismatchError):
            yield place, str(found)
        else:
            missing = isinstance(found, KeyError)
            yield place, "required field missing" if missing else f"not accepted ({type(found).__name__})"


def _step(error: BaseException, kind: type) -> str:
    """Return the part of a path that cattrs noted on an error. A key of a mapping may be a phone number."""
    from cattrs import AttributeValidationNote, IterableValidationNote

    notes: list[str] = getattr(error, "__notes__", [])
    for note in notes:
        if isinstance(note, AttributeValidationNote):
            return f".{wire_name_in(kind, note.name)}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if type(note.index) is int else "[*]"
    return ""
