"""Each of the 29 operations over real HTTP: success, and the failures of its kind."""

from __future__ import annotations

import re
import socket
from collections.abc import Sized
from typing import cast

import attrs
import pytest

from linq_async import DecodeError, Outcome, Page
from linq_async.sandbox import Sandbox
from linq_async.sandbox.api.routes import PREFIX, ROUTES
from tests.support.clock import Clock
from tests.support.world import World, client_on, failure_of

from .operations import OPERATIONS, Operation

pytestmark = pytest.mark.asyncio

each = pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
repeated = pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.kind != "keyless"], ids=lambda o: o.name)
keyless = pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.kind == "keyless"], ids=lambda o: o.name)
NO_BODY = {"chats.start_typing", "chats.share_contact"}


def _keys(world: World) -> list[str | None]:
    return [entry.idempotency_key for entry in world.sandbox.requests]


async def test_the_list_of_operations_is_whole() -> None:
    """The tests cover the 29 operations of the sandbox, which was built independently from the contract."""
    assert {(operation.method, operation.path) for operation in OPERATIONS} == {(r.method, r.path) for r in ROUTES}
    assert len(OPERATIONS) == len(ROUTES) == 29
    assert PREFIX == "/api/partner/v2"


@each
async def test_success(filled: World, operation: Operation) -> None:
    """A call sends one request, with the method and path of its operation, and returns its model."""
    result = await operation.call(filled)
    ((method, path),) = filled.seen
    assert (method, re.sub(r"/[0-9]+", "/#", path)) == (operation.method, re.sub(r"\{.*?\}", "#", operation.path))
    assert isinstance(result, operation.gives or type(None))
    if isinstance(result, list | Page):
        assert len(cast("Sized", result)) > 0
    (attempt,) = filled.attempts
    assert (attempt.operation, attempt.outcome) == (operation.name, Outcome.SENT)


@repeated
async def test_a_lost_answer_is_asked_for_again(filled: World, operation: Operation) -> None:
    """A repeatable operation is retried after a lost response, with the same key, and carried out once."""
    before = len(filled.sandbox.messages)
    filled.sandbox.faults.drop_after_storing()
    result = await operation.call(filled)
    assert isinstance(result, operation.gives or type(None))
    assert len(filled.seen) == 2
    assert _keys(filled) == (["key-1"] * 2 if operation.kind == "keyed" else [None] * 2)
    assert len(filled.sandbox.messages) - before == (operation.kind == "keyed")
    assert len(filled.clock.sleeps) == 1


@keyless
async def test_a_lost_answer_without_a_key_is_raised(filled: World, operation: Operation) -> None:
    """An operation without a key is not retried once it may have arrived: one request, outcome unknown."""
    filled.sandbox.faults.drop_after_storing()
    error = await failure_of(operation.call(filled))
    assert (type(error).__name__, error.outcome, error.attempts) == ("ConnectionLostError", Outcome.UNKNOWN, 1)
    assert len(filled.seen) == 1


@repeated
async def test_a_cut_answer_is_asked_for_again(filled: World, operation: Operation) -> None:
    """A repeatable operation is retried if the response breaks off."""
    filled.sandbox.faults.cut_body()
    assert isinstance(await operation.call(filled), operation.gives or type(None))
    assert len(filled.seen) == 2


@keyless
async def test_a_cut_answer_without_a_key_is_raised(filled: World, operation: Operation) -> None:
    """An operation without a key is not retried if the response breaks off; the status gives the outcome."""
    filled.sandbox.faults.cut_body()
    error = await failure_of(operation.call(filled))
    assert error.outcome is (Outcome.UNKNOWN if operation.name in NO_BODY else Outcome.SENT)
    assert len(filled.seen) == 1


@each
async def test_a_server_failure(filled: World, operation: Operation) -> None:
    """A 503 is retried if that is safe, and otherwise raised with outcome unknown."""
    filled.sandbox.faults.answer(503)
    if operation.kind != "keyless":
        assert isinstance(await operation.call(filled), operation.gives or type(None))
        assert len(filled.seen) == 2
        return
    error = await failure_of(operation.call(filled))
    assert (type(error).__name__, error.outcome, len(filled.seen)) == ("ServerError", Outcome.UNKNOWN, 1)


@each
async def test_too_many_requests(filled: World, operation: Operation) -> None:
    """After a 429, which precedes any work, the call waits as asked and is retried, even without a key."""
    filled.sandbox.faults.answer(429, headers={"Retry-After": "20"})
    assert isinstance(await operation.call(filled), operation.gives or type(None))
    assert len(filled.seen) == 2
    assert filled.clock.sleeps[0] >= 20


@each
async def test_a_refusal(filled: World, operation: Operation) -> None:
    """A 422 is raised at once, in either error format, with outcome NOT_SENT."""
    filled.sandbox.faults.answer(422)
    error = await failure_of(operation.call(filled))
    assert (type(error).__name__, error.outcome) == ("UnprocessableEntityError", Outcome.NOT_SENT)
    assert len(filled.seen) == 1


@each
async def test_an_answer_of_another_shape(filled: World, operation: Operation) -> None:
    """A 200 with an unexpected body is never retried: it is a DecodeError if the body is read."""
    filled.sandbox.faults.answer(200, json={"nonsense": [1]})
    if operation.gives is None:
        assert await operation.call(filled) is None
    else:
        error = await failure_of(operation.call(filled))
        assert isinstance(error, DecodeError)
        assert (error.outcome, error.paths[0][0]) == (Outcome.SENT, "$")
    assert len(filled.seen) == 1


@each
async def test_a_wrong_token(filled: World, operation: Operation) -> None:
    """A 401 is an AuthenticationError for every operation, in either error format."""
    other = attrs.evolve(filled, linq=filled.linq.with_options(token="other"))
    error = await failure_of(operation.call(other))
    assert (type(error).__name__, error.outcome) == ("AuthenticationError", Outcome.NOT_SENT)
    assert [detail.code and detail.code.lower() for detail in error.errors] == ["unauthorized"]  # type: ignore[attr-defined]


@each
async def test_a_refused_connection(operation: Operation) -> None:
    """A refused connection sent nothing, so the call is retried, with or without a key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clock = Clock()
    sandbox = Sandbox(port=port, clock=clock.moment)
    await sandbox.start()
    async with client_on(sandbox, clock) as filler:
        world = World(filler, sandbox, clock)
        await world.fill()
    world.linq = client_on(sandbox, clock, on_attempt=world.note)
    await sandbox.close()
    clock.at_first_sleep = sandbox.start
    async with world.linq:
        try:
            assert isinstance(await operation.call(world), operation.gives or type(None))
        finally:
            await sandbox.close()
    assert len(world.seen) == 1
    assert [attempt.error for attempt in world.attempts] == ["ConnectError", None]
