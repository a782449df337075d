"""A recorder of its own for tests that look at it, and a sandbox on a thread for clients that block."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from linq_async.sandbox import Sandbox

from .recorder import Recorder, start, stop


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Record in place of the recorder of the whole run."""
    running = start()
    yield running
    stop(running)


@pytest.fixture(scope="module")
def threaded() -> Iterator[Sandbox]:
    """Run a sandbox on a thread of its own, beside the tests of one module."""
    server = Sandbox(imessage_interval=0.0)
    stops: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    async def serve() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        async with server:
            stops.put(lambda: loop.call_soon_threadsafe(over.set))
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    end = stops.get(timeout=5)
    yield server
    end()
    thread.join(5)
