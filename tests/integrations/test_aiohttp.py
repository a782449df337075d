"""linq_async/integrations/aiohttp.py: client and webhooks in an aiohttp application."""

from __future__ import annotations

import zlib
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from linq_async import ConfigurationError, LinqClient
from linq_async.integrations.aiohttp import LINQ, add_webhooks, linq_ctx
from linq_async.sandbox import Sandbox

from .deliveries import PATH, SECRET, CountingBot, aiohttp_server, deliver, event_body, signature

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _variables(linq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients that are made from the environment use the sandbox."""
    monkeypatch.setenv("LINQ_BASE_URL", linq_sandbox.base_url)
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", linq_sandbox.token)
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)


async def _send(request: web.Request) -> web.Response:
    arguments: dict[str, Any] = {"send_from": "+15175269229", "phone_numbers": ["+13343284472"], "text": "Hello!"}
    chat = await request.config_dict[LINQ].chats.create(**arguments)
    return web.json_response(chat.id)


def _application(bot: CountingBot) -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(linq_ctx())
    add_webhooks(app, bot)
    return app


@pytest.mark.asyncio
async def test_a_handler_sends_and_the_bot_is_drained_first(linq_sandbox: Sandbox) -> None:
    """Handlers share one client from the environment, which is closed after the bot has been drained."""
    bot = CountingBot()
    app = _application(bot)
    app.router.add_post("/send", _send)
    async with aiohttp_server(app) as url:
        assert await deliver(url + PATH) == (200, b"")
        assert await deliver(url + PATH, headers={}) == (401, b"")
        async with aiohttp.ClientSession() as session, session.post(f"{url}/send") as response:
            assert response.status == 200
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]
    assert bot.client == "closed"
    assert len(linq_sandbox.messages) == 1


@pytest.mark.asyncio
async def test_a_sub_application_is_drained_before_any_client_is_closed() -> None:
    """In a sub-application with its own client, everything works as in the main one."""
    bot, app = CountingBot(), web.Application(client_max_size=100)
    app.cleanup_ctx.append(linq_ctx())
    app.add_subapp("/bot", _application(bot))
    async with aiohttp_server(app) as url:
        assert await deliver(f"{url}/bot{PATH}", event_body(size=MIB)) == (200, b"")
        assert await deliver(f"{url}/bot{PATH}", event_body(size=MIB + 1)) == (413, b"")
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]


@pytest.mark.asyncio
async def test_the_client_of_the_main_application_outlives_a_bot_that_uses_it() -> None:
    """A bot that is drained when the server shuts down may use a client of the main application until then."""
    bot, app, sub = CountingBot(), web.Application(), web.Application()
    app.cleanup_ctx.append(linq_ctx())

    async def lend(_: web.Application) -> None:
        sub[LINQ] = app[LINQ]

    app.on_startup.append(lend)
    add_webhooks(sub, bot)
    app.add_subapp("/bot", sub)
    async with aiohttp_server(app) as url:
        assert await deliver(f"{url}/bot{PATH}") == (200, b"")
    assert bot.noted == ["running with None", "evt-1", "drained, client open"]


@pytest.mark.asyncio
async def test_a_client_of_ones_own(linq: LinqClient) -> None:
    """``linq_ctx`` takes a function that makes the client, such as one with other settings."""
    bot, app = CountingBot(), web.Application()
    app.cleanup_ctx.append(linq_ctx(lambda: linq))
    add_webhooks(app, bot, SECRET, path="/hook")
    async with aiohttp_server(app) as url:
        assert await deliver(f"{url}/hook") == (200, b"")
    assert bot.linq is linq


@pytest.mark.asyncio
async def test_a_function_needs_no_client() -> None:
    """A coroutine function in place of a bot needs no client."""
    bot, app = CountingBot(), web.Application()
    add_webhooks(app, bot.accept)
    async with aiohttp_server(app) as url:
        assert await deliver(url + PATH) == (200, b"")
    assert bot.noted == ["evt-1"]


@pytest.mark.asyncio
async def test_a_bot_without_a_client_does_not_start() -> None:
    """Without ``linq_ctx()`` before ``add_webhooks`` the server does not start, and the error says what is missing."""
    app = web.Application()
    add_webhooks(app, CountingBot())
    app.cleanup_ctx.append(linq_ctx())
    runner = web.AppRunner(app)
    with pytest.raises(ConfigurationError, match=r"append linq_ctx\(\)"):
        await runner.setup()
    await runner.cleanup()


@pytest.mark.asyncio
async def test_a_missing_secret_is_noticed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret the server does not start."""
    monkeypatch.delenv("LINQ_WEBHOOK_SECRET")
    runner = web.AppRunner(_application(CountingBot()))
    with pytest.raises(ConfigurationError, match="LINQ_WEBHOOK_SECRET"):
        await runner.setup()
    await runner.cleanup()


@pytest.mark.asyncio
async def test_a_compressed_body_is_limited_after_decompression() -> None:
    """A few KB that expand to 16 MiB are refused like any body that is too long."""
    bomb = zlib.compress(bytes(16 * MIB))
    headers = {"X-Webhook-Signature": signature(bomb), "Content-Encoding": "deflate"}
    async with aiohttp_server(_application(CountingBot())) as url:
        assert await deliver(url + PATH, bomb, headers) == (413, b"")
