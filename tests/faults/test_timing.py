"""When the client goes on, gives up, or waits: the rules about time, and what a stalled or stale connection leaves."""

import asyncio
import socket
import ssl
from typing import Any

import aiohttp
import pytest

from linq_async import (
    ConnectError,
    LinqClient,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from tests.support.script import Behaviour
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .addresses import Certificates, open_files, other_tasks, sockets_left
from .calls import ask, hurry
from .matrix import Kind

SOON = 0.06
CREATES = [Kind.JSON, Kind.FORM]


def client(server: ScriptedServer, trust: ssl.SSLContext | None = None, **limits: float) -> LinqClient:
    """Make a client that has these time limits, and tries twice."""
    timeouts = Timeouts(**({"connect": 5.0, "write": 5.0, "read": 5.0} | limits))
    return LinqClient(
        "token",
        base_url=server.url,
        ssl=trust,
        timeouts=timeouts,
        retry=RetryPolicy(max_attempts=2, initial_delay=0.001),
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", CREATES)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_stalled_upload_ends_by_the_write_limit(certificates: Certificates, kind: Kind, tls: bool) -> None:
    """An upload that the server does not read ends by the write limit, long before the read limit."""
    server_side, trust = (certificates.right, certificates.client) if tls else (None, None)
    async with (
        ScriptedServer(default=broken_wire.stop_reading, tls=server_side) as server,
        client(server, trust, write=SOON, read=0.5) as linq,
    ):
        hurry(linq)
        with pytest.raises(RequestTimeoutError) as caught:
            await ask(linq, kind, big=True)
    assert (caught.value.phase, caught.value.seconds) == ("write", SOON)


def _narrow(address: Any) -> socket.socket:
    """Make a socket that takes little at once, as a slow line does."""
    family, kind, protocol, *_ = address
    narrow = socket.socket(family, kind, protocol)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    narrow.setblocking(False)
    return narrow


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "length", [20_000, *[pytest.param(length, marks=pytest.mark.slow) for length in (100_000, 300_000, 600_000)]]
)
async def test_json_that_is_not_read_ends_by_a_limit_of_its_own(length: int) -> None:
    """JSON of any length, on a line that takes none of it, ends by the limit of its phase: never by connect's."""
    silent = socket.create_server(("127.0.0.1", 0))
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    with silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow)) as session:
            timeouts = Timeouts(connect=2 * SOON, write=4 * SOON, read=4 * SOON)
            linq = LinqClient("token", base_url=url, session=session, retry=RetryPolicy.none(), timeouts=timeouts)
            with pytest.raises(RequestTimeoutError) as caught:
                await linq.chats.create(
                    send_from="+12025550199",
                    phone_numbers=["+13343284472"],
                    text="y" * length,
                    idempotency_key="order-1",
                )
    assert caught.value.phase in {"write", "read"}
    assert caught.value.seconds == 4 * SOON
    assert (caught.value.outcome, caught.value.idempotency_key) == (Outcome.UNKNOWN, "order-1")


@pytest.mark.asyncio
async def test_headers_that_are_not_read_end_by_a_typed_error() -> None:
    """Headers alone may fill a line: what ends then is called the write phase, with outcome and key."""
    silent = socket.create_server(("127.0.0.1", 0))
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    with silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow)) as session:
            timeouts = Timeouts(connect=2 * SOON, write=5.0, read=5.0)
            policy, wide = RetryPolicy.none(), {"X-Wide": "y" * 200_000}
            linq = LinqClient("token", base_url=url, session=session, retry=policy, timeouts=timeouts, headers=wide)
            with pytest.raises(RequestTimeoutError) as caught:
                await linq.chats.create(
                    send_from="+12025550199", phone_numbers=["+13343284472"], text="Hi", idempotency_key="order-1"
                )
    assert (caught.value.phase, caught.value.outcome) == ("write", Outcome.UNKNOWN)
    assert caught.value.idempotency_key == "order-1"


async def _read_slowly(listener: socket.socket, size: int, pause: float) -> None:
    """Read this many bytes, a few at a time, and respond."""
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    with connection:
        while size > 0:
            size -= len(await loop.sock_recv(connection, 32 << 10))
            await asyncio.sleep(pause)
        await loop.sock_sendall(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_piece_that_takes_longer_than_the_limit_is_not_a_stalled_one() -> None:
    """A single piece of a body may take longer than the write limit to leave, as long as some of it leaves."""
    length, limit = 500_000, 0.25
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    listener.setblocking(False)
    with listener:
        reading = asyncio.create_task(_read_slowly(listener, length, 0.02))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow)) as session:
            timeouts = Timeouts(connect=5.0, write=limit, read=5.0)
            linq = LinqClient("token", base_url=url, session=session, retry=RetryPolicy.none(), timeouts=timeouts)
            started = asyncio.get_running_loop().time()
            response = await linq.request("PUT", "/x", json={"text": "y" * length})
            assert asyncio.get_running_loop().time() - started > 2 * limit
        await reading
    assert response.status == 200


