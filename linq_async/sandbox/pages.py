"""The pages beside the operations: a welcome, and the uploaded files."""

from contextlib import suppress

from aiohttp import web

from .context import AppContext
from .files import serving_headers
from .refusals import RefusalError
from .responses import ApiResponse, error_response

CHUNK = 256 * 1024
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


async def welcome(context: AppContext, request: web.Request) -> web.StreamResponse:
    """Serve the welcome page."""
    refusal = context.refusal(request)
    if refusal is not None:
        return _to_response(error_response(refusal))
    return web.Response(body=WELCOME, headers=WELCOME_HEADERS)


def _to_response(answer: ApiResponse) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def serve_file(context: AppContext, request: web.Request) -> web.StreamResponse:
    """Serve an uploaded file. Its URL is unguessable, as those of Linq's storage are."""
    foreign = context.refusal(request, embeddable=True)
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
