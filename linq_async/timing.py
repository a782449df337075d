"""How a client waits, measures time and draws random numbers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import attrs


@attrs.frozen
class Timing:
    """The clock of a client, its sleep and its random numbers. Tests pass their own, so that nothing waits for real."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Wait for this many seconds."""
    clock: Callable[[], float] = time.monotonic
    """Return the seconds since some fixed moment; never goes back."""
    random: Callable[[], float] = random.random
    """Return a number from 0 up to, but not including, 1: the jitter of waits."""
