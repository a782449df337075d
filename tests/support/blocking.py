"""How long a piece of work keeps the loop from anything else."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Generator


@contextlib.contextmanager
def young_heap() -> Generator[None]:
    """Keep the garbage collector to objects made from now on: what other tests left takes long to look through."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def longest_block(over: asyncio.Event) -> float:
    """Return the most processor time, in seconds, that the loop's thread took between two turns of this task.

    Time that other processes took of the machine does not count.
    """
    longest, last = 0.0, time.thread_time()
    while not over.is_set():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest
