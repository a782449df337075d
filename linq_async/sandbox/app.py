"""The side of aiohttp: reads requests, applies faults, sends responses."""

import asyncio
from functools import partial
from time import perf_counter

from aiohttp import web

from .api.call import ApiCall
from .api.routes import PREFIX, ROUTES, Route, no_route
from .behaviour import ORDINARY
from .context import AppContext
from .control.serve import add_control_routes
from .faults import NO_FAULT, Plan
from .limits import StorageFullError
from .log import LOGGED_BYTES, LoggedRequest, logged_headers
from .observers import MAX_BODY, ObservedExchange, ObservedResponse, RecordedBody, current_observers, notify
from .pages import serve_file, welcome
from .rack.form import Form
from .rack.params import params_of_pairs
from .refusals import RefusalError, storage_full
from .request_body import drain_body, read_body
from .response_writer import send_response
from .responses import ApiResponse

# Characters that are logged of each field of a request without the token.
UNAUTHENTICATED_CHARS = 200


def make_app(context: AppContext) -> web.Application:
    """Build the application: every operation, the page, the stored files, and a 404 for everything else."""
    app = web.Application(client_max_size=0)
    for route in ROUTES:
        app.router.add_route(route.method, PREFIX + route.path, partial(_serve, context, route))
    app.router.add_get("/", partial(welcome, context))
    add_control_routes(app.router, context)
    app.router.add_get("/files/{id}/{name}", partial(serve_file, context))
    app.router.add_route("*", "/{rest:.*}", partial(_serve, context, Route("*", "", no_route)))
    return app


async def _serve(context: AppContext, route: Route, request: web.Request) -> web.StreamResponse:
    """Log a request, respond to it, and call the listener."""
    foreign = context.refusal(request)
    known = foreign is None and context.guard.has_token(request.headers)
    longest = None if known else UNAUTHENTICATED_CHARS
    entry = LoggedRequest(
        method=request.method[:UNAUTHENTICATED_CHARS],
        path=request.path[:longest],
        query=request.rel_url.raw_query_string if known else "",
        content_type=request.headers.get("Content-Type", "")[:longest],
        request_id=f"sandbox-{context.log.total + 1}",
        received_at=context.state.now(),
        headers=logged_headers(request.headers) if known else {},
    )
    context.log.add(entry)
    started = perf_counter()
    form = Form(context.state.limits, context.state.storage)
    observers = foreign is None and current_observers()
    body = RecordedBody(MAX_BODY if observers else LOGGED_BYTES)
    try:
        if foreign is not None:
            return await _refuse(request, route.refuse(foreign), form, entry)
        form.recorded = body
        if not observers:
            return await _exchange(context, route, request, form, entry)
        return await _observed(context, route, request, form, entry, body)
    except ConnectionError:
        # The client has left.
        return web.Response()
    finally:
        form.drop_files()
        entry.size, entry.seconds = form.size, perf_counter() - started
        if known:
            entry.body = b"".join(body.chunks)[:LOGGED_BYTES]
        context.delivery_status_timer.update()
        context.log.finish(entry)
        context.call_listener(entry)


async def _observed(
    context: AppContext, route: Route, request: web.Request, form: Form, entry: LoggedRequest, body: RecordedBody
) -> web.StreamResponse:
    """Make the exchange, and show it to the observers."""
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
    refusal = await read_body(request, form)
    whole = refusal is None or await drain_body(request, form)
    entry.size = form.size
    try:
        query = params_of_pairs(request.query.items())
    except RefusalError as query_refusal:
        query, refusal = {}, refusal or query_refusal
    call = ApiCall(context.state, dict(request.match_info), query, form.params)
    if call.idempotency_key is not None:
        context.log.count_attempt(entry, call.idempotency_key)
    limited = context.meter.refusal()
    plan = NO_FAULT if limited else _plan(context, request, call, entry.attempt)
    entry.fault = "answer 429 (rate limit)" if limited else plan.name
    response = plan.response
    if plan.works:
        worked = _run(route, call, limited or refusal)
        response = response or worked
    context.keeper.flush()  # what is kept is in the file before the client hears of it
    seconds = plan.seconds + context.meter.seconds()
    if seconds:
        await asyncio.sleep(seconds)
    return await send_response(request, plan, response, entry, keep=whole)


def _plan(context: AppContext, request: web.Request, call: ApiCall, attempt: int) -> Plan:
    """Return what goes wrong: a scripted fault, that of a number of fixed behaviour, or a failure now and then."""
    plan = context.faults.take(request.method, request.path, call.numbers)
    if plan is NO_FAULT:
        found = (call.state.behaviour(number) for number in call.recipients())
        plan = next((behaviour for behaviour in found if behaviour.fault is not None), ORDINARY).plan(attempt)
    return context.meter.plan() if plan is NO_FAULT else plan


async def _refuse(request: web.Request, response: ApiResponse, form: Form, entry: LoggedRequest) -> web.StreamResponse:
    """Respond to a request without reading its body, and close the connection if the body goes on."""
    whole = await drain_body(request, form)
    return await send_response(request, NO_FAULT, response, entry, keep=whole)


def _run(route: Route, call: ApiCall, refusal: RefusalError | None) -> ApiResponse:
    """Run the operation, or refuse it."""
    try:
        if refusal is not None:
            raise refusal
        return route.operation(call)
    except RefusalError as error:
        return route.refuse(error)
    except StorageFullError as error:
        return route.refuse(storage_full(error))
