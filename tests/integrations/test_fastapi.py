"""linq_async/integrations/fastapi.py: client, webhooks and problems in a FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from linq_async import ConfigurationError, LinqClient
from linq_async.integrations.fastapi import (
    Linq,
    linq_client,
    linq_lifespan,
    webhook_router,
)
from linq_async.sandbox import Sandbox
from linq_async.webhooks import Dispatcher

from .deliveries import PATH, SECRET, CountingBot, deliver, event_body, signed, starlette_client, uvicorn_server

LINE = "+15175269229"
ARGUMENTS: dict[str, Any] = {"send_from": LINE, "phone_numbers": ["+13343284472"], "text": "Hello!"}


@pytest.fixture(autouse=True)
def _variables(linq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients that are made from the environment use the sandbox."""
    monkeypatch.setenv("LINQ_BASE_URL", linq_sandbox.base_url)
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", linq_sandbox.token)
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)


def _sending(app: FastAPI) -> FastAPI:
    """Add a route that sends a message."""

    @app.post("/send")
    async def send(linq: Linq) -> int:
        return (await linq.chats.create(**ARGUMENTS)).id

    return app


async def _post(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        return response.status, await response.json()


@pytest.mark.asyncio
async def test_a_handler_sends_and_the_bot_is_drained_first(linq_sandbox: Sandbox) -> None:
    """Handlers share one client from the environment, which is closed after the bot has been drained."""
    bot = CountingBot()
    app = _sending(FastAPI(lifespan=linq_lifespan()))
    app.include_router(webhook_router(bot))
    async with uvicorn_server(app) as url:
        assert await deliver(url + PATH) == (200, b"")
        assert await deliver(url + PATH, headers={}) == (401, b"")
        assert (await _post(f"{url}/send"))[0] == 200
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]
    assert bot.client == "closed"
    assert [message.text for message in linq_sandbox.messages] == ["Hello!"]


@pytest.mark.asyncio
async def test_nested_routers_with_prefixes() -> None:
    """The router works below others with a prefix: the body stays raw, and the bot is run and drained."""
    bot, outer, inner = CountingBot(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    inner.include_router(webhook_router(bot, path="/hook"), prefix="/bot")
    outer.include_router(inner)
    app = FastAPI(lifespan=linq_lifespan())
    app.include_router(outer, prefix="/api")
    async with uvicorn_server(app) as url:
        body = event_body(size=900) + b"\n"
        assert await deliver(f"{url}/api/outer/inner/bot/hook", body) == (200, b"")
        assert (await deliver(f"{url}/hook", body))[0] == 404
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]


@pytest.mark.asyncio
async def test_behind_middlewares() -> None:
    """Neither a BaseHTTPMiddleware nor one that compresses changes what is received or refused."""

    async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    bot = CountingBot()
    app = FastAPI(lifespan=linq_lifespan())
    app.include_router(webhook_router(bot))
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    app.add_middleware(GZipMiddleware, minimum_size=0)
    async with uvicorn_server(app) as url:
        body = event_body(size=1 << 20)
        assert (await deliver(url + PATH, body))[0] == 200
        assert (await deliver(url + PATH, body, {}))[0] == 401
        assert (await deliver(url + PATH, body + b" "))[0] == 413
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]


@pytest.mark.asyncio
async def test_a_dependency_may_read_the_body_first() -> None:
    """A dependency of the whole application that reads the body, such as one that logs it, does no harm."""

    async def log(request: Request) -> None:
        await request.body()

    bot = CountingBot()
    app = FastAPI(lifespan=linq_lifespan(), dependencies=[Depends(log)])
    app.include_router(webhook_router(bot))
    async with uvicorn_server(app) as url:
        assert await deliver(url + PATH) == (200, b"")


@pytest.mark.asyncio
async def test_dependencies_of_the_application_guard_the_webhook() -> None:
    """``FastAPI(dependencies=...)`` applies to the webhook, too, as the documentation of the router says."""

    async def sign_in() -> None:
        raise HTTPException(403)

    bot = CountingBot()
    app = FastAPI(lifespan=linq_lifespan(), dependencies=[Depends(sign_in)])
    app.include_router(webhook_router(bot))
    async with uvicorn_server(app) as url:
        assert (await deliver(url + PATH))[0] == 403
    assert "evt-1" not in bot.noted


