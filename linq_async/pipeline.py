"""One logical call: a place in line, attempts under one key, and an error that knows what happened.

The only place that repeats anything. The first attempt runs outside tenacity, which costs 23 microseconds to enter.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import secrets
import time
from typing import TYPE_CHECKING

import attrs

from linq_async.attempts import Attempt
from linq_async.config import Settings
from linq_async.errors import (
    APIError,
    ClientStateError,
    LinqError,
    NotFoundError,
    Outcome,
    RateLimitError,
)
from linq_async.key_memory import KeyMemory
from linq_async.models.outgoing import NewMessage
from linq_async.retry import may_retry, must_stop, wait_for
from linq_async.transport.attachments import measured
from linq_async.transport.exchange import Exchange
from linq_async.transport.session import Pool, Transport, spread
from linq_async.wire.answer import Answer
from linq_async.wire.body import NO_BODY, Body, Multipart, key_of, message_form, plain_recipe
from linq_async.wire.converter import prepare
from linq_async.wire.request import RawResponse, Request
from linq_async.wire.response import refusal

if TYPE_CHECKING:
    import tenacity

logger = logging.getLogger("linq_async")


@attrs.define(eq=False)
class Call:
    """What one logical call has come to so far."""

    request: Request
    pool: Pool = attrs.field(repr=False)
    recipe: Body = attrs.field(default=NO_BODY, repr=False)
    started: float = 0.0
    attempts: int = 0
    outcome: Outcome = Outcome.NOT_SENT
    record: Attempt | None = attrs.field(default=None, repr=False)

    @property
    def replayable(self) -> bool:
        """Whether the body can be made again for another attempt."""
        return not isinstance(self.recipe, Multipart) or self.recipe.replayable


class Pipeline:
    """Sends the requests of one client."""

    def __init__(self, transport: Transport, settings: Settings, *, keys: KeyMemory | None = None) -> None:
        _load()
        self.transport = transport
        self.settings = settings
        self.timing = settings.timing
        self._clock = settings.timing.clock
        self.keys = KeyMemory() if keys is None else keys
        """The keys that callers gave; shared by the clients of one transport."""

    def with_settings(self, settings: Settings) -> Pipeline:
        """Return a pipeline with other settings on the same transport."""
        return Pipeline(self.transport, settings, keys=self.keys)

    async def send(self, request: Request) -> Answer:
        """Return the 2xx answer to a request. Raises a LinqError with its outcome, key and attempts."""
        try:
            pool = self.transport.pool()
            call = Call(request, pool)
            call.recipe = plain_recipe(request) or await self._form(call)
            if pool.reopens or pool.slots.locked():
                await self._enter(call)
            else:  # nearly always, and nothing can happen meanwhile
                await pool.slots.acquire()
        except LinqError as error:
            error.idempotency_key = request.idempotency_key
            raise
        try:
            try:
                return Answer(await self._attempt(call), request.idempotency_key, call.attempts)
            except LinqError as error:
                failed = error
            if not self._may_retry(call, failed):
                self._finish(call)  # outside the handler: the log of a failing hook would show the error's text
                raise failed
            return Answer(await self._again(call, failed), request.idempotency_key, call.attempts)
        finally:
            call.pool.slots.release()

    async def _form(self, call: Call) -> Multipart:
        """Lay out a message as a form, and measure its files if they are not measured yet."""
        request, key = call.request, key_of(call.request)
        message = request.message
        assert message is not None
        if request.sizes is None:
            request.sizes = await self.measure(message)
        return message_form(message, key, request.sizes, f"linq-{secrets.token_hex(16)}")

    async def measure(self, message: NewMessage) -> list[int | None]:
        """Return the sizes of a message's files, measured in threads, within the limits that a send has anyway."""
        pool = self.transport.pool()
        return await measured(message.uploads(), self.settings, lambda: pool.closed)

    async def _enter(self, call: Call) -> None:
        """Wait for the gate of the limit group, then for a connection slot: no clock runs yet."""
        pool = call.pool
        while True:
            left = self._pause_left(call) if pool.reopens else 0.0
            if left:
                wait = self._wait_at_gate(left)
                if wait is None:
                    raise _held_back(call.request.operation, left)
                await self._rest(call, wait)
                continue
            await pool.slots.acquire()
            if not pool.closed and not (pool.reopens and self._pause_left(call)):
                return
            pool.slots.release()
            if pool.closed:
                raise _closed_while_waiting()

    def _pause_left(self, call: Call) -> float:
        """Return the seconds until the call's gate opens; 0 if it is open."""
        pool = call.pool
        if not pool.reopens:
            return 0.0
        return pool.pause_left((self.settings.token, call.request.group), self._clock())

    def _wait_at_gate(self, left: float, elapsed: float = 0.0) -> float | None:
        """Return how long to wait at a gate that opens in ``left`` seconds; None if the call may not wait so long."""
        policy = self.settings.retry
        wait = left + spread(left, self.timing.random())
        return None if policy.max_attempts == 1 or elapsed + wait >= policy.max_elapsed else wait

    async def _rest(self, call: Call, seconds: float) -> None:
        """Sleep, unless the client is closed meanwhile."""
        await call.pool.rest(lambda: self.timing.sleep(seconds))
        if call.pool.closed:
            raise _closed_while_waiting()

    async def _rest_for_retry(self, call: Call, seconds: float) -> None:
        """Rest before another attempt, and longer if the 429 of another call has closed the gate meanwhile."""
        await self._rest(call, seconds)
        while left := self._pause_left(call):
            wait = self._wait_at_gate(left, self._clock() - call.started)
            if wait is None:
                raise _GateClosedError(left)
            await self._rest(call, wait)

    async def _again(self, call: Call, failed: LinqError) -> RawResponse:
        """Make the attempts that follow the first, which has failed."""
        first: LinqError | None = failed
        last = failed

        async def attempt() -> RawResponse:
            nonlocal first, last
            if first is not None:  # tenacity's attempt 1 is ours, and it is over
                failed, first = first, None
                raise failed
            try:
                return await self._attempt(call)
            except LinqError as error:
                last = error
                raise

        try:
            return await self._retrying(call)(attempt)
        except LinqError as error:
            last = error
        except _GateClosedError as closed:
            _hold_back(last, closed.left)
        self._finish(call)
        _sign(call, last)  # what ended a rest between two attempts knows nothing of the call yet
        raise last.with_traceback(None)  # a reader of the traceback is not helped by tenacity's frames

    def _retrying(self, call: Call) -> tenacity.AsyncRetrying:
        """Hand our rules to tenacity. Made for each call: its state is not safe to share between tasks."""
        import tenacity

        policy = self.settings.retry

        def wait(state: tenacity.RetryCallState) -> float:
            error = None if state.outcome is None else state.outcome.exception()
            asked = error.retry_after if isinstance(error, RateLimitError) else None
            paused = self._pause_left(call)
            own = wait_for(error, call.attempts, policy, self.timing.random())
            return max(own, paused, call.request.spacing) + (spread(asked, self.timing.random()) if asked else 0.0)

        def stop(state: tenacity.RetryCallState) -> bool:
            return must_stop(policy, call.attempts, self._clock() - call.started, state.upcoming_sleep)

        return tenacity.AsyncRetrying(
            sleep=lambda seconds: self._rest_for_retry(call, seconds),
            wait=wait,
            stop=stop,
            retry=tenacity.retry_if_exception(lambda error: self._may_retry(call, error)),
            before_sleep=lambda state: self._finish(call, wait=state.upcoming_sleep),
            reraise=True,
        )

    def _may_retry(self, call: Call, error: BaseException) -> bool:
        return may_retry(error, call.request, replayable=call.replayable)

    async def _attempt(self, call: Call) -> RawResponse:
        call.attempts += 1
        started = self._clock()
        if call.attempts == 1:
            call.started = started
        remaining = self.settings.retry.max_elapsed - (started - call.started)
        exchange = Exchange(call.pool, self.settings, call.request, call.recipe, remaining)
        self._begin(call)
        error: LinqError | None
        raw: RawResponse | None = None
        try:
            raw = await exchange.run()
            error = None if 200 <= raw.status <= 299 else refusal(raw, time.time(), call.request, self.settings)
        except LinqError as failed:
            error = failed
        except asyncio.CancelledError:
            self._note(call, exchange, started, "CancelledError", exchange.outcome)
            self._finish(call)
            raise
        if error is not None:
            raw = _gone_already(call, error)
        if raw is not None:
            if self._is_watched():
                self._note(call, exchange, started, None, Outcome.SENT)
                self._finish(call)
            return raw
        assert error is not None
        self._note(call, exchange, started, type(error).__name__, error.outcome)
        raise self._told(call, error)

    def _told(self, call: Call, error: LinqError) -> LinqError:
        """Write on an attempt's error what the whole call knows, and close the gate if the server asks for it."""
        request = call.request
        _sign(call, error)
        if isinstance(error, RateLimitError) and error.retry_after is not None:
            call.pool.pause((self.settings.token, request.group), self._clock(), error.retry_after)
        if may_retry(error, request) and not self._may_retry(call, error):
            error.message += "; not sent again, for an attachment can be read only once"
        return error

    def _begin(self, call: Call) -> None:
        """Show the attempt, with its key, before it leaves: a caller who cancels finds the key there."""
        if self.settings.on_attempt is not None:
            request = call.request
            self._show(
                Attempt(operation=request.operation, number=call.attempts, idempotency_key=request.idempotency_key)
            )

    def _is_watched(self) -> bool:
        """Tell whether a hook or a log takes note of attempts."""
        return self.settings.on_attempt is not None or logger.isEnabledFor(logging.INFO)

    def _note(self, call: Call, exchange: Exchange, started: float, error: str | None, outcome: Outcome) -> None:
        call.outcome = call.outcome.joined(outcome)
        if error is not None:
            call.request.failed = call.outcome
        if not self._is_watched():
            return
        call.record = Attempt(
            operation=call.request.operation,
            number=call.attempts,
            idempotency_key=call.request.idempotency_key,
            status=exchange.status,
            error=error,
            outcome=call.outcome,
            seconds=self._clock() - started,
        )

    def _finish(self, call: Call, wait: float | None = None) -> None:
        """Tell logs and hook of the attempt that has just ended, and of the wait that follows it."""
        record, call.record = call.record, None
        if record is None:
            return
        record = record if wait is None else attrs.evolve(record, wait=wait)
        logger.debug(_LINE, *attrs.astuple(record))
        if wait is not None:
            logger.info(
                "%s: attempt %d again in %.2f s, after %s",
                record.operation,
                record.number,
                wait,
                record.error,
            )
        if self.settings.on_attempt is not None:
            self._show(record)

    def _show(self, record: Attempt) -> None:
        assert self.settings.on_attempt is not None
        try:
            self.settings.on_attempt(record)
        except Exception:  # a hook's failure must not lose the result of a send
            logger.exception("on_attempt failed")


