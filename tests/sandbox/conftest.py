"""A running sandbox and a plain session for each test."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from linq_async.sandbox import Sandbox

from .calls import HEADERS, Api


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Run a sandbox."""
    async with Sandbox() as running:
        yield running


@pytest_asyncio.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[Api]:
    """Call the sandbox with its token."""
    async with aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        yield Api(session)
