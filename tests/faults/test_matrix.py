"""Every fault of the matrix, on every kind of request, comes to what the retry table says, and leaves nothing."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from linq_async import LinqClient, LinqError, RetryPolicy
from tests.support.script import good
from tests.support.scripted_server import ScriptedServer

from .addresses import (
    UNRESOLVABLE,
    Certificates,
    open_files,
    other_tasks,
    refusing_url,
    sockets_left,
)
from .calls import CHAT, ask, hurry
from .matrix import FAULTS, MAX_ATTEMPTS, Expected, Fault, Kind, Run


def is_slow(fault: Fault, kind: Kind, run: Run) -> bool:
    """Return whether a case says little that another does not: more attempts, or a DELETE for a create with a key."""
    return kind is Kind.DELETE or (run is Run.ALWAYS and Run.ONCE in fault.runs_of(kind))


CASES = [
    pytest.param(
        fault,
        kind,
        run,
        id=f"{fault}, {run}-{kind}",
        marks=[pytest.mark.slow] if is_slow(fault, kind, run) else [],
    )
    for fault in FAULTS
    for kind in Kind
    for run in fault.runs_of(kind)
]


@contextlib.contextmanager
def base_url(fault: Fault, server: ScriptedServer) -> Generator[str]:
    """Yield the base URL for the client."""
    if fault.address == "refused":
        with refusing_url() as url:
            yield url
    else:
        yield UNRESOLVABLE if fault.address else server.url


@contextlib.asynccontextmanager
async def scripted(fault: Fault, run: Run, certificates: Certificates) -> AsyncGenerator[ScriptedServer]:
    """Run a server with the fault in its script, or all through."""
    script = [fault.behaviour] if run is Run.ONCE else []
    tls = getattr(certificates, fault.tls) if fault.tls else None
    async with ScriptedServer(script, default=good if run is Run.ONCE else fault.behaviour, tls=tls) as server:
        yield server


@contextlib.asynccontextmanager
async def impatient(fault: Fault, kind: Kind, url: str, certificates: Certificates) -> AsyncGenerator[LinqClient]:
    """Make a client that never waits between attempts."""
    async with LinqClient(
        "token",
        base_url=url,
        retry=RetryPolicy(max_attempts=MAX_ATTEMPTS),
        timeouts=fault.timeouts_of(kind),
        ssl=certificates.client if fault.tls else None,
        max_response_bytes=1 << 20,
        allow_http=True,
    ) as linq:
        hurry(linq)
        yield linq


async def warm(linq: LinqClient, server: ScriptedServer) -> None:
    """Put a connection into the pool, and let come over it what does not wait for the next request."""
    await linq.request("GET", CHAT)
    server.cue.set()
    for _ in range(10):
        await asyncio.sleep(0)
    server.visits.clear()
    server.store.effects.clear()
    server.log.clear()


async def outcome_of(linq: LinqClient, kind: Kind, *, big: bool) -> Any:
    """Return the result, or the error."""
    try:
        return await ask(linq, kind, big=big)
    except LinqError as error:
        return error


def observed(end: Any, server: ScriptedServer, kind: Kind) -> Expected:
    """Put what happened in the words of the matrix."""
    failed = isinstance(end, LinqError)
    return Expected(
        error=type(end).__name__ if failed else None,
        outcome=end.outcome if failed else None,
        attempts=end.attempts,
        arrivals=len(server.visits),
        held=len(server.stored if kind.creates else server.effects),
    )


def check_keys(end: Any, server: ScriptedServer, kind: Kind) -> None:
    """Hold the server to one message a key, and the client to one key a call."""
    keys = [seen.key for seen in server.log if seen.body_complete]
    if kind.creates:
        assert end.idempotency_key
        assert set(keys) <= {end.idempotency_key}
        assert len(server.stored) <= 1
        assert isinstance(end, LinqError) or end.message.id == server.stored[0].id
    else:
        assert end.idempotency_key is None


async def check_nothing_left(server: ScriptedServer) -> None:
    """Assert that a closed client has no connection, even if the server does not read."""
    assert await sockets_left(server.port) == 0
    assert await server.settled() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(("fault", "kind", "run"), CASES)
async def test_fault(fault: Fault, kind: Kind, run: Run, certificates: Certificates) -> None:
    """The fault ends in the error, outcome, attempts, arrivals and effects that the rules name, and leaves nothing."""
    files, tasks = open_files(), other_tasks()
    async with scripted(fault, run, certificates) as server:
        with base_url(fault, server) as url:
            async with impatient(fault, kind, url, certificates) as linq:
                if fault.warm_up:
                    await warm(linq, server)
                end = await outcome_of(linq, kind, big=fault.big)
        await check_nothing_left(server)
        check_keys(end, server, kind)
        assert observed(end, server, kind) == fault.expected(kind, run)
    assert other_tasks() == tasks
    assert open_files() == files
