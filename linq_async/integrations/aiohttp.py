"""aiohttp: a client for every handler, and a route for webhook requests.

Example::

    app = web.Application()
    app.cleanup_ctx.append(linq_ctx())
    add_webhooks(app, bot)

    async def greet(request: web.Request) -> web.Response:
        chat = await request.config_dict[LINQ].chats.create(...)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

from aiohttp import web

from linq_async.client import LinqClient
from linq_async.errors import ConfigurationError
from linq_async.integrations.bots import Bot, Runnable, accept_of
from linq_async.webhooks.receiver import Receiver
from linq_async.webhooks.signature import Secret

LINQ: web.AppKey[LinqClient] = web.AppKey("linq", LinqClient)
"""The key of the client: ``app[LINQ]``, or ``request.config_dict[LINQ]`` also in sub-applications."""
CleanupContext: TypeAlias = Callable[[web.Application], AsyncIterator[None]]


def linq_ctx(make_client: Callable[[], LinqClient] = LinqClient) -> CleanupContext:
    """Return a context for ``app.cleanup_ctx`` that opens a client at the start and closes it at the end."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        async with make_client() as linq:
            app[LINQ] = linq
            yield

    return context


def add_webhooks(app: web.Application, bot: Bot, secret: Secret | None = None, *, path: str = "/linq/webhooks") -> None:
    """Receive webhook requests at a path.

    Append ``linq_ctx()`` to the ``cleanup_ctx`` of the same application first. A dispatcher runs while the server runs,
    and when the server stops, events that were accepted are handled before the client is closed.

    Args:
        app: The application, which may be a sub-application.
        bot: A ``Dispatcher[None]``, or a coroutine function that takes an event. If your handlers need a state, enter
            ``bot.running(linq, state)`` yourself and pass ``bot.accept``.
        secret: The secret of the subscription, or several while it is being replaced. Default: LINQ_WEBHOOK_SECRET.
        path: The path of the route.

    Raises:
        ConfigurationError: If a secret is given, but is empty.
    """
    try:
        receiver = Receiver(accept_of(bot), secret)
    finally:
        del secret  # a traceback with locals would show it
    running = AsyncExitStack()

    async def webhook(request: web.Request) -> web.Response:
        chunks = request.content.iter_any()  # client_max_size does not limit it
        answer = await receiver.receive_stream(request.method, request.headers, chunks)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def context(app: web.Application) -> AsyncIterator[None]:
        receiver.check()
        async with running:
            if isinstance(bot, Runnable):
                if LINQ not in app:
                    raise ConfigurationError(
                        "the bot has no client: append linq_ctx() to the cleanup_ctx of the same application, "
                        "before you call add_webhooks"
                    )
                await running.enter_async_context(bot.running(app[LINQ], None))
            yield

    async def drain(_: web.Application) -> None:
        # Not in the context above: the client of the main application is closed before a sub-application is cleaned up.
        await running.aclose()

    app.router.add_post(path, webhook)
    app.cleanup_ctx.append(context)
    app.on_shutdown.append(drain)
