"""``on_call``: a context manager around each call, and the attempts of that call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self

import attrs
import pytest

from linq_async import (
    Attempt,
    CallInfo,
    DecodeError,
    InvalidArgumentError,
    KeyReusedError,
    LinqClient,
    NotFoundError,
    Outcome,
    ServerError,
)
from linq_async.attempts import AttemptHook
from linq_async.timing import Timing
from tests.support.clients import AT_ONCE, MESSAGE, ONCE, client_of, failure_of
from tests.support.clock import Clock
from tests.support.loopback import CREATED, Loopback, Seen, refused, replied


@attrs.define(eq=False)
class Observed:
    """What a hook has seen of one call."""

    info: CallInfo
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])
    error: BaseException | None = None
    ended: bool = False


class Observer:
    """A hook that keeps what it sees."""

    def __init__(self) -> None:
        self.calls: list[Observed] = []

    @contextmanager
    def __call__(self, info: CallInfo) -> Generator[AttemptHook]:
        """Keep a call."""
        call = Observed(info)
        self.calls.append(call)
        try:
            yield call.attempts.append
        except BaseException as error:
            call.error = error
            raise
        finally:
            call.ended = True


@pytest.mark.asyncio
async def test_a_call_runs_in_the_context_manager() -> None:
    """The hook sees what the call is, its attempts before and after they are sent, and that it succeeded."""
    observer, records = Observer(), list[Attempt]()
    async with (
        Loopback(refused(503)) as server,
        client_of(server, retry=AT_ONCE, on_call=observer, on_attempt=records.append) as linq,
    ):
        await linq.chats.create(**MESSAGE)
    (call,) = observer.calls
    assert call.info == CallInfo(
        operation="chats.create", method="POST", route="/api/partner/v2/chats", base_url=server.url
    )
    assert [(attempt.number, attempt.status) for attempt in call.attempts] == [(1, None), (1, 503), (2, None), (2, 201)]
    assert (call.error, call.ended) == (None, True)
    assert records == call.attempts


@pytest.mark.asyncio
async def test_the_hook_sees_how_a_call_fails() -> None:
    """Refused arguments, refusals, undecodable answers and reused keys reach the hook as they are raised."""
    observer = Observer()
    wrong: Any = []
    other: dict[str, Any] = {**MESSAGE, "text": "We open at ten.", "idempotency_key": "k-1"}
    script = [refused(404), replied({"data": 1}), CREATED]
    async with Loopback(*script) as server, client_of(server, retry=ONCE, on_call=observer) as linq:
        errors = [
            await failure_of(linq.chats.get("45")),  # type: ignore[arg-type]
            await failure_of(linq.chats.create(send_from="", phone_numbers=[], text="")),
            await failure_of(linq.request("BREW", "/x")),
            await failure_of(linq.request(wrong, "/x")),
            await failure_of(linq.chats.get(45)),
            await failure_of(linq.chats.create(**MESSAGE)),
            await failure_of(linq.chats.create(**other)),
        ]
    kinds = [*[InvalidArgumentError] * 4, NotFoundError, DecodeError, KeyReusedError]
    assert [type(error) for error in errors] == kinds
    assert [call.error for call in observer.calls] == errors
    assert [call.info.method for call in observer.calls[2:4]] == ["_OTHER", "_OTHER"]


@pytest.mark.asyncio
async def test_concurrent_calls_are_kept_apart() -> None:
    """Each of many calls at once sees its own attempts only."""
    observer = Observer()
    async with Loopback(*[refused(503)] * 20) as server, client_of(server, retry=AT_ONCE, on_call=observer) as linq:
        chats = await asyncio.gather(*[linq.chats.create(**MESSAGE) for _ in range(40)])
    keys = [{attempt.idempotency_key for attempt in call.attempts} for call in observer.calls]
    assert all(len(used) == 1 for used in keys)
    assert set().union(*keys) == {chat.idempotency_key for chat in chats}
    assert sum(call.attempts[-1].number for call in observer.calls) == len(server.seen) == 60


@pytest.mark.asyncio
async def test_the_hook_sees_cancellation(clock: Clock) -> None:
    """A call that is cancelled, in an attempt or between two, ends in the context manager."""
    observer, silence = Observer(), asyncio.Event()

    async def silent(_: Seen) -> None:
        await silence.wait()

    async with Loopback(silent) as server, client_of(server, on_call=observer) as linq:
        task = asyncio.create_task(linq.chats.create(**MESSAGE))
        await server.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        silence.set()
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    timing = Timing(sleep, clock.monotonic, lambda: 0.5)
    async with Loopback(refused(503)) as server, client_of(server, on_call=observer, timing=timing) as linq:
        task = asyncio.create_task(linq.chats.create(**MESSAGE))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [type(call.error) for call in observer.calls] == [asyncio.CancelledError] * 2
    assert [call.attempts[-1].outcome for call in observer.calls] == [Outcome.UNKNOWN] * 2


@pytest.mark.asyncio
async def test_a_call_that_never_starts_is_not_seen() -> None:
    """A task that is cancelled before it starts makes no call, and leaves no coroutine that was never awaited."""
    observer = Observer()
    async with Loopback() as server, client_of(server, on_call=observer) as linq:
        calls: list[Coroutine[Any, Any, object]] = [linq.chats.create(**MESSAGE), linq.chats.get(45)]
        tasks = [asyncio.create_task(call) for call in calls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert observer.calls == []


class Failing:
    """A context manager that fails when it is entered or left, or that suppresses every error."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __call__(self, _: CallInfo) -> Self:
        """Fail, or return the context manager."""
        if self.where == "hook":
            raise KeyError
        return self

    def __enter__(self) -> AttemptHook:
        if self.where == "enter":
            raise KeyError
        return self.attempt

    def attempt(self, _: Attempt) -> None:
        """Fail, or do nothing."""
        if self.where == "attempt":
            raise KeyError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if self.where == "exit":
            raise KeyError
        if self.where == "translates" and error is not None:
            raise KeyError from error
        return True


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("where", "logged"),
    [
        ("hook", ["on_call failed"] * 2),
        ("enter", ["on_call failed"] * 2),
        ("attempt", ["on_attempt failed"] * 4),
        ("exit", ["on_call failed"] * 2),
        ("translates", ["on_call failed"]),
        ("suppresses", []),
    ],
)
async def test_a_failing_hook_changes_nothing(caplog: pytest.LogCaptureFixture, where: str, logged: list[str]) -> None:
    """A hook that raises is logged, and neither loses a result nor replaces or suppresses an error."""
    hook: Any = Failing(where)
    script = [CREATED, replied({"errors": [{"detail": "+15551234567"}]}, 500)]
    async with Loopback(*script) as server, client_of(server, retry=ONCE, on_call=hook, show_details=True) as linq:
        assert (await linq.chats.create(**MESSAGE)).id == 45
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert isinstance(error, ServerError)
    assert "5551234567" in str(error)
    assert [record.message for record in caplog.records] == logged
    assert "5551234567" not in caplog.text


