"""The real command, killed again and again, and interrupted twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.bulk.keeping_server import KeepingServer
from tests.bulk.test_kill import survive
from tests.bulk.world import LINE, TEXT, number, states, write_people

RATE = "60"


def command(people: Path, path: Path, url: str) -> list[str]:
    """Return the command that loads a file into a journal, or resumes it, and sends to a URL."""
    settings = ["env", f"LINQ_BASE_URL={url}", "LINQ_INTEGRATION_TOKEN=token"]
    options = ["--from", LINE, "--text", TEXT, "--journal", str(path), "--rate", RATE, "--json"]
    return [*settings, sys.executable, "-m", "linq_async", "bulk", "send", str(people), *options]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_fifty_kills_of_the_command(tmp_path: Path) -> None:
    """2,000 rows survive 50 kills of the command and faults of every fifth request: nobody is texted twice."""
    server = await survive(command, tmp_path, rows=2_000, kills=50, faults=0.2)
    assert server.met["client gone"] > 0
    assert server.met["stored, lost"] > 0


@pytest.mark.slow
@pytest.mark.asyncio
async def test_ctrl_c_twice(tmp_path: Path) -> None:
    """The first Ctrl-C lets the messages under way end, the second leaves at once. Another run sends the rest."""
    people, path = write_people(tmp_path / "people.csv", 60), tmp_path / "run.db"
    async with KeepingServer(0) as server:
        server.thinking = 3.0
        run = command(people, path, server.url)
        process = await asyncio.create_subprocess_exec(*run, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        while not server.keys:
            await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        while b'"stopped"' not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        assert states(path)[1] > 0
        server.thinking = 0.1
        assert await (await asyncio.create_subprocess_exec(*run)).wait() == 0
    assert sorted(kept.recipient for kept in server.kept.values()) == [number(n) for n in range(60)]