@functools.cache
def _load() -> None:
    """Load what takes long to import, for the first client: not with the package, and not once a message is out."""
    importlib.import_module("tenacity")
    prepare()


def _sign(call: Call, error: LinqError) -> None:
    """Write on an error what its call has come to."""
    error.outcome, error.attempts, error.idempotency_key = call.outcome, call.attempts, call.request.idempotency_key


class _GateClosedError(Exception):
    """The gate stays closed longer than the call, which has failed already, may take."""

    def __init__(self, left: float) -> None:
        super().__init__()
        self.left = left


def _held_back(operation: str, left: float) -> RateLimitError:
    message = f"{operation}: held back: the server asked to wait {left:.1f} s more"
    return RateLimitError(message, status=429, outcome=Outcome.NOT_SENT, retry_after=left)


def _hold_back(error: LinqError, left: float) -> None:
    """Write on the last failure of a call why no attempt follows it: the server told another call to wait."""
    error.message += f"; not sent again, because the server asked another call to wait {left:.1f} s more"
    if isinstance(error, APIError):
        error.retry_after = left


def _closed_while_waiting() -> ClientStateError:
    return ClientStateError("the client was closed while the call waited")


_LINE = "%s: attempt %d, key %s, status %s, error %s, outcome %s, %.3f s, wait %s"


def _gone_already(call: Call, error: LinqError) -> RawResponse | None:
    """Take a 404 for success where an earlier DELETE of this very call may have done the work."""
    if call.request.method != "DELETE" or call.outcome is Outcome.NOT_SENT or not isinstance(error, NotFoundError):
        return None
    return RawResponse(error.status, error.headers, error.body)
