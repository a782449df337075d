"""A bot whose handlers share a state. Run it with ``uvicorn stateful_bot:app``."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import Route

from linq_async import LinqClient
from linq_async.integrations.asgi import WebhookApp
from linq_async.webhooks import Context, Dispatcher, MessageReceived, SqliteInbox


@dataclass
class State:
    """What the handlers share: here a menu, elsewhere a pool of database connections or the client of a model."""

    menu: dict[str, str]


bot = Dispatcher[State](name="kitchen", inbox=SqliteInbox("kitchen.db"), attempts=5)


@bot.on(MessageReceived)
async def price(message: MessageReceived, context: Context[State]) -> None:
    """Answer the name of a dish with its price."""
    dish = (message.data.text or "").strip().lower()
    await context.reply(context.state.menu.get(dish, f"We have {', '.join(context.state.menu)}."))


hook = WebhookApp(bot.accept)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    """Run the bot with its state while the server runs."""
    state = State(menu={"soup": "5 dollars", "bread": "2 dollars"})
    async with hook.lifespan(), LinqClient() as linq, bot.running(linq, state):
        yield


app = Starlette(routes=[Route("/linq/webhooks", hook)], lifespan=lifespan)
