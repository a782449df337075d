"""The side of aiohttp: reads requests, applies faults, sends responses."""

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import cast

import attrs
from aiohttp import web

from . import numbers
from .api.call import ApiCall
from .api.fields import whole_number
from .api.routes import PREFIX, ROUTES, Route, no_route
from .delivery_timer import DeliveryTimer
from .faults import NO_FAULT, Faults, Plan
from .files import serving_headers
from .guard import Guard
from .limits import StorageFullError
from .log import LoggedRequest, RequestLog
from .observers import ObservedExchange, ObservedResponse, RecordedBody, current_observers, notify
from .rack.body import read_form
from .rack.form import Form
from .rack.params import Params, params_of_pairs
from .refusals import RefusalError, storage_full, too_large
from .responses import ApiResponse, error_response
from .state import State

# Linger for 0 seconds: the system then closes with a reset.
RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
CHUNK = 256 * 1024
# How much of a refused body is read, and for how long, so that its sender gets the response before a close.
DRAINED_BYTES = 1 << 20
DRAINED_SECONDS = 1.0
# Seconds after which a sender that is silent in the middle of a body is given up.
SILENT_SECONDS = 60.0
# Characters that are logged of each field of a request without the token.
UNAUTHENTICATED_CHARS = 200
WELCOME = b"""\
This is a sandbox of linq_async: a local server that plays the Linq Partner API v2.

Point a client at it with LINQ_BASE_URL, and give it the token that `linq-async sandbox`
printed, or Sandbox.token, as LINQ_INTEGRATION_TOKEN. The operations are under /api/partner/v2.
"""
WELCOME_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
OnRequest = Callable[[LoggedRequest], object]
logger = logging.getLogger("linq_async.sandbox")


@attrs.frozen
class AppContext:
    """What the handlers share."""

    state: State
    log: RequestLog
    faults: Faults
    guard: Guard
    on_request: OnRequest | None
    delivery_timer: DeliveryTimer


def make_app(context: AppContext) -> web.Application:
    """Build the application: every operation, the stored files, a welcome page, and a 404 for everything else."""
    app = web.Application(client_max_size=0)
    for route in ROUTES:
        app.router.add_route(route.method, PREFIX + route.path, partial(_serve, context, route))
    app.router.add_get("/", partial(_welcome, context))
    app.router.add_get("/files/{id}/{name}", partial(_serve_file, context))
    app.router.add_route("*", "/{rest:.*}", partial(_serve, context, Route("*", "", no_route)))
    return app


async def _serve(context: AppContext, route: Route, request: web.Request) -> web.StreamResponse:
    """Log a request, answer it, and call the listener."""
    foreign = _guard_refusal(context, request)
    entry = _entry(context, request, known=foreign is None and context.guard.has_token(request.headers))
    context.log.add(entry)
    form = Form(context.state.limits, context.state.storage)
    try:
        if foreign is not None:
            return await _refuse(request, route.refuse(foreign), form, entry)
        return await _observed(context, route, request, form, entry)
    except ConnectionError:
        # The client has left.
        return web.Response()
    finally:
        form.drop_files()
        entry.size = form.size
        context.delivery_timer.update()
        context.log.finish(entry)
        _call_listener(context, entry)


def _guard_refusal(context: AppContext, request: web.Request, *, embeddable: bool = False) -> RefusalError | None:
    """Return why a request is refused: a foreign Host or Origin, or a target meant for a proxy."""
    if not request.raw_path.startswith("/"):
        return RefusalError(421, "misdirected_request", "The sandbox is not a proxy")
    own = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return context.guard.refusal(request.headers, own[0] if own else None, embeddable=embeddable)


def _entry(context: AppContext, request: web.Request, *, known: bool) -> LoggedRequest:
    """Return the log entry of a request, shortened if it has no token."""
    longest = None if known else UNAUTHENTICATED_CHARS
    return LoggedRequest(
        method=request.method[:UNAUTHENTICATED_CHARS],
        path=request.path[:longest],
        query=request.rel_url.raw_query_string if known else "",
        content_type=request.headers.get("Content-Type", "")[:longest],
        request_id=f"sandbox-{context.log.total + 1}",
    )


