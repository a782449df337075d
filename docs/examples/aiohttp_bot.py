"""A bot that answers a burst of messages once. Run it with ``python -m aiohttp.web -P 8000 aiohttp_bot:make_app``."""

import asyncio

from aiohttp import web

from linq_async.integrations.aiohttp import LINQ, add_webhooks, linq_ctx
from linq_async.webhooks import Context, Dispatcher, MessageReceived, SqliteInbox

bot = Dispatcher[None](name="desk", inbox=SqliteInbox("desk.db"), attempts=5)


@bot.on(MessageReceived, when=lambda message: bool(message.data.attachments))
async def admire(message: MessageReceived, context: Context[None]) -> None:
    """React to a picture."""
    await context.react("love")


@bot.on(MessageReceived)
async def answer(message: MessageReceived, context: Context[None]) -> None:
    """Wait for the rest of what somebody writes, and answer all of it."""
    await asyncio.sleep(1.0)
    burst = [message, *context.take_waiting(MessageReceived)]
    await context.reply(f"We got {len(burst)} messages from you, and answer soon.")


async def lines(request: web.Request) -> web.Response:
    """Show that the client also works in handlers of your own: return our numbers."""
    numbers = await request.config_dict[LINQ].phone_numbers.list()
    return web.json_response([number.phone_number for number in numbers])


def make_app(argv: list[str] | None = None) -> web.Application:
    """Return the application."""
    app = web.Application()
    app.cleanup_ctx.append(linq_ctx())
    add_webhooks(app, bot)  # POST /linq/webhooks
    app.router.add_get("/lines", lines)
    return app
