"""A run that is killed again and again: one message for each recipient, and a report that equals the server."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bulk.keeping_server import KeepingServer
from tests.bulk.world import number, select, states, write_people

Command = Callable[[Path, Path, str], list[str]]
"""Makes the command that loads a file into a journal, or resumes it, and sends to a URL."""


SENDING = 0.8
"""The share of kills that come after the first request of a process."""
LATEST = 0.4
"""Seconds: the longest time until a kill."""


def script(people: Path, path: Path, url: str) -> list[str]:
    """Run the sender without the command line."""
    return [sys.executable, "-m", "tests.bulk.run_bulk", str(people), str(path), url]


async def kill(command: list[str], server: KeepingServer, chance: random.Random) -> None:
    """Run a command, and kill it at a random moment: mostly while it sends, else while it starts, loads or resumes."""
    server.arrival.clear()
    process = await asyncio.create_subprocess_exec(*command)
    if chance.random() < SENDING:
        async with asyncio.timeout(30):
            await server.arrival.wait()
    await asyncio.sleep(chance.uniform(0, LATEST))
    assert process.returncode is None, "it ended before it was killed"
    process.kill()
    await process.wait()


def check_after_kill(path: Path, keys: set[str]) -> None:
    """Check that the journal is intact, and that every key that the server saw has an intent in it."""
    if not path.exists() or not select(path, "SELECT 1 FROM sqlite_master WHERE name = 'row'"):
        assert not keys
        return
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    begun = {key for (key,) in select(path, "SELECT key FROM row WHERE begun IS NOT NULL")}
    assert keys <= begun


async def survive(command: Command, folder: Path, *, rows: int, kills: int, faults: float) -> KeepingServer:
    """Kill a command again and again, let it end, and compare its journal with the server."""
    people, path, chance = write_people(folder / "people.csv", rows), folder / "run.db", random.Random(faults)
    in_doubt: list[int] = []
    async with KeepingServer(faults) as server:
        run, started = command(people, path, server.url), time.monotonic()
        while len(in_doubt) < kills:
            await kill(run, server, chance)
            check_after_kill(path, server.keys)
            in_doubt.append(states(path).get(1, 0) if server.keys else 0)
        process = await asyncio.create_subprocess_exec(*run)
        assert await process.wait() == 0
    report = select(path, "SELECT key, message_id, recipient FROM row WHERE state = 2 ORDER BY position")
    assert [recipient for _, _, recipient in report] == [number(n) for n in range(rows)]
    assert {key: message_id for key, message_id, _ in report} == {key: kept.id for key, kept in server.kept.items()}
    assert set(Counter(kept.recipient for kept in server.kept.values()).values()) == {1}
    took = time.monotonic() - started
    doubts = max(in_doubt, default=0)
    print(f"{kills} kills, {faults:.0%} faults: {took:.0f} s, at most {doubts} in doubt, {dict(server.met)}")
    return server


@pytest.mark.slow
@pytest.mark.asyncio
async def test_kills_of_a_script(tmp_path: Path) -> None:
    """1,000 rows survive 20 kills at random moments and faults of the network: nobody is texted twice or forgotten."""
    server = await survive(script, tmp_path, rows=1_000, kills=20, faults=0.05)
    assert server.met["client gone"] > 0
    assert server.met["stored, lost"] > 0


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_run_without_faults_is_clean(tmp_path: Path) -> None:
    """A run that is not killed sends each row in one attempt."""
    server = await survive(script, tmp_path, rows=300, kills=0, faults=0.0)
    assert server.met == {"": 300}
