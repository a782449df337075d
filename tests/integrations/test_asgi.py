"""linq_async/integrations/asgi.py: under uvicorn, and within Starlette, Litestar and Quart."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import litestar
import pytest
import quart
from hypercorn.middleware.dispatcher import AsyncioDispatcherMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from linq_async import LinqClient
from linq_async.integrations.asgi import WebhookApp
from linq_async.webhooks import Receiver

from .deliveries import PATH, SECRET, CountingBot, deliver, event_body, signed, uvicorn_server

MIB = 1 << 20


@pytest.mark.asyncio
async def test_uvicorn_runs_it_alone(linq: LinqClient) -> None:
    """The application is a whole server: any path receives, and the bot is drained at the end, with its client open."""
    bot = CountingBot()
    async with uvicorn_server(WebhookApp(bot, secret=SECRET, linq=linq)) as url:
        assert await deliver(url) == (200, b"")
        assert await deliver(url + PATH, event_body("evt-2")) == (200, b"")
        assert await deliver(url, headers={}) == (401, b"")
    assert bot.noted == ["running with None", "evt-1", "evt-2", "drained, client open"]
    assert bot.client == "open"


@pytest.mark.asyncio
async def test_its_own_client_is_closed_after_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``linq=`` the client comes from the environment, and is closed once the bot has been drained."""
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", "token-of-the-tests")
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    bot = CountingBot()
    async with uvicorn_server(WebhookApp(bot)) as url:
        assert await deliver(url) == (200, b"")
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]
    assert bot.client == "closed"


@pytest.mark.asyncio
async def test_a_function_needs_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine function in place of a bot needs no client, and so no token."""
    monkeypatch.delenv("LINQ_INTEGRATION_TOKEN", raising=False)
    bot = CountingBot()
    async with uvicorn_server(WebhookApp(bot.accept, secret=SECRET)) as url:
        assert await deliver(url) == (200, b"")
    assert bot.noted == ["evt-1"]


class Server:
    """Calls an application as a server does, and keeps what it sends."""

    def __init__(self, *messages: str) -> None:
        self.messages = [{"type": f"lifespan.{message}"} for message in messages]
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        """Return the next message."""
        return self.messages.pop(0)

    async def send(self, message: Any) -> None:
        """Keep a message."""
        self.sent.append(message)


class FailingBot(CountingBot):
    """Fails at the start or at the end."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    @asynccontextmanager
    async def running(self, linq: LinqClient, state: None) -> AsyncGenerator[None]:
        """Raise at the start or at the end."""
        if self.step == "startup":
            raise RuntimeError("the database is in use")
        yield
        raise RuntimeError("the database is full")


@pytest.mark.asyncio
@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_a_failure_is_reported_to_the_server(linq: LinqClient, step: str) -> None:
    """A bot that cannot start or end is reported with its traceback, which the server logs before it exits."""
    server = Server("startup", "shutdown")
    app = WebhookApp(FailingBot(step), secret=SECRET, linq=linq)
    with pytest.raises(RuntimeError, match="database"):
        await app({"type": "lifespan"}, server.receive, server.send)
    last = server.sent[-1]
    assert last["type"] == f"lifespan.{step}.failed"
    assert "RuntimeError: the database is" in last["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize("variable", ["LINQ_INTEGRATION_TOKEN", "LINQ_WEBHOOK_SECRET"])
async def test_a_missing_variable_is_reported_at_the_start(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Without token or secret the server does not start, and one line says which variable to set."""
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", "token-of-the-tests")
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    monkeypatch.delenv(variable)
    server = Server("startup")
    with pytest.raises(Exception, match=variable):
        await WebhookApp(CountingBot())({"type": "lifespan"}, server.receive, server.send)
    (message,) = server.sent
    assert message["type"] == "lifespan.startup.failed"
    assert variable in message["message"]
    assert "\n" not in message["message"]


@pytest.mark.asyncio
async def test_a_websocket_is_refused() -> None:
    """A WebSocket is closed before it is accepted."""
    server = Server()
    await WebhookApp(CountingBot(), secret=SECRET)({"type": "websocket"}, server.receive, server.send)
    assert server.sent == [{"type": "websocket.close"}]


async def _add_header(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["X-Seen"] = request.method
    return response


def _starlette(hook: WebhookApp) -> Any:
    middleware = [Middleware(BaseHTTPMiddleware, dispatch=_add_header), Middleware(GZipMiddleware, minimum_size=0)]
    return Starlette(routes=[Route(PATH, hook)], lifespan=hook.lifespan, middleware=middleware)


def _litestar(hook: WebhookApp) -> Any:
    route = litestar.asgi(PATH, is_mount=True, copy_scope=False)(hook)
    # By default Litestar configures the root logger.
    return litestar.Litestar([route], lifespan=[hook.lifespan], logging_config=None)


def _beside_quart(hook: WebhookApp) -> Any:
    mounts: dict[str, Any] = {PATH: hook, "": quart.Quart("tests")}
    return AsyncioDispatcherMiddleware(mounts)


APPS: dict[str, Callable[[WebhookApp], Any]] = {
    "Starlette": _starlette,
    "Litestar": _litestar,
    "Quart": _beside_quart,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", APPS)
async def test_it_is_part_of_another_application(linq: LinqClient, name: str) -> None:
    """The body reaches the receiver byte for byte, refusals are empty, and the bot runs as long as the application."""
    bot = CountingBot()
    async with uvicorn_server(APPS[name](WebhookApp(bot, secret=SECRET, linq=linq))) as url:
        odd = event_body(size=900) + b"\r\n"
        assert await deliver(url + PATH, odd) == (200, b"")
        assert (await deliver(url + PATH, odd, signed(odd.strip())))[0] == 401
        assert (await deliver(url + PATH, event_body(size=MIB + 1)))[0] == 413
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]


@pytest.mark.asyncio
async def test_a_receiver_in_a_route_of_quart() -> None:
    """In Quart, a route can call the receiver, which needs the raw body and the headers."""
    bot = CountingBot()
    receiver, app = Receiver(bot.accept, SECRET), quart.Quart("tests")

    async def webhook() -> quart.Response:
        request = quart.request
        answer = await receiver.receive(request.method, request.headers, await request.data)
        return quart.Response(answer.body, answer.status, answer.headers)

    app.add_url_rule(PATH, view_func=webhook, methods=["POST"])
    async with uvicorn_server(app) as url:
        assert await deliver(url + PATH) == (200, b"")
        assert await deliver(url + PATH, headers={}) == (401, b"")
    assert bot.noted == ["evt-1"]
