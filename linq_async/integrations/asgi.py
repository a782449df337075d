"""A webhook endpoint as an ASGI application, for Starlette, Litestar, Quart and bare uvicorn."""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self, TypeAlias

from linq_async.client import LinqClient
from linq_async.errors import LinqError
from linq_async.integrations.bots import Bot, Runnable, accept_of
from linq_async.webhooks.receiver import Receiver
from linq_async.webhooks.signature import Secret

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class WebhookApp:
    """An ASGI application that receives webhook requests on any path.

    Alone, it is all that a server needs: ``uvicorn bot:app``. It makes its client when the server starts, and when the
    server stops, events that were accepted are handled before the client is closed::

        app = WebhookApp(bot)

    Within another application no server starts it, so pass its ``lifespan`` on. Use a ``Route`` in Starlette, because a
    ``Mount`` redirects a path without a slash at its end::

        hook = WebhookApp(bot)
        app = Starlette(routes=[Route("/linq/webhooks", hook)], lifespan=hook.lifespan)

    Args:
        bot: A ``Dispatcher[None]``, or a coroutine function that takes an event. If your handlers need a state, enter
            ``bot.running(linq, state)`` yourself and pass ``bot.accept``.
        secret: The secret of the subscription, or several while it is being replaced. Default: LINQ_WEBHOOK_SECRET.
        linq: The client for the handlers, which stays open. By default one is made from the environment.

    Raises:
        ConfigurationError: If a secret is given, but is empty.
    """

    def __init__(self, bot: Bot, *, secret: Secret | None = None, linq: LinqClient | None = None) -> None:
        self._bot = bot
        self._linq = linq
        try:
            self._receiver = Receiver(accept_of(bot), secret)
        finally:
            del secret  # a traceback with locals would show it

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request, or the start and the end of the server."""
        if scope["type"] == "lifespan":
            await self._run(receive, send)
        elif scope["type"] == "http":
            answer = await self._receiver.receive_stream(scope["method"], scope["headers"], _Body(receive))
            headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
            headers.append((b"content-length", b"%d" % len(answer.body)))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})
        else:
            await send({"type": "websocket.close"})

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None]:
        """Run the dispatcher. The argument is ignored: it is the application that frameworks pass.

        Raises:
            ConfigurationError: If there is no secret or no token.
        """
        self._receiver.check()
        async with AsyncExitStack() as stack:
            if isinstance(self._bot, Runnable):
                linq = await stack.enter_async_context(LinqClient()) if self._linq is None else self._linq
                await stack.enter_async_context(self._bot.running(linq, None))
            yield

    async def _run(self, receive: Receive, send: Send) -> None:
        await receive()
        step = "startup"
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                step = "shutdown"
                await receive()
        except Exception as error:
            text = str(error) if isinstance(error, LinqError) else traceback.format_exc()
            await send({"type": f"lifespan.{step}.failed", "message": text})
            raise
        await send({"type": "lifespan.shutdown.complete"})


class _Body:
    """The chunks of a body. No generator, because asyncio registers each of those until it has ended."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._more:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        self._more = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk
