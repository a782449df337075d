"""A service whose sends outlive it: it answers once a message is in the queue. Run ``uvicorn queue_service:app``."""

from typing import Annotated, Any

from fastapi import Body, FastAPI
from queue_tasks import accept, sends

from linq_async import NewChat
from linq_async.integrations.fastapi import add_problem_handlers, webhook_router

LINE = "+15175269229"

app = FastAPI()
app.include_router(webhook_router(accept))  # POST /linq/webhooks: 200 once the event is in the queue
add_problem_handlers(app)  # 504 if the broker did not confirm the message: repeat the request


@app.post("/visits/{visit}/reminder", status_code=202)
async def remind(visit: int, number: Annotated[str, Body(embed=True)]) -> dict[str, str]:
    """Enqueue a reminder. The caller may repeat the request: a visit has one key, so nobody is texted twice."""
    message = NewChat(send_from=LINE, phone_numbers=[number], text="See you at nine.", idempotency_key=f"visit-{visit}")
    return {"key": await sends.create_chat(message)}


@app.get("/messages/{key}")
async def status(key: str) -> dict[str, Any]:
    """Say what became of a message."""
    found = await sends.status(key)
    if found is None:
        return {"state": "queued"}
    return {"state": found.outcome, "message_id": found.message_id, "error": found.error}
