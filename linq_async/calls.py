"""A call as ``on_call`` sees it: a context manager that the call runs in, and a function for its attempts."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ParamSpec, TypeAlias, TypeVar

import attrs

from linq_async.attempts import Attempt, AttemptHook

logger: logging.Logger = logging.getLogger("linq_async")

P = ParamSpec("P")
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class CallInfo:
    """A call that begins, without ids, phone numbers and texts. ``on_call`` is called with it."""

    operation: str
    """The operation, such as ``chats.create``; ``request`` for ``linq.request``."""
    method: str
    """The HTTP method, in capitals. ``_OTHER`` if it is not one, which is refused."""
    route: str | None
    """The path with the names of its ids, ``/api/partner/v2/chats/{chat_id}``; None for ``linq.request``."""
    base_url: str
    """The URL of the API."""


CallHook: TypeAlias = Callable[[CallInfo], AbstractContextManager[AttemptHook | None]]
"""Returns the context manager that a call runs in. What it yields is called with the attempts of this call."""

_attempt_hook: contextvars.ContextVar[AttemptHook | None] = contextvars.ContextVar("_attempt_hook", default=None)


def report_to_call(attempt: Attempt) -> None:
    """Pass an attempt to the hook of the call that is running."""
    hook = _attempt_hook.get()
    if hook is not None:
        hook(attempt)


async def run_observed(
    hook: CallHook,
    info: CallInfo,
    function: Callable[P, Coroutine[Any, Any, T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Make a call in the context manager of a hook."""
    with _Guard(hook, info) as attempt_hook:
        _attempt_hook.set(attempt_hook)
        try:
            return await function(*args, **kwargs)
        finally:
            _attempt_hook.set(None)  # not reset: a coroutine may be closed in another context


class _Guard:
    """The context manager of a hook. If it raises, that is logged, and changes nothing; it cannot suppress an error."""

    def __init__(self, hook: CallHook, info: CallInfo) -> None:
        self._hook = hook
        self._info = info
        self._entered: AbstractContextManager[AttemptHook | None] | None = None

    def __enter__(self) -> AttemptHook | None:
        try:
            manager = self._hook(self._info)
            attempt_hook = manager.__enter__()
        except Exception:  # it must not lose a send
            logger.exception("on_call failed")
            return None
        self._entered = manager
        return attempt_hook

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entered is None:
            return
        try:
            self._entered.__exit__(kind, error, trace)
        except Exception as failure:
            if failure is not error:
                # The text of the call's own error, which the log would show as its cause, may contain a number.
                failure.__cause__ = failure.__context__ = None
                logger.error("on_call failed", exc_info=failure)