@pytest.mark.asyncio
async def test_a_hook_that_returns_no_context_manager_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that returns something else is logged; one that yields no function for attempts is right."""

    def nothing(_: CallInfo) -> None:
        pass

    @contextmanager
    def silent(_: CallInfo) -> Generator[None]:
        yield

    hooks: list[Any] = [nothing, silent]
    for hook, level in zip(hooks, [[logging.ERROR], []], strict=True):
        async with Loopback() as server, client_of(server, on_call=hook) as linq:
            await linq.chats.create(**MESSAGE)
        assert [record.levelno for record in caplog.records] == level
        caplog.clear()


@pytest.mark.asyncio
async def test_a_derived_client_has_the_hook() -> None:
    """``with_options`` keeps the hook, or replaces it."""
    first, second = Observer(), Observer()
    async with Loopback() as server, client_of(server, on_call=first) as linq:
        await linq.with_options(show_details=True).chats.create(**MESSAGE)
        await linq.with_options(on_call=second).chats.create(**MESSAGE)
    assert [len(first.calls), len(second.calls)] == [1, 1]


def test_a_coroutine_function_is_refused() -> None:
    """A hook that would have to be awaited is refused when the client is made."""

    async def hook(_: CallInfo) -> AbstractContextManager[None]:
        raise NotImplementedError

    with pytest.raises(InvalidArgumentError, match="on_call must be a plain function"):
        LinqClient("token", on_call=hook)  # type: ignore[arg-type]
