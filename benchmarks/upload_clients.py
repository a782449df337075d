"""An upload with each client, as its users write it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.clients import TOKEN
from benchmarks.examples import API_PATH, CREATE
from benchmarks.pairs import AsyncCall
from linq_async import LinqClient

BASELINE = "aiohttp FormData(open file)"


@asynccontextmanager
async def by_hand(url: str, path: Path) -> AsyncGenerator[AsyncCall]:
    """Yield an upload with aiohttp."""
    async with aiohttp.ClientSession(headers=TOKEN) as session:

        async def upload() -> object:
            with open(path, "rb") as file:  # noqa: ASYNC230  # as its users write it
                form = aiohttp.FormData()
                form.add_field("send_from", CREATE["send_from"])
                for number in CREATE["phone_numbers"]:
                    form.add_field("chat[phone_numbers][]", number)
                form.add_field("message[text]", CREATE["text"])
                form.add_field("message[attachments][]", file, filename="quote.pdf", content_type="application/pdf")
                async with session.post(f"{url}{API_PATH}/chats", data=form) as response:
                    return await response.json()

        yield upload


@asynccontextmanager
async def linq_async(url: str, path: Path) -> AsyncGenerator[AsyncCall]:
    """Yield an upload with this package."""
    async with LinqClient("token", base_url=url) as linq:
        yield lambda: linq.chats.create(**CREATE, attachments=[path])


@asynccontextmanager
async def openai(url: str, path: Path) -> AsyncGenerator[AsyncCall]:
    """Yield an upload of a path with openai."""
    sdk: Any = import_module("openai")
    async with sdk.AsyncOpenAI(api_key="token", base_url=f"{url}/v1") as client:
        yield lambda: client.files.create(file=path, purpose="user_data")


@asynccontextmanager
async def openai_open_file(url: str, path: Path) -> AsyncGenerator[AsyncCall]:
    """Yield an upload of an open file with openai."""
    sdk: Any = import_module("openai")
    async with sdk.AsyncOpenAI(api_key="token", base_url=f"{url}/v1") as client:

        async def upload() -> Any:
            with open(path, "rb") as file:  # noqa: ASYNC230  # as its users write it
                return await client.files.create(file=file, purpose="user_data")

        yield upload


@asynccontextmanager
async def slack(url: str, path: Path) -> AsyncGenerator[AsyncCall]:
    """Yield an upload with slack-sdk, which takes three requests."""
    sdk: Any = import_module("slack_sdk.web.async_client")
    client = sdk.AsyncWebClient(token="token", base_url=f"{url}/slack/")
    yield lambda: client.files_upload_v2(file=str(path), channel="C123ABC456")


CONTENDERS: dict[str, Callable[[str, Path], AbstractAsyncContextManager[AsyncCall]]] = {
    BASELINE: by_hand,
    "linq_async": linq_async,
    "openai": openai,
    "openai, open file": openai_open_file,
    "slack-sdk": slack,
}
