"""A pytest plugin: a local Linq, and a client on it, for each test that asks for them.

Installed with the package. The fixtures are for tests of every kind: asynchronous ones, whichever plugin runs them and
on whichever loop, and synchronous ones, whose code runs a loop of its own::

    @pytest.mark.asyncio
    async def test_reminder(linq, linq_sandbox):
        linq_sandbox.faults.answer(503)
        await send_reminder(linq)
        assert len(linq_sandbox.messages) == 1

    def test_the_script(linq_sandbox, monkeypatch):
        monkeypatch.setenv("LINQ_BASE_URL", linq_sandbox.base_url)
        monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", linq_sandbox.token)
        script.main()
        assert len(linq_sandbox.messages) == 1

Nothing of the package is loaded until a test uses a fixture. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from linq_async.client import LinqClient
    from linq_async.sandbox import Sandbox

_PATIENCE = 5.0


@pytest.fixture
def linq_sandbox() -> Iterator[Sandbox]:
    """Give a local Linq over real HTTP, empty at first: script its faults, and look at what it stored."""
    from linq_async.sandbox.threaded import ThreadedSandbox

    with ThreadedSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def linq(request: pytest.FixtureRequest, linq_sandbox: Sandbox) -> Iterator[LinqClient]:
    """Give a client of ``linq_sandbox``, which waits for milliseconds only between its attempts."""
    from linq_async.client import LinqClient
    from linq_async.config import RetryPolicy

    if "event_loop" in request.fixturenames:  # older pytest-asyncio: made first, so that it is closed last
        request.getfixturevalue("event_loop")
    retry = RetryPolicy(initial_delay=0.01, max_delay=0.05)
    client = LinqClient(linq_sandbox.token, base_url=linq_sandbox.base_url, retry=retry)
    yield client
    _close(client)


def _close(client: LinqClient) -> None:
    """Close the client on the loop that the test used it on, which may be at rest, at work or closed by now."""
    loop = client._pipeline.transport.loop  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if loop is None or loop.is_closed():
        return  # it was not used, or went with its loop
    if loop.is_running():
        _close_beside(client, loop)
    else:
        loop.run_until_complete(client.aclose())


def _close_beside(client: LinqClient, loop: asyncio.AbstractEventLoop) -> None:
    closing = asyncio.run_coroutine_threadsafe(client.aclose(), loop)
    if loop is not _running_loop():
        closing.result(_PATIENCE)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