def _call_listener(context: AppContext, entry: LoggedRequest) -> None:
    if context.on_request is not None:
        try:
            context.on_request(entry)
        except Exception:
            # A listener that fails must not change what the client sees.
            logger.exception("on_request failed")


async def _observed(
    context: AppContext, route: Route, request: web.Request, form: Form, entry: LoggedRequest
) -> web.StreamResponse:
    """Make the exchange, and show it to the observers if there are any."""
    if not current_observers():
        return await _exchange(context, route, request, form, entry)
    body = form.recorded = RecordedBody()
    exchange = partial(_observed_exchange, request, body, entry)
    try:
        response = await _exchange(context, route, request, form, entry)
    except Exception as error:
        notify(exchange(None, error))
        raise
    notify(exchange(response, None))
    return response


def _observed_exchange(
    request: web.Request,
    body: RecordedBody,
    entry: LoggedRequest,
    response: web.StreamResponse | None,
    error: Exception | None,
) -> ObservedExchange:
    shown: ObservedResponse | None = None
    # A response that was cut is streamed.
    if entry.status is not None and isinstance(response, web.Response):
        content = response.body if isinstance(response.body, bytes) else b""
        shown = ObservedResponse(status=response.status, headers=response.headers, body=content)
    return ObservedExchange(
        method=request.method,
        target=request.raw_path,
        headers=request.headers,
        body=b"".join(body.chunks),
        body_size=body.size,
        complete=body.complete,
        response=shown,
        fault=entry.fault,
        error=error,
    )


async def _exchange(
    context: AppContext, route: Route, request: web.Request, form: Form, entry: LoggedRequest
) -> web.StreamResponse:
    # First of all: a request without the token must use up no fault, count as no attempt and store no file.
    if not context.guard.has_token(request.headers):
        unauthorized = RefusalError(401, "unauthorized", "Invalid or missing integration token")
        return await _refuse(request, route.refuse(unauthorized), form, entry)
    refusal = await _read(request, form)
    whole = refusal is None or await _drain(request, form)
    entry.size = form.size
    key = _key_of(form.params)
    if key is not None:
        context.log.count_attempt(entry, key)
    query, query_refusal = _query_of(request)
    call = ApiCall(context.state, dict(request.match_info), query, form.params)
    plan = context.faults.take(request.method, request.path, partial(_numbers_of, call))
    entry.fault = plan.name
    answer = plan.answer
    if plan.works:
        answer = _answer(route, call, refusal or query_refusal)
    if plan.seconds:
        await asyncio.sleep(plan.seconds)
    return await _send(request, plan, answer, entry, keep=whole)


async def _refuse(request: web.Request, answer: ApiResponse, form: Form, entry: LoggedRequest) -> web.StreamResponse:
    """Answer a request without reading its body, and close the connection if the body goes on."""
    whole = await _drain(request, form)
    return await _send(request, NO_FAULT, answer, entry, keep=whole)


async def _read(request: web.Request, form: Form) -> RefusalError | None:
    """Read the body to its end, or until it is refused."""
    try:
        if (request.content_length or 0) > form.limits.body_bytes:
            raise too_large(f"The body must not be over {form.limits.body_bytes} bytes")
        async with aclosing(_chunks(request, form.recorded)) as chunks:
            await read_form(form, request.headers.get("Content-Type", ""), chunks)
    except RefusalError as refusal:
        return refusal
    return None


async def _drain(request: web.Request, form: Form) -> bool:
    """Read and drop a little more of a refused body; return whether that was its end."""
    most = form.size + DRAINED_BYTES
    with suppress(RefusalError, TimeoutError):
        async with asyncio.timeout(DRAINED_SECONDS), aclosing(_chunks(request, form.recorded)) as chunks:
            async for chunk in chunks:
                form.size += len(chunk)
                if form.size > most:
                    return False
    return request.content.is_eof()


async def _chunks(request: web.Request, recorded: RecordedBody | None) -> AsyncGenerator[bytes, None]:
    while chunk := await _next_chunk(request):
        if recorded is not None:
            recorded.add(chunk)
        yield chunk
    if recorded is not None:
        recorded.complete = True


