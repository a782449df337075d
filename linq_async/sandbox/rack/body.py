"""Read a request's body as it arrives: JSON, a form, or a form with files."""

from collections.abc import AsyncIterator

from linq_async.sandbox.refusals import too_large

from .form import Form
from .multipart import read_multipart
from .params import pairs_of, params_of_json, params_of_pairs


async def read_form(form: Form, content_type: str, chunks: AsyncIterator[bytes]) -> None:
    """Read a body into the form; a body of an unknown media type has no parameters.

    Raises:
        RefusalError: If the body is refused; the rest of it is left unread.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        await read_multipart(form, content_type, chunks)
        return
    body = bytearray()
    async for chunk in chunks:
        form.size += len(chunk)
        if form.size > form.limits.text_bytes:
            raise too_large(f"A body without files must not be over {form.limits.text_bytes} bytes")
        body += chunk
    if kind == "application/json" and body.strip():
        form.params = params_of_json(bytes(body))
    elif kind == "application/x-www-form-urlencoded":
        form.params = params_of_pairs(pairs_of(bytes(body)))
