"""Whether a failed attempt is followed by another, and when. Pure, but for the loop that tenacity runs.

"With a key" below means: an idempotency key in the body, or a method that may be repeated by its nature.

===================================================  ============  ==================================
what happened to an attempt                          with a key    without
===================================================  ============  ==================================
refused, DNS, TLS handshake, connect timeout         again         again (nothing was sent)
certificate, a proxy's 407 or other 4xx              raise         raise
reset, disconnect, write or read timeout             again         raise
408, 425, 500, 502, 503, 504                         again         raise
429                                                  wait, again   wait, again (refused before work)
2xx, cut while reading                               again         raise
2xx, whole, but not the contract                     raise         raise
409, other 3xx, other 4xx                            raise         raise
===================================================  ============  ==================================
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from linq_async.config import RetryPolicy
from linq_async.errors import (
    APIError,
    ConnectError,
    ConnectionLostError,
    RateLimitError,
    RequestTimeoutError,
)
from linq_async.wire.request import REPEATABLE, Request

if TYPE_CHECKING:
    import tenacity

REPEATED_STATUSES = frozenset({408, 425, 500, 502, 503, 504})
AFTER_READ_TIMEOUT = 2.0
"""Seconds: the first request may still be running on the server."""


def may_retry(error: BaseException, request: Request, *, replayable: bool = True) -> bool:
    """Return whether a call may be repeated after an attempt failed like this. Anything not listed here is raised."""
    if isinstance(error, ConnectError):
        return error.reason not in {"certificate", "proxy_denied"}
    if not replayable:
        return False
    if isinstance(error, RateLimitError):
        return True
    if isinstance(error, ConnectionLostError | RequestTimeoutError):
        return is_repeatable(request)
    if isinstance(error, APIError):
        return error.status in REPEATED_STATUSES and is_repeatable(request)
    return False


def is_repeatable(request: Request) -> bool:
    """Return whether the server does the work once even if the request arrives twice."""
    return request.idempotency_key is not None or request.method in REPEATABLE


def wait_for(error: BaseException | None, attempt: int, policy: RetryPolicy, random: float) -> float:
    """Return the seconds to wait after failed attempt number ``attempt``; ``random`` is drawn from 0 to 1.

    The wait is exponential with full jitter, and never shorter than the server asked for.
    """
    ceiling = min(policy.max_delay, policy.initial_delay * 2.0 ** min(attempt - 1, 64))
    wait = ceiling * random
    if isinstance(error, APIError) and error.retry_after is not None:
        return max(wait, error.retry_after)
    if isinstance(error, RequestTimeoutError) and error.phase == "read":
        return max(wait, AFTER_READ_TIMEOUT)
    return wait


def must_stop(policy: RetryPolicy, attempt: int, elapsed: float, wait: float) -> bool:
    """Return whether no attempt may follow, because of their number or of the time after the next wait."""
    return attempt >= policy.max_attempts or elapsed + wait >= policy.max_elapsed


def retrying(
    *,
    retryable: Callable[[BaseException], bool],
    stop: Callable[[float], bool],
    wait: Callable[[BaseException | None], float],
    before_sleep: Callable[[float], None],
    sleep: Callable[[float], Awaitable[None]],
) -> tenacity.AsyncRetrying:
    """Return the loop of one call: its state must not be shared between tasks.

    ``stop`` and ``before_sleep`` are called with the seconds until the next attempt.
    """
    import tenacity

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(retryable),
        stop=lambda state: stop(state.upcoming_sleep),
        wait=lambda state: wait(state.outcome.exception() if state.outcome else None),
        before_sleep=lambda state: before_sleep(state.upcoming_sleep),
        sleep=sleep,
        reraise=True,
    )


def preload() -> None:
    """Import tenacity, which takes long, before the first send and not with the package."""
    importlib.import_module("tenacity")
