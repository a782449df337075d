"""A bot whose process is killed with SIGKILL again and again handles every event that it has acknowledged."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from .bots import event_of
from .mortals import Mortal, Sender
from .samples import SECRET

ENVIRONMENT = {
    "LINQ_BASE_URL": "http://127.0.0.1:1",
    "LINQ_INTEGRATION_TOKEN": "token-of-the-tests",
    "LINQ_WEBHOOK_SECRET": SECRET,
}


async def _write_until(over: asyncio.Event, sender: Sender, session: aiohttp.ClientSession, chat_id: int) -> None:
    """Send the messages of one chat, one after another."""
    number = 0
    while not over.is_set():
        event = event_of(f"{chat_id}-{number}", chat_id)
        await sender.send(session, event.event_id, event.body)
        number += 1


def _first_times(handled: list[str]) -> dict[str, list[int]]:
    """Return the numbers of the events of each chat in the order in which they were handled for the first time."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for event_id in dict.fromkeys(handled):
        chat_id, _, number = event_id.partition("-")
        found[chat_id].append(int(number))
    return found


@pytest.mark.slow
@pytest.mark.asyncio
async def test_fifty_kills_lose_no_event(tmp_path: Path) -> None:
    """After 50 kills, every acknowledged event was handled, those of a chat in order, and no body is left."""
    inbox, file, chance, over = tmp_path / "bot.db", tmp_path / "handled", random.Random(11), asyncio.Event()
    arguments = (str(inbox), str(file))
    async with (
        Mortal("tests.webhooks.mortal_bot", *arguments, environment=ENVIRONMENT) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        sender = Sender(server.url, chance)
        writers = [asyncio.create_task(_write_until(over, sender, session, chat_id)) for chat_id in range(1, 31)]
        await server.kill_often(50, lambda: chance.uniform(0.0, 0.15))
        await server.start()
        over.set()
        await asyncio.gather(*writers)
        assert await server.stop() == 0
    check_inbox(inbox)
    handled = file.read_text().split()
    again = len(handled) - len(set(handled))
    print(f"{len(sender.acknowledged)} acknowledged of {sender.deliveries} deliveries, {again} handled again")
    assert set(sender.acknowledged) == set(handled)
    assert len(sender.acknowledged) > 1_000
    assert all(numbers == sorted(numbers) for numbers in _first_times(handled).values())
    assert set(sender.failures) <= {"ServerDisconnectedError", "ClientOSError", "503"}
    assert again <= 50 * 20


def check_inbox(path: Path) -> None:
    """Check that an inbox has no unfinished event and no body, and that nobody else may read it."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT DISTINCT state, body FROM events").fetchall() == [("done", b"")]
    assert path.stat().st_mode & 0o777 == 0o600