async def _next_chunk(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            return await request.content.readany()
    except web.RequestPayloadError:
        raise RefusalError(400, "bad_request", "The body cannot be read") from None
    except TimeoutError:
        raise RefusalError(408, "request_timeout", "The body did not come") from None


def _query_of(request: web.Request) -> tuple[Params, RefusalError | None]:
    try:
        return params_of_pairs(request.query.items()), None
    except RefusalError as refusal:
        return {}, refusal


def _answer(route: Route, call: ApiCall, refusal: RefusalError | None) -> ApiResponse:
    """Run the operation, or refuse it."""
    try:
        if refusal is not None:
            raise refusal
        return route.operation(call)
    except RefusalError as error:
        return route.refuse(error)
    except StorageFullError as error:
        return route.refuse(storage_full(error))


def _key_of(params: Params) -> str | None:
    message = params.get("message")
    if not isinstance(message, dict):
        return None
    key = cast("Params", message).get("idempotency_key")
    return key if isinstance(key, str) else None


def _numbers_of(call: ApiCall) -> frozenset[str]:
    """Return the numbers and addresses that a request concerns, which faults may ask about."""
    chat_id = whole_number(call.ids.get("chat_id"))
    chat = call.state.chats.get(chat_id) if chat_id is not None else None
    found = {chat.send_from, *chat.recipients} if chat else set[str]()
    for text in (*_texts(call.params), *_texts(call.query)):
        number = numbers.searched_number(text) or numbers.email(text)
        if number is not None:
            found.add(number)
    return frozenset(found)


def _texts(params: Params) -> list[str]:
    """Return the strings in the fields that may contain a number."""
    places: list[object] = [params.get(name) for name in ("send_from", "phone_number", "phone_numbers")]
    for name in ("chat", "contact"):
        inner = params.get(name)
        if isinstance(inner, dict):
            places += [cast("Params", inner).get(key) for key in ("phone_number", "phone_numbers")]
    flat: list[object] = []
    for place in places:
        flat += cast("list[object]", place) if isinstance(place, list) else [place]
    return [text for text in flat if isinstance(text, str)]


async def _send(
    request: web.Request, plan: Plan, answer: ApiResponse | None, entry: LoggedRequest, *, keep: bool
) -> web.StreamResponse:
    """Send the response, or break it as the plan says; without `keep`, close the connection after it."""
    entry.replayed = answer is not None and answer.replayed
    # A response without a body can only be cut to nothing.
    if answer is None or plan.drops or (plan.cuts and not answer.body):
        _reset(request)
        return web.Response()
    entry.status = answer.status
    headers = {"X-Request-Id": entry.request_id, **answer.headers}
    if plan.cuts:
        return await _send_half(request, answer, headers)
    response = web.Response(status=answer.status, body=answer.body or None, headers=headers)
    if not keep:
        response.force_close()
    return response


def _reset(request: web.Request) -> None:
    """Close the connection so that the client sees a reset."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


async def _send_half(request: web.Request, answer: ApiResponse, headers: dict[str, str]) -> web.StreamResponse:
    """Send the head and half of the body, and close.

    A reset could overtake the half that was sent, so this is an ordinary close.
    """
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _welcome(context: AppContext, request: web.Request) -> web.StreamResponse:
    """Serve the welcome page."""
    refusal = _guard_refusal(context, request)
    if refusal is not None:
        return _to_response(error_response(refusal))
    return web.Response(body=WELCOME, headers=WELCOME_HEADERS)


def _to_response(answer: ApiResponse) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def _serve_file(context: AppContext, request: web.Request) -> web.StreamResponse:
    """Serve an uploaded file. Its URL is unguessable, as those of Linq's storage are."""
    foreign = _guard_refusal(context, request, embeddable=True)
    if foreign is not None:
        return _to_response(error_response(foreign))
    attachment = context.state.attachments.get(request.match_info["id"])
    if attachment is None or attachment.file is None:
        return _to_response(error_response(RefusalError(404, "not_found", "File not found")))
    response = web.StreamResponse(headers=serving_headers(attachment))
    response.content_length = attachment.size
    await response.prepare(request)
    size = 0 if request.method == "HEAD" else attachment.size
    # The client may leave before the end of the file.
    with suppress(ConnectionError):
        for offset in range(0, size, CHUNK):
            await response.write(attachment.file.read(offset, CHUNK))
    return response
