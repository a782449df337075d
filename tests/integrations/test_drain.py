"""Real servers with a real dispatcher: a fast response, and a drain before the client is closed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI

from linq_async import LinqClient
from linq_async.integrations.aiohttp import add_webhooks, linq_ctx
from linq_async.integrations.asgi import WebhookApp
from linq_async.integrations.fastapi import linq_lifespan, webhook_router
from linq_async.sandbox import Sandbox
from linq_async.webhooks import Context, Dispatcher, MessageReceived

from .deliveries import PATH, SECRET, aiohttp_server, deliver, event_body, signed, uvicorn_server


@pytest.fixture(autouse=True)
def _variables(linq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients that are made from the environment use the sandbox."""
    monkeypatch.setenv("LINQ_BASE_URL", linq_sandbox.base_url)
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", linq_sandbox.token)
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)


class Stopping(Dispatcher[None]):
    """Notes when the server begins to stop it."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self, linq: LinqClient, state: None) -> AsyncGenerator[Self]:
        """Run as ever, and note when the block is left."""
        async with super().running(linq, state):
            yield self
            self.stopping.set()


class Answers:
    """A dispatcher whose handler waits until it is released, and then sends a message."""

    def __init__(self) -> None:
        self.bot = Stopping()
        self.started, self.released, self.clients = asyncio.Event(), asyncio.Event(), list[LinqClient]()
        self.bot.on(MessageReceived)(self._answer)

    async def _answer(self, message: MessageReceived, context: Context[None]) -> None:
        self.started.set()
        self.clients.append(context.linq)
        await self.released.wait()
        await context.linq.chats.create(
            send_from="+15175269229", phone_numbers=["+13343284472"], text=f"Answer to {message.event_id}"
        )


Serve = Callable[[Dispatcher[None]], AbstractAsyncContextManager[str]]


def _fastapi(bot: Dispatcher[None]) -> AbstractAsyncContextManager[str]:
    app = FastAPI(lifespan=linq_lifespan())
    app.include_router(webhook_router(bot))
    return uvicorn_server(app)


def _aiohttp_app(bot: Dispatcher[None]) -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(linq_ctx())
    add_webhooks(app, bot)
    return app


SERVERS: dict[str, Serve] = {
    "uvicorn": lambda bot: uvicorn_server(WebhookApp(bot)),
    "FastAPI": _fastapi,
    "aiohttp": lambda bot: aiohttp_server(_aiohttp_app(bot)),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", SERVERS)
async def test_the_response_does_not_wait_for_the_handler(name: str, linq_sandbox: Sandbox) -> None:
    """The 200 comes while the handler runs, and when the server stops, the handler still sends with an open client."""
    answers = Answers()
    answers.released = answers.bot.stopping
    async with SERVERS[name](answers.bot) as url:
        await deliver(url + PATH, b"")  # the first request of a server takes longer
        began = time.perf_counter()
        assert await deliver(url + PATH) == (200, b"")
        took = time.perf_counter() - began
        await answers.started.wait()
        assert len(linq_sandbox.messages) == 0
    print(f"{name}: 200 after {1000 * took:.1f} ms")
    assert took < 0.5
    assert [message.text for message in linq_sandbox.messages] == ["Answer to evt-1"]
    assert repr(answers.clients[0]).endswith("closed>")


async def _post(http: httpx.AsyncClient, event_id: str) -> httpx.Response:
    body = event_body(event_id)
    return await http.post("/", content=body, headers=signed(body))


@pytest.mark.asyncio
async def test_what_comes_during_the_drain_is_a_503(linq_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A request that comes while handlers end, or before or after the server runs, is a 503 with Retry-After."""
    answers = Answers()
    app, stop = WebhookApp(answers.bot), asyncio.Event()

    async def serve() -> None:
        async with app.lifespan():
            await stop.wait()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tests") as http:
        assert (await _post(http, "evt-0")).status_code == 503
        assert "not running" in caplog.text
        serving = asyncio.create_task(serve())
        await asyncio.sleep(0)
        assert (await _post(http, "evt-1")).status_code == 200
        await answers.started.wait()
        stop.set()
        await asyncio.sleep(0)
        refused = await _post(http, "evt-2")
        assert (refused.status_code, int(refused.headers["Retry-After"]) >= 1) == (503, True)
        answers.released.set()
        await serving
        assert (await _post(http, "evt-3")).status_code == 503
    assert [message.text for message in linq_sandbox.messages] == ["Answer to evt-1"]


@pytest.mark.asyncio
async def test_what_comes_during_the_drain_of_aiohttp_is_a_503(linq_sandbox: Sandbox) -> None:
    """While aiohttp shuts down, a request that still comes is a 503, and the client is open until the drain ends."""
    answers = Answers()
    runner = web.AppRunner(_aiohttp_app(answers.bot))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    assert (await deliver(url))[0] == 200
    await answers.started.wait()
    draining = asyncio.create_task(runner.shutdown())
    await asyncio.sleep(0)
    assert (await deliver(url, event_body("evt-2")))[0] == 503
    answers.released.set()
    await draining
    assert repr(answers.clients[0]).endswith("open>")
    await runner.cleanup()
    assert [message.text for message in linq_sandbox.messages] == ["Answer to evt-1"]


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("name", SERVERS)
async def test_a_sigterm_lets_the_handler_finish(name: str, linq_sandbox: Sandbox) -> None:
    """A process that gets a SIGTERM while its bot answers ends only after the answer has been sent, once."""
    linq_sandbox.faults.delay(0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "tests.integrations.drained_bot", name, str(listening.fileno())),
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[listening.fileno()],
        )
        assert process.stdout is not None
        assert (await deliver(url))[0] == 200
    while (line := await process.stdout.readline()) != b"answering\n":  # the server's log may come before it
        assert line
    process.send_signal(signal.SIGTERM)
    rest, _ = await process.communicate()
    assert rest.decode().strip().endswith("open>")
    assert process.returncode in {0, -signal.SIGTERM}
    assert [message.text for message in linq_sandbox.messages] == ["Answer to evt-1"]
