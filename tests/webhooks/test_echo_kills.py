"""The echo bot of docs/examples answers each message of 500 people once, however often it is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from linq_async.sandbox import LoggedRequest, Sandbox, SandboxDelivery
from linq_async.sandbox.webhooks import outbox

from .mortals import Mortal
from .samples import SECRET
from .test_kills import check_inbox

ROOT = Path(__file__).parents[2]
PEOPLE, KILLS, FAULTS, DUPLICATES = 500, 50, 0.2, 0.2
PAUSE, LIFE = 20.0, 0.6
"""Seconds: the longest time between two messages of a person, and from the start of the bot to its end."""
REPEAT_AFTER = (1.0,) * 100
"""Seconds before each repetition of a delivery. Linq gives up earlier, but a bot is not killed every second."""


class Town:
    """A sandbox with people who write to a bot, over a network that fails."""

    def __init__(self, seed: int) -> None:
        self.over = asyncio.Event()
        self.written: defaultdict[str, list[str]] = defaultdict(list)
        """The texts of each person, in order."""
        self.met: Counter[str] = Counter()
        """What happened to the sends of the bot, and to the deliveries."""
        self.sandbox = Sandbox(on_request=self._on_request, on_delivery=self._on_delivery)
        self.chance = random.Random(seed)

    def _on_request(self, entry: LoggedRequest) -> None:
        """Count a send, and let one of the next ones fail by chance."""
        if entry.idempotency_key is None:
            return
        self.met["sends"] += 1
        self.met[f"sends: {entry.fault or ('replayed' if entry.replayed else 'stored')}"] += 1
        if self.chance.random() < FAULTS:
            faults = self.sandbox.faults
            refuse: Callable[..., None] = partial(faults.answer, 503)
            fault = self.chance.choice([refuse, faults.drop_before_storing, faults.drop_after_storing, faults.cut_body])
            fault(path="/chat_messages", method="POST")

    def _on_delivery(self, entry: SandboxDelivery) -> None:
        self.met["deliveries"] += 1
        if entry.status != 200:
            self.met["deliveries failed"] += 1

    async def write(self, person: str) -> None:
        """Write messages, with pauses. Some are delivered again under another event id."""
        while not await self._paused():
            if self.chance.random() < DUPLICATES:
                self.met["duplicates"] += 1
                self.sandbox.deliveries.twice_with_new_id(event_type="message.received")
            text = f"Message {len(self.written[person]) + 1} of {person[-4:]}"
            self.written[person].append(text)
            await self.sandbox.receive(from_=person, text=text)

    async def _paused(self) -> bool:
        try:
            async with asyncio.timeout(self.chance.uniform(0.0, PAUSE)):
                return await self.over.wait()
        except TimeoutError:
            return False

    def answers(self) -> dict[str, list[str]]:
        """Return the texts that each person got, in order."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for message in self.sandbox.messages:
            if message.from_me:
                found[message.recipients[0]].append(message.text)
        return found


@pytest.mark.slow
@pytest.mark.asyncio
async def test_everybody_is_answered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through 50 kills, 20 % faults and duplicates, each message is answered once, and a person's in their order."""
    monkeypatch.setattr(outbox, "REPEAT_AFTER", REPEAT_AFTER)
    town, started = Town(7), time.monotonic()
    people = [f"+1334328{n:04}" for n in range(PEOPLE)]
    async with town.sandbox as sandbox:
        environment = {
            "LINQ_BASE_URL": sandbox.base_url,
            "LINQ_INTEGRATION_TOKEN": sandbox.token,
            "LINQ_WEBHOOK_SECRET": SECRET,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "docs/examples"), str(ROOT)]),
        }
        async with Mortal("tests.webhooks.mortal_echo", str(tmp_path), environment=environment) as bot:
            await sandbox.subscribe(bot.url, secret=SECRET)
            writers = [asyncio.create_task(town.write(person)) for person in people]
            await bot.kill_often(KILLS, lambda: town.chance.uniform(0.0, LIFE))
            await bot.start()
            town.over.set()
            await asyncio.gather(*writers)
            await sandbox.delivered()
            assert await bot.stop() == -signal.SIGTERM  # uvicorn ends with the signal that it got
    check_inbox(tmp_path / "echo.db")
    written = {person: [f"You said: {text}" for text in texts] for person, texts in town.written.items()}
    count, took = sum(map(len, written.values())), time.monotonic() - started
    print(f"{KILLS} kills, {len(written)} people, {count} messages, {took:.0f} s: {dict(town.met)}")
    assert town.answers() == written
    assert len(written) == PEOPLE
    assert town.met["sends: replayed"] > 0
