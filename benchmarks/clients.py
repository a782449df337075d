"""A create with each client, as its users write it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any, cast

import aiohttp
import orjson

from benchmarks.examples import API_PATH, CREATE, create_body
from benchmarks.pairs import AsyncCall
from linq_async import LinqClient

TOKEN = {"X-LINQ-INTEGRATION-TOKEN": "token"}


@asynccontextmanager
async def by_hand(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a create with aiohttp: sends a dict, returns a dict."""
    async with aiohttp.ClientSession(headers=TOKEN) as session:

        async def create() -> object:
            body = create_body(secrets.token_hex(16))
            async with session.post(f"{url}{API_PATH}/chats", json=body) as response:
                return await response.json()

        yield create


@asynccontextmanager
async def by_hand_with_orjson(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a create with aiohttp and orjson, the JSON library of this package."""
    async with aiohttp.ClientSession(
        headers=TOKEN, json_serialize=lambda value: orjson.dumps(value).decode()
    ) as session:

        async def create() -> object:
            body = create_body(secrets.token_hex(16))
            async with session.post(f"{url}{API_PATH}/chats", json=body) as response:
                return await response.json(loads=orjson.loads)

        yield create


@asynccontextmanager
async def linq_async(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a create with this package."""
    async with LinqClient("token", base_url=url) as linq:
        yield lambda: linq.chats.create(**CREATE)


@asynccontextmanager
async def httpx_by_hand(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a create with httpx."""
    import httpx

    async with httpx.AsyncClient(headers=TOKEN) as client:

        async def create() -> object:
            response = await client.post(f"{url}{API_PATH}/chats", json=create_body(secrets.token_hex(16)))
            return response.json()

        yield create


@asynccontextmanager
async def linq_python(url: str, *, on_aiohttp: bool = False) -> AsyncGenerator[AsyncCall]:
    """Yield a create with the official SDK, which uses version 3 of the API."""
    sdk: Any = import_module("linq")
    transport = sdk.DefaultAioHttpClient() if on_aiohttp else None
    async with sdk.AsyncLinqAPIV3(api_key="token", base_url=url, http_client=transport) as linq:
        yield lambda: linq.chats.create(
            from_=CREATE["send_from"],
            to=CREATE["phone_numbers"],
            message={
                "parts": [{"type": "text", "value": CREATE["text"]}],
                "idempotency_key": secrets.token_hex(16),
            },
        )


def linq_python_on_aiohttp(url: str) -> AbstractAsyncContextManager[AsyncCall]:
    """Yield a create with the official SDK on aiohttp, by its extra."""
    return linq_python(url, on_aiohttp=True)


@asynccontextmanager
async def stripe(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a create of a customer with stripe: sends four fields, returns 25."""
    sdk: Any = import_module("stripe")
    http = sdk.HTTPXClient()
    client = sdk.StripeClient("sk_test_token", base_addresses={"api": url}, http_client=http)
    try:
        yield lambda: client.v1.customers.create_async(
            {
                "name": "Jenny Rosen",
                "email": "jennyrosen@example.com",
                "phone": "+15551234567",
                "metadata": {"order": "1017", "campaign": "autumn"},
            }
        )
    finally:
        await http.close_async()


@asynccontextmanager
async def openai(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a chat completion of a short message with openai."""
    sdk: Any = import_module("openai")
    async with sdk.AsyncOpenAI(api_key="token", base_url=f"{url}/v1") as client:
        yield lambda: client.chat.completions.create(
            model="gpt-4.1",
            messages=[
                {"role": "developer", "content": "You are a helpful assistant."},
                {"role": "user", "content": CREATE["text"]},
            ],
        )


class _Floor(asyncio.Protocol):
    """The minimum that an asyncio program can do: no limits, no error handling, no types."""

    response: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's transports are not subclasses
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2])
        if len(body) == length:
            self.received = b""
            self.response.set_result(body)


@asynccontextmanager
async def floor(url: str) -> AsyncGenerator[AsyncCall]:
    """Yield a POST over a bare asyncio protocol, with orjson."""
    loop = asyncio.get_running_loop()
    host, port = url.removeprefix("http://").split(":")
    idle: list[_Floor] = []
    head = f"POST {API_PATH}/chats HTTP/1.1\r\nHost: {host}:{port}\r\nX-LINQ-INTEGRATION-TOKEN: token\r\n"

    async def create() -> object:
        connection = idle.pop() if idle else (await loop.create_connection(_Floor, host, int(port)))[1]
        body = orjson.dumps(create_body(secrets.token_hex(16)))
        connection.response = loop.create_future()
        lengths = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.transport.write((head + lengths).encode() + body)
        result: object = orjson.loads(await connection.response)
        idle.append(connection)
        return result

    try:
        yield create
    finally:
        for connection in idle:
            connection.transport.close()
