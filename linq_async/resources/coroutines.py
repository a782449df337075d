"""Marks functions that return a coroutine without being ``async def``."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


def returns_coroutine(function: F) -> F:
    """Mark a function as a coroutine function, so that ``create_autospec`` replaces it with an ``AsyncMock``.

    ``inspect.iscoroutinefunction`` sees the mark from Python 3.12 on, ``asyncio.iscoroutinefunction`` also on 3.11.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
    return function
