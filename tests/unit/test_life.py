"""The lifetime of a client: event loops, closing, and sessions of the caller's own."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from linq_async import (
    Attempt,
    ClientStateError,
    LinqClient,
    LinqError,
    NewChat,
    Outcome,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
)
from linq_async.config import Settings
from linq_async.transport.session import Pool, Transport
from tests.support.clients import MESSAGE, ONCE, TOKEN, client_of, failure_of
from tests.support.loopback import CREATED, Loopback, Reply, Seen, refused

THREE_RUNS = """
import asyncio, gc, sys
from linq_async import LinqClient

linq = LinqClient("token", base_url=sys.argv[1])

async def main():
    text = "Hello! This is a sample message from Linq API v2."
    chat = await linq.chats.create(send_from="+1", phone_numbers=["+2"], text=text)
    return chat.attempts

counts = [asyncio.run(main()) for _ in range(3)]
del linq
gc.collect()
print(*counts)
"""


@contextmanager
def _second_loop() -> Generator[Callable[[Awaitable[object]], object]]:
    """Run a loop in a thread; yield a function that runs a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda call: asyncio.run_coroutine_threadsafe(call, loop).result(10)  # type: ignore[arg-type]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Silent:
    """A server that does not respond until it is told to."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def answer(self, _: Seen) -> Reply:
        """Answer only then."""
        await self.ended.wait()
        return CREATED


@pytest.mark.asyncio
async def test_a_client_of_the_module_serves_three_runs() -> None:
    """A client in three ``asyncio.run`` sends once in each, and Python has nothing to warn of."""
    flags = ("-W", "error", "-X", "dev", "-c", THREE_RUNS)
    async with Loopback() as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable, *flags, server.url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await child.communicate()
    assert (child.returncode, out.decode().split(), err.decode()) == (0, ["1", "1", "1"], "")
    assert (len(server.seen), len(set(server.keys)), server.connections) == (3, 3, 3)


def test_the_constructor_touches_no_loop() -> None:
    """A client can be created, derived, printed and discarded without a running loop."""
    linq = LinqClient(TOKEN)
    assert "open" in repr(linq.with_options(retry=ONCE))
    asyncio.run(linq.aclose())
    assert "closed" in repr(linq)


@pytest.mark.asyncio
async def test_a_second_living_loop_is_refused_at_once() -> None:
    """A call on a second running loop is a ClientStateError that names the fix, and sends nothing."""
    async with Loopback() as server, client_of(server) as linq:
        await linq.chats.create(**MESSAGE)
        with _second_loop() as run:
            with pytest.raises(ClientStateError, match="one client per loop") as caught:
                await asyncio.to_thread(run, linq.chats.create(**MESSAGE))
            with pytest.raises(ClientStateError):
                await asyncio.to_thread(run, linq.aclose())
        assert (caught.value.outcome, caught.value.attempts) == (Outcome.NOT_SENT, 0)
        assert (await linq.chats.create(**MESSAGE)).attempts == 1
    assert len(server.seen) == 2


@pytest.mark.asyncio
async def test_use_after_close_fails_at_once() -> None:
    """A closed client refuses every call within a millisecond, its derived clients too, and does not open again."""
    async with Loopback() as server:
        async with client_of(server) as linq:
            derived = linq.with_options(retry=RetryPolicy(max_attempts=9))
            keyed = NewChat(**MESSAGE, idempotency_key="order-1")
            await linq.chats.create(**MESSAGE)
        seconds: list[float] = []
        for call in (linq.chats.create(**MESSAGE), derived.request("GET", "/x"), linq.__aenter__()):
            started = time.perf_counter()
            error = await failure_of(call)
            seconds.append(time.perf_counter() - started)
            assert isinstance(error, ClientStateError)
            assert (error.outcome, error.attempts) == (Outcome.NOT_SENT, 0)
        assert (await failure_of(linq.chats.send(keyed))).idempotency_key == "order-1"
    assert sorted(seconds)[1] < 0.001
    assert len(server.seen) == 1


@pytest.mark.asyncio
async def test_closing_twice_is_fine() -> None:
    """A second ``aclose`` does nothing, before a first call as after one: the client stays closed, its session too."""
    unused = LinqClient(TOKEN)
    for _ in range(2):
        await unused.aclose()
        assert isinstance(await failure_of(unused.chats.create(**MESSAGE)), ClientStateError)
    async with Loopback() as server, client_of(server) as linq:
        await linq.chats.create(**MESSAGE)
        session = linq._pipeline.transport.pool().session
        await linq.aclose()
        assert session.closed
        await asyncio.gather(linq.aclose(), linq.aclose())
        assert isinstance(await failure_of(linq.chats.create(**MESSAGE)), ClientStateError)
    assert len(server.seen) == 1


async def _closed_under_way(linq: LinqClient, server: Loopback, calls: int) -> list[object]:
    tasks = [asyncio.create_task(linq.chats.create(**MESSAGE)) for _ in range(calls)]
    await server.arrived(1)
    await linq.aclose()
    await asyncio.wait(tasks, timeout=0.5)
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.asyncio
async def test_closing_ends_the_calls_under_way() -> None:
    """A call whose request is out ends with ClientStateError and UNKNOWN; those still in line with NOT_SENT."""
    silence = _Silent()
    async with Loopback(default=silence.answer) as server:
        errors = await _closed_under_way(client_of(server, max_connections=1), server, 3)
        silence.ended.set()
    assert [type(error) for error in errors] == [ClientStateError] * 3
    assert [error.outcome for error in errors if isinstance(error, LinqError)] == ["unknown", "not_sent", "not_sent"]
    assert all(error.idempotency_key for error in errors if isinstance(error, LinqError))
    assert len(server.seen) == 1


@pytest.mark.asyncio
async def test_closing_ends_the_calls_on_an_external_session() -> None:
    """With an external session too, ``aclose`` ends the calls under way, and leaves the session open."""
    silence = _Silent()
    async with Loopback(default=silence.answer) as server, aiohttp.ClientSession() as session:
        errors = await _closed_under_way(client_of(server, session=session), server, 1)
        silence.ended.set()
        assert not session.closed
    assert [type(error) for error in errors] == [ClientStateError]


@pytest.mark.asyncio
async def test_closing_ends_a_call_whose_file_is_measured(tmp_path: Path) -> None:
    """A call whose attachment is measured while the client is closed sends nothing, also on an external session."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"x")
    async with Loopback() as server, aiohttp.ClientSession() as session:
        linq = client_of(server, session=session)
        call = asyncio.create_task(linq.chats.create(**MESSAGE, attachments=[file]))
        await asyncio.sleep(0)
        await linq.aclose()
        error = await failure_of(call)
    assert (type(error), error.outcome, server.seen) == (ClientStateError, Outcome.NOT_SENT, [])


