"""Read the body of a request, or enough of a refused one that its sender gets the response."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from aiohttp import web

from .observers import RecordedBody
from .rack.body import read_form
from .rack.form import Form
from .refusals import RefusalError, too_large

# How much of a refused body is read, and for how long, so that its sender gets the response before a close.
DRAINED_BYTES = 1 << 20
DRAINED_SECONDS = 1.0
# Seconds after which a sender that is silent in the middle of a body is given up.
SILENT_SECONDS = 60.0


async def read_body(request: web.Request, form: Form) -> RefusalError | None:
    """Read the body to its end, or until it is refused."""
    try:
        if (request.content_length or 0) > form.limits.body_bytes:
            raise too_large(f"The body must not be over {form.limits.body_bytes} bytes")
        async with aclosing(_chunks(request, form.recorded)) as chunks:
            await read_form(form, request.headers.get("Content-Type", ""), chunks)
    except RefusalError as refusal:
        return refusal
    return None


async def drain_body(request: web.Request, form: Form) -> bool:
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
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                chunk = await request.content.readany()
        except web.RequestPayloadError:
            raise RefusalError(400, "bad_request", "The body cannot be read") from None
        except TimeoutError:
            raise RefusalError(408, "request_timeout", "The body did not come") from None
        if not chunk:
            break
        if recorded is not None:
            recorded.add(chunk)
        yield chunk
    if recorded is not None:
        recorded.complete = True
