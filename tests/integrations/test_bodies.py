"""Endless, slow and broken bodies, sent to real servers byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from fastapi import FastAPI

from linq_async.integrations.aiohttp import add_webhooks
from linq_async.integrations.asgi import WebhookApp
from linq_async.integrations.fastapi import webhook_router
from linq_async.webhooks import receiver as receiver_module

from .deliveries import PATH, SECRET, CountingBot, aiohttp_server, event_body, signature, uvicorn_server

MIB = 1 << 20
Serve = Callable[[CountingBot], AbstractAsyncContextManager[str]]


def _bare(bot: CountingBot) -> AbstractAsyncContextManager[str]:
    return uvicorn_server(WebhookApp(bot.accept, secret=SECRET))


def _fastapi(bot: CountingBot) -> AbstractAsyncContextManager[str]:
    app = FastAPI()
    app.include_router(webhook_router(bot.accept, SECRET))
    return uvicorn_server(app)


def _aiohttp(bot: CountingBot) -> AbstractAsyncContextManager[str]:
    app = web.Application()
    add_webhooks(app, bot.accept, SECRET)
    return aiohttp_server(app)


SERVERS: dict[str, Serve] = {"uvicorn": _bare, "FastAPI": _fastapi, "aiohttp": _aiohttp}
every_server = pytest.mark.parametrize("name", SERVERS)


@asynccontextmanager
async def _request(
    url: str, head: str = "Transfer-Encoding: chunked"
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection and send the head of a POST, signed for the usual event."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    signed = f"X-Webhook-Signature: {signature(event_body())}"
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: tests\r\n{signed}\r\n{head}\r\n\r\n".encode())
    try:
        yield reader, writer
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    return int((await asyncio.wait_for(reader.readline(), 10)).split()[1])


async def _closed(reader: asyncio.StreamReader) -> bool:
    """Read to the end, and return whether the server closed the connection within two seconds."""
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 2)
    return True


@every_server
@pytest.mark.asyncio
async def test_a_body_in_small_chunks(name: str) -> None:
    """A body without a length is received, however small its chunks are."""
    bot = CountingBot()
    async with SERVERS[name](bot) as url, _request(url) as (reader, writer):
        for byte in event_body():
            writer.write(b"1\r\n%c\r\n" % byte)
        writer.write(b"0\r\n\r\n")
        assert await _status(reader) == 200
    assert bot.noted == ["evt-1"]


@every_server
@pytest.mark.asyncio
async def test_an_endless_body_is_a_413_in_flat_memory(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A body without a length is refused after 1 MiB; the server takes little more, and closes the connection."""
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    async with SERVERS[name](CountingBot()) as url, _request(url) as (reader, writer):
        status = asyncio.create_task(_status(reader))
        tracemalloc.start()
        try:
            sent = 0
            with contextlib.suppress(ConnectionError):
                while not status.done() and sent < 64 * MIB:
                    writer.write(chunk)
                    await writer.drain()
                    sent += len(chunk)
            with contextlib.suppress(ConnectionError):  # what was sent after the refusal may reset the connection first
                assert await status == 413
            assert await _closed(reader)
            assert tracemalloc.get_traced_memory()[1] < 8 * MIB
        finally:
            tracemalloc.stop()
    assert sent < 16 * MIB
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["webhook request refused with 413"]


@every_server
@pytest.mark.asyncio
async def test_a_dribbling_body_is_a_408(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends a byte now and then gets a 408, and its connection is closed although it goes on."""
    monkeypatch.setattr(receiver_module, "BODY_SECONDS", 0.1)
    bot = CountingBot()
    async with SERVERS[name](bot) as url, _request(url) as (reader, writer):
        status = asyncio.create_task(_status(reader))
        while not status.done():
            writer.write(b"1\r\n \r\n")
            await asyncio.wait([status], timeout=0.01)
        assert await status == 408
        assert await _closed(reader)
    assert bot.noted == []


@every_server
@pytest.mark.asyncio
async def test_a_body_that_breaks_off_is_not_received(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the client disconnects before the end of the body, nothing is received, and one line is logged."""
    bot, body, logged = CountingBot(), event_body(), asyncio.Event()
    monkeypatch.setattr(caplog.handler, "flush", logged.set)  # after each record
    async with SERVERS[name](bot) as url:
        async with _request(url, f"Content-Length: {len(body) + 1}") as (_, writer):
            writer.write(body)
            await writer.drain()
        await asyncio.wait_for(logged.wait(), 5)
    (record,) = caplog.records
    assert "refused with 400: the body cannot be read" in record.getMessage()
    assert bot.noted == []