def test_two_threads_do_not_open_two_pools() -> None:
    """If two threads make the first call of a client at the same time, one of them gets ClientStateError."""
    opening, finished = threading.Barrier(2), threading.Barrier(2)

    class SlowTransport(Transport):
        """Gives the other thread time to open a pool as well."""

        def _own_pool(self, loop: asyncio.AbstractEventLoop) -> Pool:
            with suppress(threading.BrokenBarrierError):
                opening.wait(0.1)
            return super()._own_pool(loop)

    transport = SlowTransport(Settings(token=TOKEN, base_url="http://127.0.0.1"), max_connections=1, session=None)

    async def use() -> type:
        try:
            return type(transport.pool())
        except ClientStateError:
            return ClientStateError
        finally:
            finished.wait(5)

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(asyncio.run, [use(), use()]))
    assert set(results) == {Pool, ClientStateError}


@pytest.mark.asyncio
async def test_closing_ends_a_back_off() -> None:
    """Closing the client ends the wait of a call for its next attempt."""
    begun = asyncio.Event()

    def see(record: Attempt) -> None:
        if record.wait is not None:
            begun.set()

    async with Loopback(refused(503, Retry_After="60")) as server:
        async with client_of(server, on_attempt=see) as linq:
            task = asyncio.create_task(linq.chats.create(**MESSAGE))
            await begun.wait()
        done, _ = await asyncio.wait([task], timeout=0.1)
        task.cancel()
        errors = await asyncio.gather(task, return_exceptions=True)
    assert done
    assert [type(error) for error in errors] == [ClientStateError]


@pytest.mark.asyncio
async def test_a_derived_client_shares_the_pool_and_closes_nothing() -> None:
    """``with_options`` uses the connections of its parent; closing it, or leaving its block, closes nothing."""
    async with (
        Loopback() as server,
        client_of(server) as linq,
    ):
        await linq.chats.create(**MESSAGE)
        async with linq.with_options(retry=ONCE) as derived:
            await derived.chats.create(**MESSAGE)
        await derived.aclose()
        await derived.chats.create(**MESSAGE)
        await linq.chats.create(**MESSAGE)
    assert (len(server.seen), server.connections) == (4, 1)


