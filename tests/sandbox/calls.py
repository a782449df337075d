"""Plain HTTP calls against the sandbox, and the bodies that the tests send."""

import asyncio
import json
from io import BytesIO
from typing import Any

import aiohttp
import attrs

from linq_async.sandbox import DEFAULT_TOKEN, Sandbox

PREFIX = "/api/partner/v2"
LINE = "+15175269229"
MIRA, THEO = "+13343284472", "+13344713465"
HEADERS = {"X-LINQ-INTEGRATION-TOKEN": DEFAULT_TOKEN}

# The curl example of the reference page, letter for letter.
PAGE_BODY = (
    '{ "send_from": "+15175269229", "chat": { "display_name": "Sample Chat", "phone_numbers": '
    '[ "+13343284472", "+13344713465" ] }, "message": { "text": "Hello! This is a sample message from '
    'Linq API v2.", "idempotency_key": "msg-2024_01-23_abc123" } }'
)


@attrs.frozen
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: Any

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The one error of the common format."""
        error: dict[str, Any]
        (error,) = self.json["errors"]
        return error


@attrs.frozen
class Api:
    """Calls paths below the prefix."""

    session: aiohttp.ClientSession

    async def __call__(self, method: str, path: str, body: object = None, **options: Any) -> Reply:
        if body is not None:
            options["json"] = body
        async with self.session.request(method, PREFIX + path, **options) as response:
            return Reply(response.status, await response.read(), response.headers)

    async def create_chat(self, key: str | None = None, **changes: Any) -> Reply:
        return await self("POST", "/chats", new_chat(key, **changes))

    async def new_message(self) -> tuple[int, int]:
        """Create a chat and give its id and that of its message."""
        data = (await self.create_chat()).json["data"]
        return data["id"], data["chat_messages"]["id"]


def new_chat(
    key: str | None = None,
    *,
    send_from: str = LINE,
    phone_numbers: Any = (MIRA,),
    text: str = "Hello",
    **message: Any,
) -> dict[str, Any]:
    """Make a body that creates a chat."""
    if key is not None:
        message["idempotency_key"] = key
    return {
        "send_from": send_from,
        "chat": {"phone_numbers": list(phone_numbers)},
        "message": {"text": text, **message},
    }


async def raw(sandbox: Sandbox, *chunks: bytes) -> bytes:
    """Send raw bytes and read the answer until the connection ends."""
    host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for chunk in chunks:
        writer.write(chunk)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def head(line: str, *headers: str) -> bytes:
    """Write the head of a request that carries the token."""
    token = f"X-LINQ-INTEGRATION-TOKEN: {DEFAULT_TOKEN}"
    return "\r\n".join((f"{line} HTTP/1.1", *headers, token, "Connection: close", "", "")).encode()


def form(*fields: tuple[str, str], files: tuple[tuple[str, str, bytes], ...] = ()) -> aiohttp.FormData:
    """Make a multipart form: text fields, then files as (file name, type, bytes)."""
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in fields:
        data.add_field(name, value)
    for filename, content_type, content in files:
        # aiohttp warns of large bytes, not of a BytesIO.
        data.add_field("message[attachments][]", BytesIO(content), filename=filename, content_type=content_type)
    return data


CHAT_FIELDS = (
    ("send_from", LINE),
    ("chat[display_name]", "Harbour crew"),
    ("chat[phone_numbers][]", MIRA),
    ("chat[phone_numbers][]", THEO),
    ("message[text]", "Plan attached."),
)
