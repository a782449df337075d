"""A service that texts people and answers them. Run it with ``uvicorn fastapi_service:app``."""

from typing import Annotated

from fastapi import Body, FastAPI

from linq_async.integrations.fastapi import Linq, add_problem_handlers, linq_lifespan, webhook_router
from linq_async.webhooks import Context, Dispatcher, MessageReceived, SqliteInbox

LINE = "+15175269229"

bot = Dispatcher[None](name="service", inbox=SqliteInbox("service.db"), attempts=5)


@bot.on(MessageReceived)
async def answer(message: MessageReceived, context: Context[None]) -> None:
    """Answer a message."""
    await context.reply("Thank you! We will call you back.")


app = FastAPI(lifespan=linq_lifespan())
app.include_router(webhook_router(bot))  # POST /linq/webhooks
add_problem_handlers(app)  # 422 if Linq rejects the number, 504 if the text may have been sent, ...


@app.post("/visits/{visit}/reminder", status_code=202)
async def remind(visit: int, number: Annotated[str, Body(embed=True)], linq: Linq) -> dict[str, int]:
    """Text a reminder. The caller may repeat the request: a visit has one key, so nobody is texted twice."""
    chat = await linq.chats.create(
        send_from=LINE, phone_numbers=[number], text="See you at nine.", idempotency_key=f"visit-{visit}"
    )
    return {"chat_id": chat.id, "message_id": chat.message.id}