@pytest.mark.asyncio
async def test_a_mounted_application_uses_the_client_of_the_one_around_it(linq_sandbox: Sandbox) -> None:
    """In a mounted application, whose lifespan does not run, handlers get the client of the outer one."""
    app = FastAPI(lifespan=linq_lifespan())
    app.mount("/inner", _sending(FastAPI()))
    async with uvicorn_server(app) as url:
        assert (await _post(f"{url}/inner/send"))[0] == 200
    assert len(linq_sandbox.messages) == 1


@pytest.mark.asyncio
async def test_a_lifespan_of_ones_own(linq: LinqClient) -> None:
    """A lifespan that yields a client serves handlers, and one that runs the bot passes its ``accept``."""
    bot = CountingBot()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, LinqClient]]:
        async with bot.running(linq, None):
            yield {"linq": linq}

    app = _sending(FastAPI(lifespan=lifespan))
    app.include_router(webhook_router(bot.accept))
    async with uvicorn_server(app) as url:
        assert await deliver(url + PATH) == (200, b"")
        assert (await _post(f"{url}/send"))[0] == 200
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]


def test_the_test_client_runs_the_lifespan_in_a_with_block() -> None:
    """``with TestClient(app)`` runs everything; the webhook is not part of the documented API."""
    bot = CountingBot()
    app = _sending(FastAPI(lifespan=linq_lifespan()))
    app.include_router(webhook_router(bot))
    for _ in range(2):  # the same application starts again
        with starlette_client(app) as http:
            assert http.post(PATH, content=event_body(), headers=signed(event_body())).status_code == 200
            assert http.post("/send").status_code == 200
            assert list(http.get("/openapi.json").json()["paths"]) == ["/send"]
    assert bot.noted == ["running with None", "evt-1", "drained, client open"] * 2


def test_without_a_lifespan_the_error_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """``TestClient(app)`` without ``with`` has no client and no running dispatcher: error and log say why."""
    app = _sending(FastAPI(lifespan=linq_lifespan()))
    app.include_router(webhook_router(Dispatcher[None]()))
    http = starlette_client(app)
    with pytest.raises(ConfigurationError, match=r"TestClient runs it only in a `with` block"):
        http.post("/send")
    assert http.post(PATH, content=event_body(), headers=signed(event_body())).status_code == 503
    assert "a test client needs a `with` block" in caplog.text


def test_a_websocket_gets_the_client() -> None:
    """``linq: Linq`` is the same client in the handler of a WebSocket."""
    app = FastAPI(lifespan=linq_lifespan())

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, linq: Linq) -> None:
        await websocket.accept()
        await websocket.send_text(str(linq is app.state.linq))
        await websocket.close()

    with starlette_client(app) as http, http.websocket_connect("/socket") as connected:
        assert connected.receive_text() == "True"


@pytest.mark.asyncio
async def test_without_a_lifespan_a_client_can_be_put_in(linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """``dependency_overrides`` gives handlers another client, with ASGITransport, which runs no lifespan."""
    app = _sending(FastAPI(lifespan=linq_lifespan()))
    app.dependency_overrides[linq_client] = lambda: linq
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tests") as http:
        assert (await http.post("/send")).status_code == 200
    assert len(linq_sandbox.messages) == 1


def test_a_bot_without_a_client_does_not_start() -> None:
    """An application whose lifespan opens no client fails at the start, and says what is missing."""
    app = FastAPI()
    app.include_router(webhook_router(CountingBot()))
    with pytest.raises(ConfigurationError, match=r"lifespan=linq_lifespan\(\)"), starlette_client(app):
        pass


def test_a_missing_secret_is_noticed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret the application does not start."""
    monkeypatch.delenv("LINQ_WEBHOOK_SECRET")
    app = FastAPI(lifespan=linq_lifespan())
    app.include_router(webhook_router(CountingBot()))
    with pytest.raises(ConfigurationError, match="LINQ_WEBHOOK_SECRET"), starlette_client(app):
        pass
