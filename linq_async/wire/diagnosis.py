"""Where JSON differs from the shape that was asked for: paths and types, and no value of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from linq_async.wire.codegen import Hook

MAX_PROBLEMS = 20
_MAX_DEPTH = 64
_MAX_FAILURES = 10 * MAX_PROBLEMS  # one problem fails in each object and list around it, too
_failures_left: ContextVar[int] = ContextVar("failures_left")


class MismatchError(TypeError):
    """A value of another type than was asked for. Its text names types and no value."""


def expected(what: str, value: object) -> MismatchError:
    """Return the error for a value that is not what was expected."""
    return MismatchError(f"expected {what}, got {type(value).__name__}")


def counted(hook: Hook) -> Hook:
    """Return a hook that accepts anything after too many failures: what it makes is not used."""

    def counting(value: Any, kind: Any) -> Any:
        if _failures_left.get(_MAX_FAILURES) <= 0:
            return value
        try:
            return hook(value, kind)
        except Exception:
            _failures_left.set(_failures_left.get(_MAX_FAILURES) - 1)
            raise

    return counting


def diagnose(structure: Callable[[], Any], path: str, wire_name: Callable[[type, str], str]) -> list[str]:
    """Return the first problems that structuring with detailed validation meets, at most ``MAX_PROBLEMS``."""
    reset = _failures_left.set(_MAX_FAILURES)
    try:
        structure()
    except Exception as error:  # noqa: BLE001  # cattrs raises groups, and a hook of the caller's class anything
        return [f"{where}: {what}" for where, what in _first(_problems(error, path, wire_name))]
    finally:
        _failures_left.reset(reset)
    return []


def _first(problems: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return [problem for problem, _ in zip(problems, range(MAX_PROBLEMS), strict=False)]


def _problems(error: BaseException, path: str, wire_name: Callable[[type, str], str]) -> Iterator[tuple[str, str]]:
    """Yield paths and reasons, in the order of the fields. Not recursive: JSON may be 1,000 levels deep."""
    pending = [(error, path, 0)]
    while pending:
        found, where, depth = pending.pop()
        inner = cast("BaseExceptionGroup[BaseException]", found).exceptions if _is_group(found) else ()
        if inner and depth < _MAX_DEPTH:
            kind: type = getattr(found, "cl", object)
            pending += [(one, where + _step(one, kind, wire_name), depth + 1) for one in reversed(inner)]
        else:
            yield where, _reason(found)


def _is_group(error: BaseException) -> bool:
    return isinstance(error, BaseExceptionGroup)


def _step(error: BaseException, kind: type, wire_name: Callable[[type, str], str]) -> str:
    """Return the part of a path that a note of cattrs stands for. A name in a mapping may be somebody's number."""
    from cattrs import AttributeValidationNote, IterableValidationNote

    notes: list[str] = getattr(error, "__notes__", [])
    for note in notes:
        if isinstance(note, AttributeValidationNote):
            return f".{wire_name(kind, note.name)}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if type(note.index) is int else "[*]"
    return ""


def _reason(error: BaseException) -> str:
    if isinstance(error, MismatchError):
        return str(error)
    return "required field missing" if isinstance(error, KeyError) else f"not accepted ({type(error).__name__})"
