"""Sends a large file twice and prints memory and time; a separate process, to measure only this."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from linq_async import LinqClient, RetryPolicy, Upload

TICK = 0.001
"""Seconds that the ticker sleeps; any longer sleep is lag of the loop."""


def memory(field: str) -> int:
    """Return a figure of this process's memory, in bytes."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) << 10


def memory_from_here() -> int:
    """Reset the peak of memory, and return the current use."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    return memory("VmRSS")


async def tick(lags: list[float]) -> None:
    """Note how much later than asked the loop wakes this task."""
    while True:
        started = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append(time.perf_counter() - started - TICK)


@contextmanager
def ticking(lags: list[float]) -> Generator[None]:
    """Run the ticker."""
    task = asyncio.create_task(tick(lags))
    try:
        yield
    finally:
        task.cancel()


async def measure(url: str, path: Path, size: int) -> dict[str, object]:
    """Send a small file to warm up, then the large one, twice."""
    lags: list[float] = []
    idle: list[float] = []
    seconds: list[float] = []
    attempts: list[int] = []
    async with LinqClient("token", base_url=url, retry=RetryPolicy(initial_delay=0.0)) as linq:

        async def send(attachment: Path | Upload) -> None:
            started = time.perf_counter()
            chat = await linq.chats.create(
                send_from="+15175269229",
                phone_numbers=["+13343284472"],
                text="Hello!",
                attachments=[attachment],
            )
            seconds.append(time.perf_counter() - started)
            attempts.append(chat.attempts)

        await send(Upload.from_bytes(b"warm", filename="small.bin"))
        await send(Path(__file__))
        with ticking(idle):
            await asyncio.sleep(0.5)
        baseline = memory_from_here()
        with ticking(lags):
            await send(path)
            await send(path)
        growth = memory("VmHWM") - baseline
    sent = size * sum(attempts[2:])
    return {
        "attempts": attempts[2:],
        "growth_mib": growth / (1 << 20),
        "worst_lag_ms": max(lags) * 1e3,
        "idle_lag_ms": max(idle) * 1e3,
        "mb_per_s": sent / sum(seconds[2:]) / 1e6,
    }


print(json.dumps(asyncio.run(measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))))
