"""A bot that appends the id of each event that it has handled to a file.

Usage: ``python -m tests.webhooks.mortal_bot SOCKET INBOX FILE``
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from aiohttp import web

from linq_async.integrations.aiohttp import add_webhooks, linq_ctx
from linq_async.webhooks import Context, Dispatcher, MessageReceived, SqliteInbox


def bot_of(inbox: str, handled: int) -> Dispatcher[None]:
    """Return the bot. Its handlers take a while, so that a kill finds some of them at work."""
    bot = Dispatcher[None](inbox=SqliteInbox(inbox), max_running=20)

    @bot.on(MessageReceived)
    async def note(message: MessageReceived, context: Context[None]) -> None:
        await asyncio.sleep(0.002)
        os.write(handled, f"{message.event_id}\n".encode())

    return bot


def serve(listening: int, inbox: str, file: str) -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.cleanup_ctx.append(linq_ctx())
    add_webhooks(app, bot_of(inbox, os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)))

    async def say(app: web.Application) -> None:
        print("serving", flush=True)

    app.on_startup.append(say)
    web.run_app(app, sock=socket.socket(fileno=listening), print=None)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
