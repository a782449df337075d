"""The side of aiohttp: serves the control calls and their live changes."""

import asyncio
import json
from contextlib import aclosing
from functools import partial

from aiohttp import web

from linq_async.sandbox.context import AppContext
from linq_async.sandbox.limits import StorageFullError
from linq_async.sandbox.pages import SAFE_HEADERS, serve_page_file
from linq_async.sandbox.rack.form import Form
from linq_async.sandbox.rack.params import params_of_pairs
from linq_async.sandbox.refusals import RefusalError, invalid, not_found, storage_full
from linq_async.sandbox.request_body import drain_body, read_body
from linq_async.sandbox.responses import error_response

from .call import ControlCall
from .feed import stream
from .table import CONTROL, PREFIX, ControlRoute

MAX_READERS = 100
WRITE_SECONDS = 60.0
"""Seconds after which a reader that takes nothing is given up."""


def add_control_routes(router: web.UrlDispatcher, context: AppContext) -> None:
    """Route everything below the prefix."""
    router.add_get(PREFIX + "/page/{name}", partial(serve_page_file, context))
    router.add_route("GET", PREFIX + "/events", partial(_serve_events, context, []))
    for route in CONTROL:
        router.add_route(route.method, PREFIX + route.path, partial(_serve, context, route))
    router.add_route("*", PREFIX + "{rest:(/.*)?}", partial(_serve, context, None))


async def _serve(context: AppContext, route: ControlRoute | None, request: web.Request) -> web.StreamResponse:
    """Respond to a control call. It is not logged."""
    refusal = context.control_refusal(request)
    form = Form(context.state.limits, context.state.storage)
    try:
        if refusal is not None:
            await drain_body(request, form)
            raise refusal
        if route is None:
            raise not_found("Control call")
        refusal = await read_body(request, form)
        if refusal is not None:
            await drain_body(request, form)
            raise refusal
        query = params_of_pairs(request.query.items())
        call = ControlCall(context.sandbox, context.state, dict(request.match_info), query, form.params)
        found = await route.call(call)
    except RefusalError as error:
        return _refused(error)
    except StorageFullError as error:
        return _refused(storage_full(error))
    except LookupError as error:
        return _refused(RefusalError(404, "not_found", str(error)))
    except ValueError as error:
        return _refused(invalid(str(error)))
    except ConnectionError:
        # The client has left.
        return web.Response()
    finally:
        form.drop_files()
    return web.Response(body=json.dumps(found).encode(), content_type="application/json", headers=SAFE_HEADERS)


def _refused(refusal: RefusalError) -> web.Response:
    response = error_response(refusal)
    return web.Response(status=response.status, body=response.body, headers={**response.headers, **SAFE_HEADERS})


async def _serve_events(context: AppContext, readers: list[web.Request], request: web.Request) -> web.StreamResponse:
    """Send changes until the reader leaves."""
    refusal = context.control_refusal(request)
    if refusal is None and len(readers) >= MAX_READERS:
        refusal = RefusalError(503, "service_unavailable", f"There are {MAX_READERS} readers already")
    if refusal is not None:
        return _refused(refusal)
    response = web.StreamResponse(headers={**SAFE_HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
    since = request.headers.get("Last-Event-ID") or request.query.get("since", "")
    readers.append(request)
    try:
        await response.prepare(request)
        async with aclosing(stream(context.sandbox, context.state, since)) as events:
            async for event in events:
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(event)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    finally:
        readers.remove(request)
    return response
