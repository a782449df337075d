"""A pooled connection that went bad while the loop was busy is noticed, and the next request goes out on another."""

import asyncio
import json
import select
import ssl
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from linq_async import LinqClient, RetryPolicy
from tests.support.http_messages import created_chat, error_body, response
from tests.support.script import Behaviour, Exchange
from tests.support.scripted_server import ScriptedServer

from . import broken_wire
from .addresses import Certificates
from .calls import CHAT, ask
from .matrix import Kind

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


async def _reset_when_idle(exchange: Exchange) -> None:
    await exchange.answer()
    await exchange.server.cue.wait()
    exchange.wire.reset()


def _answer_when_idle(code: int, body: bytes) -> Behaviour:
    async def act(exchange: Exchange) -> None:
        await exchange.answer()
        await exchange.server.cue.wait()
        await exchange.send(response(code, body))

    return Behaviour(f"send {code} on the idle connection", act, stores=True)


STALE = [
    broken_wire.close_when_idle,
    broken_wire.junk_when_idle,
    broken_wire.timeout_when_idle,
    Behaviour("reset the idle connection", _reset_when_idle, stores=True),
    _answer_when_idle(200, json.dumps(created_chat(1, "To somebody else")).encode()),
    _answer_when_idle(422, error_body(422, "late", "Refused, but not this one")),
]


@contextmanager
def _other_loop() -> Generator[Run[Any]]:
    """Run a loop in a thread. Waiting for what runs there blocks the loop of the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def _server_elsewhere(behaviour: Behaviour, count: int, tls: ssl.SSLContext | None) -> Generator[tuple[Run[Any], Any]]:
    """Run a server in another thread; its first requests are answered with the behaviour."""
    with _other_loop() as run:

        async def start() -> ScriptedServer:
            return await ScriptedServer([behaviour] * count, tls=tls).__aenter__()

        server = run(start())
        try:
            yield run, server
        finally:
            run(server.close())


async def _spoil(server: ScriptedServer) -> None:
    server.cue.set()


def _wait_until_spoiled(linq: LinqClient) -> None:
    """Block the loop until every pooled connection has something to read."""
    connector: Any = linq._pipeline.transport.pool().session.connector
    pooled = [protocol for protocols in connector._conns.values() for protocol, _ in protocols]
    for protocol in pooled:
        arrived, _, _ = select.select([protocol.transport.get_extra_info("socket")], [], [], 10.0)
        assert arrived


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Kind.JSON, Kind.POST, Kind.DELETE])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("behaviour", STALE, ids=lambda behaviour: behaviour.name)
async def test_stale_connection_is_left_for_another(
    certificates: Certificates, behaviour: Behaviour, kind: Kind, tls: bool
) -> None:
    """A pooled connection that was closed or written on while the loop was busy carries no request, nor an attempt."""
    server_side, trust = (certificates.right, certificates.client) if tls else (None, None)
    with _server_elsewhere(behaviour, 2, server_side) as (run, server):
        async with LinqClient("token", base_url=server.url, ssl=trust, retry=RetryPolicy.none()) as linq:
            await asyncio.gather(linq.request("GET", CHAT), linq.request("GET", CHAT))
            assert server.connections == 2
            run(_spoil(server))
            _wait_until_spoiled(linq)
            answer = await ask(linq, kind)
        assert (answer.attempts, server.connections, len(server.visits)) == (1, 3, 3)
        if kind.creates:
            assert answer.message.id == server.stored[0].id
