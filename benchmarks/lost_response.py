"""A server takes a message, and the connection is lost before its response. Shows how often each client sends it.

Usage: ``python -m benchmarks.lost_response``. The other clients are in the extra ``bench``; each has its own defaults.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from aiohttp import web

from linq_async import LinqClient

Send = Callable[[str], Awaitable[object]]


async def linq_async(url: str) -> None:
    """Send with this package."""
    async with LinqClient("token", base_url=url) as linq:
        await linq.chats.create(send_from="+15175269229", phone_numbers=["+13343284472"], text="Hello!")


async def linq_python(url: str) -> None:
    """Send with Linq's own package, a client of v3."""
    sdk: Any = import_module("linq")
    async with sdk.AsyncLinqAPIV3(api_key="token", base_url=url) as linq:
        message = {"parts": [{"type": "text", "value": "Hello!"}]}
        await linq.chats.create(from_="+15175269229", to=["+13343284472"], message=message)


async def slack_sdk(url: str) -> None:
    """Post a message with Slack's package."""
    client: Any = import_module("slack_sdk.web.async_client").AsyncWebClient("token", base_url=f"{url}/")
    await client.chat_postMessage(channel="C1", text="Hello!")


async def openai(url: str) -> None:
    """Ask for a completion with OpenAI's package."""
    sdk: Any = import_module("openai")
    async with sdk.AsyncOpenAI(api_key="token", base_url=url) as client:
        await client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "Hello!"}])


async def stripe(url: str) -> None:
    """Create a customer with Stripe's package."""
    sdk: Any = import_module("stripe")
    http = sdk.HTTPXClient()
    client = sdk.StripeClient("sk_test_token", base_addresses={"api": url}, http_client=http)
    try:
        await client.v1.customers.create_async({"name": "Jenny Rosen"})
    finally:
        await http.close_async()


CLIENTS: dict[str, Send] = {
    "linq_async": linq_async,
    "linq": linq_python,
    "slack_sdk": slack_sdk,
    "openai": openai,
    "stripe": stripe,
}
"""By the module that each needs."""


def key_of(headers: dict[str, str], body: bytes) -> str | None:
    """Return the idempotency key of a request, from a header or from wherever it is in the body."""
    for name, value in headers.items():
        if "idempotency" in name.lower():
            return value
    _, found, rest = body.decode(errors="replace").partition('"idempotency_key":')
    return json.JSONDecoder().raw_decode(rest.strip())[0] if found else None


async def requests_of(send: Send) -> list[str | None]:
    """Return the key of each request that a server got from one send, the first of which it took without a response."""
    keys: list[str | None] = []

    async def take(request: web.Request) -> web.Response:
        keys.append(key_of(dict(request.headers), await request.read()))
        if len(keys) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        with contextlib.suppress(Exception):  # the response above is none that a client expects
            await send(f"http://{host}:{port}")
    finally:
        await runner.cleanup()
    return keys


def described(keys: list[str | None]) -> str:
    """Return how many requests there were, and whether a server can know that they are one message."""
    kind = "under one key" if keys[0] and len(set(keys)) == 1 else "without a common key"
    return f"{len(keys)} request{'s' * (len(keys) > 1)} {kind}"


async def main() -> None:
    """Print a line for each client that is installed."""
    for module, send in CLIENTS.items():
        if find_spec(module) is None:
            print(f"{module}: not installed")
            continue
        keys = await requests_of(send)
        print(f"{module}: {described(keys)}")


if __name__ == "__main__":
    asyncio.run(main())
