"""The steps of a script: what each kind does, and which request takes which."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.support.replies import Reply
from tests.support.script import Step
from tests.support.scripted_server import ScriptedServer
from tests.support.store import Seen

RAW = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


async def _status(session: aiohttp.ClientSession, server: ScriptedServer) -> int:
    async with session.post(server.url, data=b"{}") as response:
        return response.status


async def _bytes_until_close(server: ScriptedServer) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
    async with asyncio.timeout(5):
        received = await reader.read()
    writer.close()
    return received


@pytest.mark.asyncio
async def test_each_kind_of_step() -> None:
    """Replies keep the connection, bytes and None close it, and a function chooses by the request."""

    async def choose(request: Seen) -> Reply:
        return Reply(209 if request.method == "POST" else 500)

    script: list[Step] = [Reply(201), choose, RAW, None]
    async with ScriptedServer(script, default=Reply(204)) as server, aiohttp.ClientSession() as session:
        assert [await _status(session, server) for _ in range(2)] == [201, 209]
        assert [await _bytes_until_close(server) for _ in range(2)] == [RAW, b""]
        assert await _status(session, server) == 204
    assert [request.connection for request in server.log] == [1, 1, 2, 3, 1]


@pytest.mark.asyncio
async def test_requests_at_the_same_time_take_different_steps() -> None:
    """Each of several requests that are read at the same time takes a step of its own."""
    async with ScriptedServer([Reply(code) for code in range(201, 209)]) as server:
        server.read_pause = 0.001
        async with aiohttp.ClientSession() as session:
            statuses = await asyncio.gather(*[_status(session, server) for _ in range(8)])
    assert sorted(statuses) == list(range(201, 209))
    assert server.script == []


@pytest.mark.asyncio
async def test_a_request_that_breaks_off_leaves_its_step() -> None:
    """The step of a request that ends in the middle of its body is taken by the next request."""
    async with ScriptedServer([Reply(201)], default=Reply(500)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        writer.close()
        await writer.wait_closed()
        assert await server.settled() == 0
        assert (len(server.log), server.seen) == (1, [])
        async with aiohttp.ClientSession() as session:
            assert await _status(session, server) == 201
