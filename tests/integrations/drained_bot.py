"""A bot whose process gets a SIGTERM while it answers. Its arguments are a framework and a listening socket."""

from __future__ import annotations

import socket
import sys

import uvicorn
from aiohttp import web
from fastapi import FastAPI

from linq_async.integrations.aiohttp import add_webhooks, linq_ctx
from linq_async.integrations.asgi import WebhookApp
from linq_async.integrations.fastapi import linq_lifespan, webhook_router
from linq_async.webhooks import Context, Dispatcher, MessageReceived

bot = Dispatcher[None]()


@bot.on(MessageReceived)
async def answer(message: MessageReceived, context: Context[None]) -> None:
    """Send a message, while the process is told to end."""
    print("answering", flush=True)
    await context.linq.chats.create(
        send_from="+15175269229", phone_numbers=["+13343284472"], text=f"Answer to {message.event_id}"
    )
    print(context.linq, flush=True)


def _serve(framework: str, listening: socket.socket) -> None:
    if framework == "aiohttp":
        app = web.Application()
        app.cleanup_ctx.append(linq_ctx())
        add_webhooks(app, bot)
        web.run_app(app, sock=listening, print=None)
        return
    if framework == "FastAPI":
        fast = FastAPI(lifespan=linq_lifespan())
        fast.include_router(webhook_router(bot))
        config = uvicorn.Config(fast, ws="none")
    else:
        config = uvicorn.Config(WebhookApp(bot), ws="none")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
