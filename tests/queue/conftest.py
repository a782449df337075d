"""One Valkey for all plain tests: each uses a queue of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import pytest
import pytest_asyncio

from linq_async.sandbox import Sandbox

from .valkey import Valkey
from .world import World


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """Run a server for the whole session."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


@pytest_asyncio.fixture
async def world(valkey: Valkey) -> AsyncGenerator[World]:
    """Give a sandbox and an empty queue."""
    await valkey.started()
    async with Sandbox() as sandbox, World(sandbox, valkey.url) as found:
        yield found
