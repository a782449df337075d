"""Send a response, whole or broken as a fault demands."""

import socket
import struct
import sys

from aiohttp import web

from .faults import Plan
from .log import LOGGED_BYTES, LoggedRequest
from .responses import ApiResponse

# Linger for 0 seconds: the system then closes with a reset.
RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


async def send_response(
    request: web.Request, plan: Plan, response: ApiResponse | None, entry: LoggedRequest, *, keep: bool
) -> web.StreamResponse:
    """Send the response, or break it as the plan says; without `keep`, close the connection after it."""
    entry.replayed = response is not None and response.replayed
    # A response without a body can only be cut to nothing.
    if response is None or plan.drops or (plan.cuts and not response.body):
        if request.transport is not None:
            connection = request.transport.get_extra_info("socket")
            if connection is not None:  # the client then sees a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            request.transport.abort()
        return web.Response()
    entry.status, entry.response = response.status, response.body[:LOGGED_BYTES]
    headers = {"X-Request-Id": entry.request_id, **response.headers}
    if plan.cuts:
        return await _send_half(request, response, headers)
    sent = web.Response(status=response.status, body=response.body or None, headers=headers)
    if not keep:
        sent.force_close()
    return sent


async def _send_half(request: web.Request, response: ApiResponse, headers: dict[str, str]) -> web.StreamResponse:
    """Send the head and half of the body, and close.

    A reset could overtake the half that was sent, so this is an ordinary close.
    """
    sent = web.StreamResponse(status=response.status, headers=headers)
    sent.content_length = len(response.body)
    await sent.prepare(request)
    await sent.write(response.body[: len(response.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return sent
