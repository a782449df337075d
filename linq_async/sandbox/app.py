"""The edge to aiohttp: reads requests, applies faults, sends answers."""

import asyncio
import hmac
import logging
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import cast

import attrs
from aiohttp import web

from . import numbers
from .answers import Answer, RefusalError, error_answer
from .call import Call
from .faults import Faults, Plan
from .fields import whole_number
from .files import serving_headers
from .log import LoggedRequest, RequestLog
from .params import Form, Params, params_of_pairs, read_form
from .routes import PREFIX, ROUTES, Route, no_route
from .state import State

TOKEN_HEADER = "X-LINQ-INTEGRATION-TOKEN"  # noqa: S105
# On, for no seconds: the system then closes by a reset.
NO_LINGERING = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
CHUNK = 256 * 1024
OnRequest = Callable[[LoggedRequest], object]
logger = logging.getLogger("linq_async.sandbox")


@attrs.frozen
class Edge:
    """What every request passes through."""

    state: State
    log: RequestLog
    faults: Faults
    token: str = attrs.field(repr=False)
    on_request: OnRequest | None


def make_app(edge: Edge) -> web.Application:
    """Build the application: every operation, the stored files, and a 404 for all else."""
    app = web.Application(client_max_size=0)
    for route in ROUTES:
        app.router.add_route(route.method, PREFIX + route.path, partial(_serve, edge, route))
    app.router.add_get("/files/{id}/{name}", partial(_serve_file, edge))
    app.router.add_route("*", "/{rest:.*}", partial(_serve, edge, Route("*", "", no_route)))
    return app


async def _serve(edge: Edge, route: Route, request: web.Request) -> web.StreamResponse:
    """Log a request, answer it, and tell the listener."""
    entry = LoggedRequest(
        method=request.method,
        path=request.path,
        query=request.rel_url.raw_query_string,
        content_type=request.headers.get("Content-Type", ""),
        request_id=f"sandbox-{len(edge.log) + 1}",
    )
    edge.log.add(entry)
    form = Form()
    try:
        return await _exchange(edge, route, request, form, entry)
    except ConnectionError:
        # The client is gone: there is nobody to answer, and nothing is wrong with the sandbox.
        return web.Response()
    finally:
        form.drop_files()
        entry.size = form.size
        _tell(edge, entry)


def _tell(edge: Edge, entry: LoggedRequest) -> None:
    if edge.on_request is not None:
        try:
            edge.on_request(entry)
        except Exception:
            # A listener that fails must not change what the client sees.
            logger.exception("on_request failed")


async def _exchange(
    edge: Edge, route: Route, request: web.Request, form: Form, entry: LoggedRequest
) -> web.StreamResponse:
    refusal = await _read(request, form)
    entry.size = form.size
    key = _key_of(form.params)
    if key is not None:
        edge.log.note_key(entry, key)
    query, query_refusal = _query_of(request)
    call = Call(edge.state, dict(request.match_info), query, form.params)
    plan = edge.faults.take(request.method, request.path, partial(_numbers_of, call))
    entry.fault = plan.name
    answer = plan.answer
    if plan.works:
        answer = _answer(edge, route, request, call, refusal or query_refusal)
    if plan.seconds:
        await asyncio.sleep(plan.seconds)
    return await _send(request, plan, answer, entry)


async def _read(request: web.Request, form: Form) -> RefusalError | None:
    """Read the body whole, whatever it is; what is wrong with it is told later."""
    try:
        await read_form(form, request.headers.get("Content-Type", ""), _chunks(request))
    except RefusalError as refusal:
        return refusal
    return None


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    try:
        while chunk := await request.content.readany():
            yield chunk
    except web.RequestPayloadError:
        raise RefusalError(400, "bad_request", "The body cannot be read") from None


def _query_of(request: web.Request) -> tuple[Params, RefusalError | None]:
    try:
        return params_of_pairs(request.query.items()), None
    except RefusalError as refusal:
        return {}, refusal


def _answer(edge: Edge, route: Route, request: web.Request, call: Call, refusal: RefusalError | None) -> Answer:
    """Do what the request asks, or refuse it."""
    try:
        _check_token(edge, request)
        if refusal is not None:
            raise refusal
        return route.operation(call)
    except RefusalError as error:
        return route.refuse(error)


def _check_token(edge: Edge, request: web.Request) -> None:
    given = request.headers.get(TOKEN_HEADER, "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, edge.token.encode()):
        raise RefusalError(401, "unauthorized", "Invalid or missing integration token")


def _key_of(params: Params) -> str | None:
    message = params.get("message")
    if not isinstance(message, dict):
        return None
    key = cast("Params", message).get("idempotency_key")
    return key if isinstance(key, str) else None


def _numbers_of(call: Call) -> frozenset[str]:
    """Every number and address that a request concerns, for faults that ask for one."""
    chat_id = whole_number(call.ids.get("chat_id"))
    chat = call.state.chats.get(chat_id) if chat_id is not None else None
    found = {chat.send_from, *chat.recipients} if chat else set[str]()
    for text in (*_texts(call.params), *_texts(call.query)):
        number = numbers.searched_number(text) or numbers.email(text)
        if number is not None:
            found.add(number)
    return frozenset(found)


def _texts(params: Params) -> list[str]:
    """Gather the strings in the places where a number can stand."""
    places: list[object] = [params.get(name) for name in ("send_from", "phone_number", "phone_numbers")]
    for name in ("chat", "contact"):
        inner = params.get(name)
        if isinstance(inner, dict):
            places += [cast("Params", inner).get(key) for key in ("phone_number", "phone_numbers")]
    flat: list[object] = []
    for place in places:
        flat += cast("list[object]", place) if isinstance(place, list) else [place]
    return [text for text in flat if isinstance(text, str)]


async def _send(request: web.Request, plan: Plan, answer: Answer | None, entry: LoggedRequest) -> web.StreamResponse:
    """Send the answer, or spoil it as the plan says."""
    entry.replayed = answer is not None and answer.replayed
    # An answer without a body can only be cut to nothing.
    if answer is None or plan.drops or (plan.cuts and not answer.body):
        _reset(request)
        return web.Response()
    entry.status = answer.status
    headers = {"X-Request-Id": entry.request_id, **answer.headers}
    if plan.cuts:
        return await _send_half(request, answer, headers)
    return web.Response(status=answer.status, body=answer.body or None, headers=headers)


def _reset(request: web.Request) -> None:
    """Close the connection so that the client sees a reset."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
    transport.abort()


async def _send_half(request: web.Request, answer: Answer, headers: dict[str, str]) -> web.StreamResponse:
    """Send the head and half of the body, and close.

    A reset could overtake the half that is under way, so this closes in the ordinary manner.
    """
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _serve_file(edge: Edge, request: web.Request) -> web.StreamResponse:
    """Serve an uploaded file; its URL is its secret, as that of Linq's storage is."""
    attachment = edge.state.attachments.get(request.match_info["id"])
    if attachment is None or attachment.file is None:
        answer = error_answer(RefusalError(404, "not_found", "File not found"))
        return web.Response(status=404, body=answer.body, headers=answer.headers)
    response = web.StreamResponse(headers=serving_headers(attachment))
    response.content_length = attachment.size
    await response.prepare(request)
    size = 0 if request.method == "HEAD" else attachment.size
    # A client may leave before the end of a file.
    with suppress(ConnectionError):
        for offset in range(0, size, CHUNK):
            await response.write(attachment.file.read(offset, CHUNK))
    return response
