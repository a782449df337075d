"""Workers, the enqueuer and the server of the queue are killed: everybody gets one message, and the queue is empty."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from tests.bulk.keeping_server import KeepingServer
from tests.bulk.world import number

from .killed import COUNT, IDLE, QUEUE
from .valkey import Valkey

KILLS = {"worker": 14, "enqueuer": 4, "valkey": 3, "connections": 6}


class Programs:
    """Two workers and an enqueuer, each started again after it was killed."""

    def __init__(self, valkey: Valkey, server: str, progress: Path) -> None:
        self._commands = {
            "first": ("worker", valkey.url, server),
            "second": ("worker", valkey.url, server),
            "enqueuer": ("enqueuer", valkey.url, str(progress)),
        }
        self.running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, name: str) -> None:
        """Start a program."""
        command = (sys.executable, "-m", "tests.queue.killed", *self._commands[name])
        quiet = asyncio.subprocess.DEVNULL
        self.running[name] = await asyncio.create_subprocess_exec(*command, stderr=quiet)

    async def kill(self, name: str) -> None:
        """Kill a program."""
        process = self.running.pop(name)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def torment(programs: Programs, valkey: Valkey, redis: Any, chance: random.Random) -> None:
    """Kill everything, each as often as ``KILLS`` says, in a random order."""
    victims = [name for name, times in KILLS.items() for _ in range(times)]
    chance.shuffle(victims)
    for victim in victims:
        await asyncio.sleep(chance.uniform(0.3, 1.3))
        if victim == "valkey":
            valkey.kill()
            await asyncio.sleep(chance.uniform(0, 0.5))
            valkey.start()
            await valkey.started()
        elif victim == "connections":
            await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        else:
            name = chance.choice(["first", "second"]) if victim == "worker" else victim
            await programs.kill(name)
            await programs.start(name)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_kills(tmp_path: Path) -> None:
    """Each of 2,000 recipients has one message, however often what sends it is killed, and 5 % of requests fail."""
    valkey, started = Valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always"), time.monotonic()
    valkey.start()
    await valkey.started()
    redis: Any = cast("Any", Redis).from_url(valkey.url, retry=Retry(ConstantBackoff(0.1), 50))
    try:
        async with KeepingServer(faults=0.05) as server, redis:
            programs = Programs(valkey, server.url, tmp_path / "progress")
            try:
                for name in ("first", "second", "enqueuer"):
                    await programs.start(name)
                await torment(programs, valkey, redis, random.Random(7))
                async with asyncio.timeout(60):
                    assert await programs.running["enqueuer"].wait() == 0
                    while await redis.xlen(QUEUE):  # noqa: ASYNC110  # Valkey sets no events
                        await asyncio.sleep(0.05)
            finally:
                for name in list(programs.running):
                    await programs.kill(name)
            assert await redis.exists(f"{QUEUE}:dead", f"{QUEUE}:undecodable", f"{QUEUE}:first") == 0
            assert (await redis.xpending(QUEUE, QUEUE))["pending"] == 0
    finally:
        valkey.kill()
    print(f"{time.monotonic() - started:.0f} s, idle time-out {IDLE} ms, {len(server.keys)} keys, {dict(server.met)}")
    received = Counter(kept.recipient for kept in server.kept.values())
    assert received == Counter({number(index): 1 for index in range(COUNT)})
    assert server.met["client gone"] > 0
    assert server.met["stored, lost"] > 0
