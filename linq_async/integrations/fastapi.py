"""FastAPI: a client for every handler, a route for webhook requests, and errors as responses.

Requires the extra ``fastapi``.

Example::

    app = FastAPI(lifespan=linq_lifespan())
    app.include_router(webhook_router(bot))
    add_problem_handlers(app)

    @app.post("/greet/{number}")
    async def greet(number: str, linq: Linq) -> dict[str, Any]:
        return to_dict(await linq.chats.create(send_from=LINE, phone_numbers=[number], text="Welcome!"))
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, FastAPI, HTTPException, params
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from linq_async.arguments import webhook_secrets
from linq_async.client import LinqClient
from linq_async.errors import ConfigurationError, LinqError
from linq_async.integrations.bots import Bot, Runnable, accept_of
from linq_async.integrations.problems import CONTENT_TYPE, problem_of
from linq_async.webhooks.events import WebhookEvent
from linq_async.webhooks.receiver import Receiver
from linq_async.webhooks.signature import Secret, from_bare_frame

logger: logging.Logger = logging.getLogger("linq_async")

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[dict[str, LinqClient]]]


def linq_lifespan(make_client: Callable[[], LinqClient] = LinqClient) -> Lifespan:
    """Return a lifespan for ``FastAPI(lifespan=...)`` that opens a client at the start and closes it at the end.

    Handlers get the client as ``linq: Linq``. In a lifespan of your own, yield ``{"linq": linq}``.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, LinqClient]]:
        async with make_client() as linq:
            app.state.linq = linq  # for the lifespans of routers, which are not given what this one yields
            yield {"linq": linq}

    return lifespan


async def linq_client(connection: HTTPConnection) -> LinqClient:  # async: FastAPI calls others in a thread
    """Return the client of the application: what ``linq: Linq`` depends on, for ``app.dependency_overrides``.

    Raises:
        ConfigurationError: If the lifespan has not been run.
    """
    linq: LinqClient | None = getattr(connection.state, "linq", None)
    if linq is None:
        raise ConfigurationError(
            "the request has no client: make the app with FastAPI(lifespan=linq_lifespan()). For a mounted app, the "
            "app around it needs the lifespan. TestClient runs it only in a `with` block"
        )
    return linq


Linq = Annotated[LinqClient, Depends(linq_client)]
"""The annotation of a parameter that gets the client of the application."""


def webhook_router(bot: Bot, secret: Secret | None = None, *, path: str = "/linq/webhooks") -> APIRouter:
    """Return a router that receives webhook requests at a path.

    Include it in an app with ``lifespan=linq_lifespan()``. The dispatcher runs while the app runs, and when it stops,
    events that were accepted are handled before the client is closed.

    ``FastAPI(dependencies=[...])`` also applies to this route. Linq's requests have no credentials but their signature,
    so declare dependencies that check others on your own routers.

    Args:
        bot: A ``Dispatcher[None]``, or a coroutine function that takes an event. If your handlers need a state, enter
            ``bot.running(linq, state)`` in a lifespan of your own and pass ``bot.accept``.
        secret: The secret of the subscription, or several while it is being replaced. Default: LINQ_WEBHOOK_SECRET.
        path: The path of the route.

    Raises:
        ConfigurationError: If a secret is given, but is empty.
    """
    try:
        receiver = Receiver(accept_of(bot), secret)
    finally:
        del secret  # a traceback with locals would show it

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        receiver.check()
        async with AsyncExitStack() as stack:
            if isinstance(bot, Runnable):
                linq: LinqClient | None = getattr(app.state, "linq", None)
                if linq is None:
                    raise ConfigurationError(
                        "the bot has no client: make the app with FastAPI(lifespan=linq_lifespan()), or enter "
                        "bot.running() in your own lifespan and pass bot.accept to webhook_router"
                    )
                await stack.enter_async_context(bot.running(linq, None))
            yield

    async def webhook(request: Request) -> Response:
        answer = await receiver.receive_stream(request.method, request.headers.raw, request.stream())
        return Response(answer.body, answer.status, answer.headers)

    router = APIRouter(lifespan=lifespan)
    router.add_api_route(path, webhook, methods=["POST"], include_in_schema=False)  # add_route() ignores prefixes
    return router


@from_bare_frame
def webhook_event(secret: Secret | None = None) -> params.Depends:
    """Return a dependency that verifies a webhook request, for a route of your own without a dispatcher.

    The event is delivered again unless your handler returns a status of 2xx, so store or enqueue it first::

        @app.post("/hook")
        async def hook(event: Annotated[WebhookEvent, webhook_event()]) -> None: ...

    Args:
        secret: The secret of the subscription, or several while it is being replaced. Default: LINQ_WEBHOOK_SECRET.

    Raises:
        ConfigurationError: If a secret is given, but is empty.
    """
    secrets = None if secret is None else webhook_secrets(secret)

    async def verified(request: Request) -> WebhookEvent:
        events: list[WebhookEvent] = []

        async def accept(event: WebhookEvent) -> None:
            events.append(event)

        answer = await Receiver(accept, secrets).receive_stream(request.method, request.headers.raw, request.stream())
        if not events:
            raise HTTPException(answer.status, headers=answer.headers)
        return events[0]

    return params.Depends(verified)


def add_problem_handlers(app: Starlette) -> None:
    """Respond to every LinqError of a handler with problem details (RFC 9457), as ``problem_of`` returns them.

    What becomes a status of 500 or more is logged, because it would not be otherwise.
    """

    async def respond(request: Request, error: Exception) -> Response:
        assert isinstance(error, LinqError)
        status, problem = problem_of(error)
        if status >= 500:
            facts = type(error).__name__, error.operation, error.outcome.value, error.idempotency_key, error.request_id
            logger.error("%s in %s: outcome %s, key %s, request id %s", *facts)
        wait: int | None = problem["retry_after"]
        headers = None if wait is None else {"Retry-After": str(wait)}
        return JSONResponse(problem, status, headers, CONTENT_TYPE)

    app.add_exception_handler(LinqError, respond)