@pytest.mark.slow
@pytest.mark.asyncio
async def test_slow_upload_is_not_a_stalled_one() -> None:
    """An upload that moves may take longer than the write limit."""
    async with ScriptedServer() as server, client(server, write=0.5) as linq:
        server.read_pause = 0.08
        started = asyncio.get_running_loop().time()
        chat = await ask(linq, Kind.FORM, big=True)
        assert asyncio.get_running_loop().time() - started > 0.5
    assert chat.attempts == 1


@pytest.mark.asyncio
async def test_at_least_two_seconds_after_a_read_timeout() -> None:
    """After a read timeout the first request may still run, so the repeat waits for 2 s or more."""
    async with ScriptedServer([broken_wire.no_answer]) as server, client(server, read=SOON) as linq:
        waits = hurry(linq)
        await ask(linq, Kind.JSON)
    assert len(waits) == 1
    assert waits[0] >= 2.0


@pytest.mark.asyncio
@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("asked", ["7", "7.5"])
async def test_retry_after_is_never_undercut(code: int, asked: str) -> None:
    """The server's Retry-After, whole or decimal, is the least that the client waits."""
    async with ScriptedServer([answers.status(code, Retry_After=asked)]) as server, client(server) as linq:
        waits = hurry(linq)
        await ask(linq, Kind.JSON)
    assert len(waits) == 1
    assert waits[0] >= float(asked) - 0.001


@pytest.mark.asyncio
@pytest.mark.parametrize(("code", "error"), [(429, RateLimitError), (503, ServerError)])
async def test_retry_after_beyond_the_budget(code: int, error: type[RateLimitError | ServerError]) -> None:
    """A wait longer than the time limit is not begun: the error comes at once, with the seconds."""
    async with ScriptedServer([answers.status(code, Retry_After="3600")]) as server, client(server) as linq:
        waits = hurry(linq)
        with pytest.raises(error) as caught:
            await ask(linq, Kind.JSON)
    assert (caught.value.retry_after, caught.value.attempts, waits) == (3600, 1, [])


@pytest.mark.asyncio
async def test_reset_then_refused_stays_unknown() -> None:
    """Once an attempt may have arrived, a later refusal to connect does not unsay it."""
    async with ScriptedServer([broken_wire.close_for_good.storing()]) as server, client(server) as linq:
        hurry(linq)
        with pytest.raises(ConnectError) as caught:
            await ask(linq, Kind.JSON)
    assert (caught.value.outcome, caught.value.attempts) == (Outcome.UNKNOWN, 2)


CANCELLED = [
    broken_wire.silence,
    broken_wire.stop_reading,
    broken_wire.no_answer,
    broken_wire.headers_then_silence,
    broken_wire.slow_body,
    broken_wire.endless_body,
]


@pytest.mark.asyncio
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("behaviour", CANCELLED, ids=lambda behaviour: behaviour.name)
async def test_cancelled_call_leaves_nothing(certificates: Certificates, behaviour: Behaviour, tls: bool) -> None:
    """Cancelling a call in any phase drops its connection."""
    files, tasks = open_files(), other_tasks()
    server_side, trust = (certificates.right, certificates.client) if tls else (None, None)
    async with ScriptedServer([behaviour], tls=server_side) as server:
        async with client(server, trust) as linq:
            calling = asyncio.create_task(ask(linq, Kind.FORM, big=True))
            await server.arrived(1)
            calling.cancel()
            await asyncio.wait([calling])
            assert calling.cancelled()
            assert await sockets_left(server.port) == 0
        assert await server.settled() == 0
    assert other_tasks() == tasks
    assert open_files() == files


@pytest.mark.asyncio
async def test_close_under_way_leaves_nothing() -> None:
    """A client that is closed while calls are under way leaves no connection, and each call ends."""
    async with ScriptedServer(default=broken_wire.no_answer) as server:
        linq = client(server)
        calls = [asyncio.create_task(ask(linq, kind)) for kind in Kind]
        await server.arrived(len(calls))
        await linq.aclose()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(end).__name__ for end in ends} == {"ClientStateError"}
        assert await sockets_left(server.port) == 0
        assert await server.settled() == 0
