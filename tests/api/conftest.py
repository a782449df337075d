"""Fixtures for the tests of the API operations."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from linq_async import Attempt
from linq_async.sandbox import Sandbox
from tests.support.clock import Clock
from tests.support.world import World, client_on


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """Return a client on an empty sandbox; both use the same clock."""
    clock = Clock()
    async with Sandbox(clock=clock.moment) as sandbox:
        found: list[World] = []

        def note(attempt: Attempt) -> None:
            found[0].note(attempt)

        async with client_on(sandbox, clock, on_attempt=note) as linq:
            found.append(World(linq, sandbox, clock))
            yield found[0]


@pytest_asyncio.fixture
async def filled(world: World) -> World:
    """Return a client on a sandbox that holds one of each resource."""
    await world.fill()
    return world


@pytest.fixture
def clock() -> Clock:
    """Return a clock that only the test advances."""
    return Clock(manual=True)


@pytest_asyncio.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    """Run a sandbox on the clock. It answers 429 to a check that comes too soon."""
    async with Sandbox(clock=clock.moment) as running:
        yield running
