"""Fixtures for the tests of request bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from .kinds import Workshop
from .recorder import Recorder


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Recorder]:
    """Run a server that records requests."""
    async with Recorder() as running:
        yield running


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """Return a directory for files, and close those that were opened there."""
    with Workshop(tmp_path) as place:
        yield place
