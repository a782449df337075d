"""A pytest plugin: a local Linq, and a client on it, for each test that asks for them.

Installed with the package; needs pytest-asyncio, in either mode::

    @pytest.mark.asyncio
    async def test_reminder(linq, linq_sandbox):
        linq_sandbox.faults.answer(503)
        await send_reminder(linq)
        assert len(linq_sandbox.messages) == 1

Nothing of the package is loaded until a test uses a fixture. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

if TYPE_CHECKING:
    from linq_async.client import LinqClient
    from linq_async.sandbox import Sandbox

_LOOP_SCOPES: tuple[Literal["function", "class", "module", "package", "session"], ...] = (
    "function",
    "class",
    "module",
    "package",
    "session",
)


@pytest.fixture
def linq_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Give a local Linq over real HTTP, empty at first: script its faults, and look at what it stored."""
    return cast("Sandbox", request.getfixturevalue(_on_the_loop_of(request, "linq_sandbox")))


@pytest.fixture
def linq(request: pytest.FixtureRequest) -> LinqClient:
    """Give a client of ``linq_sandbox``, which waits for milliseconds only between its attempts."""
    return cast("LinqClient", request.getfixturevalue(_on_the_loop_of(request, "linq")))


def pytest_configure(config: pytest.Config) -> None:
    """Add the asynchronous halves of the fixtures, if pytest-asyncio is there to run them."""
    if _runs_asyncio(config):
        config.pluginmanager.register(_halves(), "linq_async.testing.halves")


def _runs_asyncio(config: pytest.Config) -> bool:
    plugin = sys.modules.get("pytest_asyncio.plugin")
    return plugin is not None and config.pluginmanager.is_registered(plugin)


def _halves() -> ModuleType:
    """Make each fixture once for each scope of loops, for a fixture cannot choose its loop when it is used."""
    from pytest_asyncio import fixture  # loaded by its own plugin already

    found = ModuleType("linq_async.testing.halves")  # pytest looks for fixtures in modules and classes only
    for scope in _LOOP_SCOPES:
        setattr(found, _half_name("linq_sandbox", scope), fixture(loop_scope=scope)(_sandbox_half()))
        setattr(found, _half_name("linq", scope), fixture(loop_scope=scope)(_client_half()))
    return found


def _half_name(name: str, scope: str) -> str:
    return f"_{name}_on_{scope}_loop"


def _sandbox_half() -> Callable[[], AsyncIterator[Sandbox]]:
    async def half() -> AsyncIterator[Sandbox]:
        from linq_async.sandbox import Sandbox

        async with Sandbox() as sandbox:
            yield sandbox

    return half


def _client_half() -> Callable[[Sandbox], AsyncIterator[LinqClient]]:
    async def half(linq_sandbox: Sandbox) -> AsyncIterator[LinqClient]:
        from linq_async.client import LinqClient
        from linq_async.config import RetryPolicy

        retry = RetryPolicy(initial_delay=0.01, max_delay=0.05)
        async with LinqClient(linq_sandbox.token, base_url=linq_sandbox.base_url, retry=retry) as client:
            yield client

    return half


def _on_the_loop_of(request: pytest.FixtureRequest, name: str) -> str:
    """Name the half that lives on the test's own loop: on another one the server would never answer."""
    if not _runs_asyncio(request.config):
        pytest.fail(f"the fixture {name} needs pytest-asyncio: pip install pytest-asyncio", pytrace=False)
    import pytest_asyncio

    if not pytest_asyncio.is_async_test(request.node):
        pytest.fail(
            f"the fixture {name} lives on the test's event loop: the test must be an async def that pytest-asyncio"
            " runs, marked with @pytest.mark.asyncio in strict mode",
            pytrace=False,
        )
    return _half_name(name, _loop_scope(request))


def _loop_scope(request: pytest.FixtureRequest) -> str:
    marker = request.node.get_closest_marker("asyncio")
    named: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    return str(named.get("loop_scope") or named.get("scope") or _default_loop_scope(request.config))


def _default_loop_scope(config: pytest.Config) -> str:
    try:
        return str(config.getini("asyncio_default_test_loop_scope"))
    except ValueError:  # pytest-asyncio before 0.26 has no such setting
        return "function"