@pytest.mark.asyncio
async def test_an_external_session_is_never_closed() -> None:
    """Closing the client leaves a caller's session open, and the next client of it serves."""
    async with Loopback() as server, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with client_of(server, session=session) as linq:
                await linq.chats.create(**MESSAGE)
            assert not session.closed
    assert len(server.seen) == 2


@pytest.mark.asyncio
async def test_an_external_session_that_its_owner_closed() -> None:
    """A session that its owner has closed is a ClientStateError, and not retried."""
    async with Loopback() as server:
        async with aiohttp.ClientSession() as session:
            pass
        async with client_of(server, session=session) as linq:
            error = await failure_of(linq.chats.create(**MESSAGE))
    assert isinstance(error, ClientStateError)
    assert (error.outcome, server.seen) == (Outcome.NOT_SENT, [])


@pytest.mark.asyncio
async def test_the_settings_of_an_external_session_do_no_harm() -> None:
    """The session's base URL, time limits, raise_for_status, media types and cookies do not change the calls."""
    limits = aiohttp.ClientTimeout(total=0.02, sock_read=0.02)
    headers = {"Content-Type": "text/plain", "Accept": "text/html"}

    async def slow(_: Seen) -> Reply:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        loop.call_later(0.08, answer.set_result, CREATED)
        return await answer

    external = aiohttp.ClientSession(
        "http://other.example/", raise_for_status=True, timeout=limits, headers=headers, cookies={"a": "1"}
    )
    async with (
        Loopback(refused(422), slow) as server,
        external as session,
        client_of(server, session=session) as linq,
    ):
        error = await failure_of(linq.chats.create(**MESSAGE))
        chat = await linq.chats.create(**MESSAGE)
    assert (type(error).__name__, chat.attempts) == ("UnprocessableEntityError", 1)
    sent = server.seen[1].headers
    assert (sent["x-linq-integration-token"], sent["content-type"]) == (TOKEN, "application/json")
    assert sent["accept"] == "application/json"


@pytest.mark.asyncio
@pytest.mark.parametrize(("limit", "per_host"), [(2, 0), (100, 2), (0, 1)])
async def test_an_external_session_follows_no_redirect_and_keeps_its_limit(limit: int, per_host: int) -> None:
    """Redirects stay unfollowed, and an external pool of two serves forty calls without one timing out in its line."""

    async def slow(_: Seen) -> Reply:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        loop.call_later(0.01, answer.set_result, CREATED)
        return await answer

    async with (
        Loopback() as other,
        Loopback(Reply(308, headers={"Location": other.url}), default=slow) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit, limit_per_host=per_host)) as session,
        client_of(server, session=session, retry=ONCE, timeouts=Timeouts(connect=0.1)) as linq,
    ):
        error = await failure_of(linq.chats.create(**MESSAGE))
        chats = await asyncio.gather(*[linq.chats.create(**MESSAGE) for _ in range(40)])
    assert type(error).__name__ == "RedirectError"
    assert (other.seen, server.connections <= 3, {chat.attempts for chat in chats}) == ([], True, {1})


@pytest.mark.asyncio
async def test_no_cookie_is_kept() -> None:
    """The client's own session keeps no cookie, so that calls do not depend on one another."""
    answer = Reply(201, CREATED.body, {"Set-Cookie": "session=1; Path=/"})
    async with Loopback(default=answer) as server, client_of(server) as linq:
        for _ in range(2):
            await linq.chats.create(**MESSAGE)
    assert [request.headers.get("cookie") for request in server.seen] == [None, None]


@pytest.mark.asyncio
async def test_a_middleware_of_an_external_session_does_not_run() -> None:
    """A middleware of the caller's session, which might retry uncounted, is not used."""
    ran: list[str] = []

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        ran.append(request.method)
        return await handler(request)

    async with (
        Loopback() as server,
        aiohttp.ClientSession(middlewares=(middleware,)) as session,
        client_of(server, session=session) as linq,
    ):
        await linq.chats.create(**MESSAGE)
        await linq.request("GET", "/x")
    assert ran == []


@pytest.mark.asyncio
async def test_a_timeout_leaves_a_usable_client() -> None:
    """After a read timeout the next call goes out on a new connection and succeeds."""
    silence = _Silent()
    async with (
        Loopback(silence.answer) as server,
        client_of(server, retry=ONCE, timeouts=Timeouts(read=0.1)) as linq,
    ):
        error = await failure_of(linq.chats.create(**MESSAGE))
        silence.ended.set()
        assert (await linq.chats.create(**MESSAGE)).attempts == 1
    assert isinstance(error, RequestTimeoutError)
    assert (error.phase, error.seconds, error.outcome) == ("read", 0.1, Outcome.UNKNOWN)
    assert server.connections == 2
