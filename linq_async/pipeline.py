"""One logical call: its attempts under one idempotency key, and an error that knows what became of it.

Nothing else in the package repeats a request. The first attempt is made outside tenacity, which takes 23 µs to enter.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import attrs

from linq_async.attempts import Attempt, AttemptLog
from linq_async.calls import CallInfo, report_to_call, run_observed
from linq_async.config import Settings
from linq_async.errors import APIError, LinqError, NotFoundError, Outcome, RateLimitError
from linq_async.key_memory import KeyMemory
from linq_async.models.outgoing import NewMessage
from linq_async.retry import may_retry, must_stop, preload, retrying, wait_for
from linq_async.timing import Timing
from linq_async.transport.attachments import measured
from linq_async.transport.exchange import Exchange
from linq_async.transport.limits import HeldBackError, Limits, Throttle, jitter
from linq_async.transport.session import Pool, Transport
from linq_async.wire import comparison, converter
from linq_async.wire.body import NO_BODY, Body, Multipart, encode_multipart, encode_plain, key_of
from linq_async.wire.request import METHODS, RawResponse, Request
from linq_async.wire.response import refusal
from linq_async.wire.result import CallResult

logger: logging.Logger = logging.getLogger("linq_async")

P = ParamSpec("P")
T = TypeVar("T")


@attrs.define(eq=False)
class Call:
    """The state of one logical call."""

    request: Request
    pool: Pool = attrs.field(repr=False)
    body: Body = attrs.field(default=NO_BODY, repr=False)
    started: float = 0.0
    attempts: int = 0
    outcome: Outcome = Outcome.NOT_SENT
    ended: Attempt | None = attrs.field(default=None, repr=False)
    """The last attempt, which is reported once it is known whether another follows."""

    @property
    def replayable(self) -> bool:
        """Whether the body can be written again."""
        return not isinstance(self.body, Multipart) or self.body.replayable


class Pipeline:
    """Sends the requests of one client."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        *,
        keys: KeyMemory | None = None,
        limits: Limits | None = None,
    ) -> None:
        _preload()
        self.transport = transport
        self.settings = settings
        self.timing: Timing = settings.timing
        self.keys: KeyMemory = KeyMemory() if keys is None else keys
        """The keys of callers, which the clients of one transport share."""
        self.limits: Limits = Limits() if limits is None else limits
        """The limits of the server, which the clients of one transport share."""
        self.throttle: Throttle = Throttle(self.limits, settings)
        self._clock = settings.timing.clock
        hooks = (settings.on_attempt, None if settings.on_call is None else report_to_call)
        self._log = AttemptLog(logger, tuple([hook for hook in hooks if hook is not None]))

    def with_settings(self, settings: Settings) -> Pipeline:
        """Return a pipeline with other settings on the same transport."""
        return Pipeline(self.transport, settings, keys=self.keys, limits=self.limits)

    def observed(
        self,
        operation: str,
        method: str,
        route: str | None,
        function: Callable[P, Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, T]:
        """Return the coroutine of a call, which runs in the context manager of ``on_call`` if there is one."""
        hook = self.settings.on_call
        if hook is None:
            return function(*args, **kwargs)
        verb = method.upper() if isinstance(method, str) else ""
        info = CallInfo(
            operation=operation,
            method=verb if verb in METHODS else "_OTHER",
            route=route,
            base_url=self.settings.base_url,
        )
        return run_observed(hook, info, function, *args, **kwargs)

    async def send(self, request: Request) -> CallResult:
        """Return the 2xx answer to a request. Raises a LinqError with its outcome, key and attempts."""
        try:
            pool = self.transport.pool()
            call = Call(request, pool)
            call.body = encode_plain(request) or await self._encode_multipart(request, pool)
            await self.throttle.acquire(pool, request.group, request.operation)
        except LinqError as error:
            error.operation, error.idempotency_key = request.operation, request.idempotency_key
            raise
        try:
            try:
                raw = await self._send_once(call)
            except LinqError as error:
                failed = error
            else:
                return CallResult(raw, request.operation, request.idempotency_key, call.attempts)
            # Outside the handler: the log of a hook that raises would show the text of this error.
            raw = await self._retry(call, failed)
            return CallResult(raw, request.operation, request.idempotency_key, call.attempts)
        finally:
            self.throttle.release(pool, request.group)

    async def sleep(self, seconds: float) -> None:
        """Sleep. Raises ClientStateError if the client is closed, now or meanwhile."""
        await self.transport.pool().sleep(self.timing, seconds)

    async def measure(self, message: NewMessage) -> list[int | None]:
        """Return the sizes of the attachments, measured in threads, within the time limits of a send."""
        pool = self.transport.pool()
        return await measured(message.uploads(), self.settings, lambda: pool.closed)

    async def _encode_multipart(self, request: Request, pool: Pool) -> Multipart:
        key, message = key_of(request), request.message
        assert message is not None
        if request.sizes is None:
            request.sizes = await self.measure(message)
            pool.check_open()
        return encode_multipart(message, key, request.sizes, f"linq-{secrets.token_hex(16)}")

    async def _retry(self, call: Call, failed: LinqError) -> RawResponse:
        """Make the attempts that may follow a first one that has failed. Raises the last error."""
        if not self._may_retry(call, failed):
            self._report(call)
            raise failed
        group = call.request.group
        first: LinqError | None = failed
        last = failed

        async def attempt() -> RawResponse:
            nonlocal first, last
            if first is not None:  # what tenacity counts as the first attempt was made before
                failed, first = first, None
                raise failed
            try:
                return await self._send_once(call)
            except LinqError as error:
                last = error
                raise

        loop = retrying(
            retryable=lambda error: self._may_retry(call, error),
            stop=lambda wait: must_stop(self.settings.retry, call.attempts, self._clock() - call.started, wait),
            wait=lambda error: self._wait_before_retry(call, error),
            before_sleep=lambda wait: self._report(call, wait),
            sleep=lambda wait: self.throttle.sleep_before_retry(call.pool, group, wait, call.started),
        )
        try:
            return await loop(attempt)
        except LinqError as error:
            last = error
        except HeldBackError as held_back:
            last.message += f"; not retried: the next attempt would have to wait {held_back.remaining:.1f} s more"
            if isinstance(last, APIError):
                last.retry_after = held_back.remaining
        self._report(call)
        _annotate_error(call, last)  # an error that ended a wait between two attempts is not annotated yet
        raise last.with_traceback(None)  # the frames of tenacity explain nothing

    def _may_retry(self, call: Call, error: BaseException) -> bool:
        return may_retry(error, call.request, replayable=call.replayable)

    def _wait_before_retry(self, call: Call, error: BaseException | None) -> float:
        group, random = call.request.group, self.timing.random
        asked = error.retry_after if isinstance(error, RateLimitError) else None
        wait = wait_for(error, call.attempts, self.settings.retry, random())
        wait = max(wait, self.throttle.pause_remaining(group), group.interval)
        return wait + jitter(asked, random()) if asked else wait

    async def _send_once(self, call: Call) -> RawResponse:
        """Make one attempt. Raises a LinqError that knows the whole call."""
        request = call.request
        call.attempts += 1
        started = self._clock()
        if call.attempts == 1:
            call.started = started
        remaining = self.settings.retry.max_elapsed - (started - call.started)
        exchange = Exchange(call.pool, self.settings, request, call.body, remaining)
        if self._log.hooks:
            self._log.report_start(request.operation, call.attempts, request.idempotency_key)
        try:
            raw = await exchange.run()
            error = None if 200 <= raw.status <= 299 else refusal(raw, time.time(), request, self.settings)
            if error is None or (
                # An earlier DELETE of this call may have done the work.
                isinstance(error, NotFoundError) and request.method == "DELETE" and call.outcome is not Outcome.NOT_SENT
            ):
                if self._log.enabled:
                    self._record(call, exchange, started, None, Outcome.SENT)
                    self._report(call)
                return raw
            failed: LinqError = error
            del raw  # the traceback of the error would hold the body during all retries
        except LinqError as lost:
            failed = lost
        except asyncio.CancelledError:
            self._record(call, exchange, started, "CancelledError", exchange.outcome)
            self._report(call)
            raise
        self._record(call, exchange, started, type(failed).__name__, failed.outcome)
        _annotate_error(call, failed)
        if isinstance(failed, RateLimitError) and failed.retry_after is not None:
            self.throttle.pause(request.group, failed.retry_after)
        if may_retry(failed, request) and not self._may_retry(call, failed):
            failed.message += "; not retried: an attachment can be read only once"
        raise failed

    def _record(self, call: Call, exchange: Exchange, started: float, error: str | None, outcome: Outcome) -> None:
        """Join the outcome of an attempt to that of the call, and keep a record of it if anything reports it."""
        call.outcome = call.outcome.joined(outcome)
        if error is not None:
            call.request.failed = call.outcome
        if self._log.enabled:
            call.ended = Attempt(
                operation=call.request.operation,
                number=call.attempts,
                idempotency_key=call.request.idempotency_key,
                status=exchange.status,
                error=error,
                outcome=call.outcome,
                seconds=self._clock() - started,
            )

    def _report(self, call: Call, wait: float | None = None) -> None:
        """Report the attempt that has ended, with the wait until the next one."""
        ended, call.ended = call.ended, None
        if ended is not None:
            self._log.report_end(ended if wait is None else attrs.evolve(ended, wait=wait))


@functools.cache
def _preload() -> None:
    """Do what takes long when the first client is made: not when the package is imported, and not during a send."""
    preload()
    converter.prepare()
    comparison.prepare()


def _annotate_error(call: Call, error: LinqError) -> None:
    """Set on an error what its call has come to."""
    error.outcome, error.attempts = call.outcome, call.attempts
    error.operation, error.idempotency_key = call.request.operation, call.request.idempotency_key
