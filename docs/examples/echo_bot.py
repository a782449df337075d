"""A bot that answers each message with its text. Run it with ``python echo_bot.py``."""

import uvicorn

from linq_async.integrations.asgi import WebhookApp
from linq_async.webhooks import Context, Dispatcher, MessageReceived, SqliteInbox

bot = Dispatcher[None](name="echo", inbox=SqliteInbox("echo.db"), attempts=5)


@bot.on(MessageReceived)
async def echo(message: MessageReceived, context: Context[None]) -> None:
    """Answer a message."""
    async with context.typing():
        await context.reply(f"You said: {message.data.text or 'nothing'}")


app = WebhookApp(bot)

if __name__ == "__main__":
    uvicorn.run(app)
