"""linq_async/retry.py, and the Retry-After header that it obeys."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from linq_async import (
    APIError,
    ClientStateError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    InvalidArgumentError,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    UploadError,
)
from linq_async.errors import TimeoutPhase
from linq_async.retry import may_retry, must_stop, wait_for
from linq_async.wire.request import Request
from linq_async.wire.response import error_class, retry_after

POLICY = RetryPolicy()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()
SAFE = [
    Request(operation="keyed", method="POST", path="/x", idempotency_key="k"),
    Request(operation="keyed", method="PATCH", path="/x", idempotency_key="k"),
    *[Request(operation="plain", method=method, path="/x") for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")],
]
UNSAFE = [Request(operation="plain", method=method, path="/x") for method in ("POST", "PATCH")]


def _status(status: int, **more: Any) -> APIError:
    return error_class(status)(str(status), status=status, **more)


TABLE: list[tuple[str, BaseException, bool, bool]] = [
    *[(f"no connection: {why}", ConnectError(reason=why), True, True) for why in ("refused", "dns", "timeout")],
    *[(f"no connection: {why}", ConnectError(reason=why), True, True) for why in ("tls", "proxy", "lost")],
    *[(why, ConnectError(reason=why), False, False) for why in ("certificate", "proxy_denied")],
    ("reset, disconnect", ConnectionLostError(outcome=Outcome.UNKNOWN), True, False),
    ("write timeout", RequestTimeoutError("write", 30.0), True, False),
    ("read timeout", RequestTimeoutError("read", 60.0), True, False),
    ("total timeout", RequestTimeoutError("total", 60.0), True, False),
    *[(str(status), _status(status), True, False) for status in (408, 425, 500, 502, 503, 504)],
    ("503 with Retry-After", _status(503, retry_after=1.0), True, False),
    ("429", _status(429), True, True),
    ("429 with Retry-After", _status(429, retry_after=1.0), True, True),
    *[(str(status), _status(status), False, False) for status in (300, 301, 302, 303, 304, 307, 308)],
    *[(str(status), _status(status), False, False) for status in (400, 401, 402, 403, 404, 405, 409, 410, 413, 415)],
    *[(str(status), _status(status), False, False) for status in (418, 422, 423, 424, 426, 431, 451)],
    *[(str(status), _status(status), False, False) for status in (501, 505, 507, 511, 599)],
    ("2xx, cut while reading", ConnectionLostError(outcome=Outcome.SENT), True, False),
    ("2xx, late while reading", RequestTimeoutError("read", 60.0, outcome=Outcome.SENT), True, False),
    ("2xx, not the contract or over the cap", DecodeError(paths=["$"]), False, False),
    ("closed file, missing path", UploadError("a.png", "does not exist"), False, False),
    ("bad argument", InvalidArgumentError(), False, False),
    ("bad header", ConfigurationError(), False, False),
    ("closed client", ClientStateError(), False, False),
    ("cancelled", asyncio.CancelledError(), False, False),
    ("interrupted", KeyboardInterrupt(), False, False),
    ("raw", RuntimeError(), False, False),
    ("raw", OSError(), False, False),
    ("raw", TimeoutError(), False, False),
    ("raw", aiohttp.ServerDisconnectedError(), False, False),
]
IDS = [f"{name} {type(error).__name__}" for name, error, *_ in TABLE]


@pytest.mark.parametrize(("name", "error", "with_key", "without"), TABLE, ids=IDS)
def test_the_retry_table(name: str, error: BaseException, *, with_key: bool, without: bool) -> None:
    """Each row of the table holds for every method, with and without a key."""
    assert [may_retry(error, request) for request in SAFE] == [with_key] * len(SAFE), name
    assert [may_retry(error, request) for request in UNSAFE] == [without] * len(UNSAFE), name


@pytest.mark.parametrize(("name", "error", "with_key", "without"), TABLE, ids=IDS)
def test_a_spent_body_is_sent_again_only_if_nothing_left(
    name: str, error: BaseException, *, with_key: bool, without: bool
) -> None:
    """An attachment that can be read once is repeated only after an attempt without a connection."""
    expected = with_key and isinstance(error, ConnectError)
    assert {may_retry(error, request, replayable=False) for request in SAFE} == {expected}, (name, without)


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (99, 8.0)]
)
def test_a_wait_is_drawn_from_zero_to_a_doubling_ceiling(attempt: int, ceiling: float, chance: float) -> None:
    """Full jitter: the wait is the drawn share of initial_delay x 2^(attempt - 1), and never over max_delay."""
    assert wait_for(ConnectionLostError(), attempt, POLICY, chance) == pytest.approx(ceiling * chance)


@pytest.mark.parametrize("attempt", [64, 65, 1_000, 1_100, 10**9, 10**30])
def test_huge_attempt_numbers_do_not_overflow(attempt: int) -> None:
    """However many attempts there were, the wait is a number within the cap."""
    assert wait_for(ConnectionLostError(), attempt, POLICY, 1.0) == POLICY.max_delay
    assert wait_for(None, attempt, RetryPolicy(initial_delay=0.0), 1.0) == 0.0


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("asked", [0.0, 0.3, 1.5, 61.0, 3_600.0])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_never_undercut(status: int, asked: float, chance: float) -> None:
    """The wait is at least what the server asked for, even beyond max_delay."""
    wait = wait_for(_status(status, retry_after=asked), 1, POLICY, chance)
    assert asked <= wait <= max(asked * 1.25, asked + 1.0, POLICY.initial_delay)


@pytest.mark.parametrize(("phase", "least"), [("read", 2.0), ("write", 0.0), ("total", 0.0)])
def test_two_seconds_pass_after_a_read_timeout(phase: TimeoutPhase, least: float) -> None:
    """The first request may still run on the server, so the repeat after a read timeout is at least 2 s away."""
    assert wait_for(RequestTimeoutError(phase, 1.0), 1, POLICY, 0.0) == least
    assert wait_for(RequestTimeoutError(phase, 1.0), 5, POLICY, 1.0) == 8.0


@pytest.mark.parametrize(
    ("attempt", "elapsed", "wait", "stops"),
    [
        (1, 0.0, 0.0, False),
        (3, 0.0, 0.0, False),
        (4, 0.0, 0.0, True),
        (5, 0.0, 0.0, True),
        (1, 119.0, 0.9, False),
        (1, 119.0, 1.0, True),
        (1, 119.0, 61.0, True),
        (1, 120.0, 0.0, True),
        (1, 0.0, 3_600.0, True),
        (1, 0.0, math.inf, True),
    ],
)
def test_a_call_stops_by_attempts_and_by_seconds(attempt: int, elapsed: float, wait: float, *, stops: bool) -> None:
    """The budget counts attempts, and seconds with the coming wait."""
    assert must_stop(POLICY, attempt, elapsed, wait) is stops


def test_a_single_attempt_always_stops() -> None:
    """``RetryPolicy.none()`` has no second attempt."""
    assert must_stop(RetryPolicy.none(), 1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("   ", None),
        ("0", 0.0),
        ("61", 61.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e999", None),
        ("1_0", None),
        ("\u0661\u0662", None),
        ("0x10", None),
        ("60, 120", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30.0),
        ("Sun, 22 Nov 2026 07:01:00 -0500", 60.0),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30.0),
        ("Sun Nov 22 12:00:30 2026", 30.0),
        ("Sun, 22 Nov 2026 11:59:30 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Sun, 22 Nov 2026 99:99:99 GMT", None),
        ("Sun, 32 Nov 2026 12:00:00 GMT", None),
        ("Sun, 22 Nov 2026 12:00:30 +9999", None),
    ],
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    """Seconds, decimals and dates are read; what says neither is None, and nothing raises."""
    assert retry_after(header, NOW) == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("asked", [None, 0.5])
def test_a_rate_limit_without_a_time_backs_off(asked: float | None) -> None:
    """A 429 that names no time waits as any other failure does."""
    error = RateLimitError(status=429, retry_after=asked)
    assert wait_for(error, 3, POLICY, 0.5) == pytest.approx(max(1.0, asked or 0.0), abs=0.2)
