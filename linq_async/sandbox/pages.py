"""The pages beside the operations: the inbox, a welcome for other programs than browsers, and the uploaded files."""

from contextlib import suppress
from functools import cache
from importlib.resources import files

from aiohttp import web

from .context import AppContext
from .files import serving_headers
from .refusals import RefusalError
from .responses import ApiResponse, error_response

CHUNK = 256 * 1024
WELCOME = b"""\
This is a sandbox of linq_async: a local server that plays the Linq Partner API v2.
Open it in a browser to see what is sent to it.

Point a client at it with LINQ_BASE_URL, and give it the token that `linq-async sandbox`
printed, or Sandbox.token, as LINQ_INTEGRATION_TOKEN. The operations are under /api/partner/v2.
"""
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The headers of the inbox and the control calls: nothing but the sandbox's own files is loaded, run or framed."""
PAGE_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@cache
def page_files() -> dict[str, bytes]:
    """Read the files of the inbox."""
    found = files("linq_async.sandbox").joinpath("page").iterdir()
    return {file.name: file.read_bytes() for file in found if file.name.rpartition(".")[2] in PAGE_TYPES}


async def welcome(context: AppContext, request: web.Request) -> web.StreamResponse:
    """Serve the inbox to browsers, and a short text to other programs."""
    refusal = context.refusal(request)
    if refusal is not None:
        return _to_response(error_response(refusal))
    if "text/html" in request.headers.get("Accept", ""):
        return _page_file("index.html")
    return web.Response(body=WELCOME, content_type="text/plain", charset="utf-8", headers=SAFE_HEADERS)


async def serve_page_file(context: AppContext, request: web.Request) -> web.StreamResponse:
    """Serve a file of the inbox."""
    refusal = context.refusal(request)
    if refusal is None and request.match_info["name"] not in page_files():
        refusal = RefusalError(404, "not_found", "File not found")
    return _page_file(request.match_info["name"]) if refusal is None else _to_response(error_response(refusal))


def _page_file(name: str) -> web.Response:
    kind = PAGE_TYPES[name.rpartition(".")[2]]
    response = web.Response(body=page_files()[name], content_type=kind, charset="utf-8", headers=SAFE_HEADERS)
    response.enable_compression()
    return response


def _to_response(response: ApiResponse) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)


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
