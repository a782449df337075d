"""Pytest fixtures. Each test that requests them gets a local Linq and a client connected to it.

The plugin is active once the package is installed. The fixtures work in asynchronous tests, with any plugin and event
loop, and in synchronous tests, whose code runs its own loop::

    @pytest.mark.asyncio
    async def test_reminder(linq, linq_sandbox):
        linq_sandbox.faults.answer(503)
        await send_reminder(linq)
        assert len(linq_sandbox.messages) == 1

    def test_script(linq_sandbox, monkeypatch):
        monkeypatch.setenv("LINQ_BASE_URL", linq_sandbox.base_url)
        monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", linq_sandbox.token)
        script.main()
        assert len(linq_sandbox.messages) == 1

``linq_bot`` runs a bot whose webhooks the sandbox delivers::

    @pytest.mark.asyncio
    async def test_echo(linq_sandbox, linq_bot):
        async with linq_bot(bot):
            await linq_sandbox.receive(from_="+13343284472", text="hi")
            await bot.idle()
        assert linq_sandbox.messages[-1].text == "You said: hi"

The rest of the package is not imported until a test uses a fixture. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

import pytest

if TYPE_CHECKING:
    from linq_async.client import LinqClient
    from linq_async.sandbox import Sandbox
    from linq_async.webhooks import Dispatcher

State = TypeVar("State")
_CLOSE_TIMEOUT = 5.0
_FIRST_WAIT = 0.01
"""Seconds before a handler that has failed runs again in a test."""


@pytest.fixture
def linq_sandbox() -> Iterator[Sandbox]:
    """Run a local Linq over real HTTP, empty at first. Scripts faults, and shows what was stored."""
    from linq_async.sandbox.threaded import ThreadedSandbox

    with ThreadedSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def linq(request: pytest.FixtureRequest, linq_sandbox: Sandbox) -> Iterator[LinqClient]:
    """Open a client connected to ``linq_sandbox``. It waits only milliseconds between attempts."""
    from linq_async.client import LinqClient
    from linq_async.config import RetryPolicy

    if "event_loop" in request.fixturenames:  # older pytest-asyncio: request its loop first, so that it closes last
        request.getfixturevalue("event_loop")
    retry = RetryPolicy(initial_delay=0.01, max_delay=0.05)
    client = LinqClient(linq_sandbox.token, base_url=linq_sandbox.base_url, retry=retry)
    yield client
    _close(client)


@pytest.fixture
def linq_bot(linq: LinqClient, linq_sandbox: Sandbox) -> LinqBot:
    """Run bots that get the events of ``linq_sandbox`` and send with ``linq``."""
    return LinqBot(linq, linq_sandbox)


class LinqBot:
    """The value of the fixture ``linq_bot``."""

    def __init__(self, linq: LinqClient, sandbox: Sandbox) -> None:
        self._linq = linq
        self._sandbox = sandbox

    @overload
    def __call__(self, bot: Dispatcher[None]) -> AbstractAsyncContextManager[Dispatcher[None]]: ...
    @overload
    def __call__(self, bot: Dispatcher[State], state: State) -> AbstractAsyncContextManager[Dispatcher[State]]: ...
    def __call__(self, bot: Dispatcher[Any], state: object = None) -> AbstractAsyncContextManager[Dispatcher[Any]]:
        """Run a bot on the running loop, behind a server of its own that is subscribed to all events.

        A handler that fails runs again after milliseconds, as often as the bot's ``attempts`` allow.
        At the end, the subscription is deleted, and events that were accepted are handled.
        """
        return self._run(bot, state)

    @asynccontextmanager
    async def _run(self, bot: Dispatcher[Any], state: object) -> AsyncGenerator[Dispatcher[Any]]:
        import attrs

        from linq_async.integrations.server import serving

        secret = secrets.token_hex(16)
        settings = attrs.evolve(bot._settings, first_wait=_FIRST_WAIT)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        running = bot._running(self._linq, state, settings)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        async with running, serving(bot.accept, secret) as url:
            subscription = await self._sandbox.subscribe(url, secret=secret)
            try:
                yield bot
            finally:
                await self._sandbox.unsubscribe(subscription)
                with contextlib.suppress(TimeoutError):  # an attempt under way would connect to a server that closes
                    await asyncio.wait_for(self._sandbox.delivered(), _CLOSE_TIMEOUT)


def _close(client: LinqClient) -> None:
    """Close the client on the loop that the test used it on, whether that loop is stopped, running or closed."""
    loop = client._pipeline.transport.loop  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if loop is None or loop.is_closed():
        return  # never used, or closed with its loop
    if not loop.is_running():
        loop.run_until_complete(client.aclose())
        return
    closing = asyncio.run_coroutine_threadsafe(client.aclose(), loop)
    if loop is not _running_loop():  # waiting on the running loop itself would deadlock
        closing.result(_CLOSE_TIMEOUT)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
