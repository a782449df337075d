"""linq_async/bulk/line.py: the pace of each line, on a given clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from linq_async import LinqClient, RetryPolicy
from linq_async.bulk import BulkSender, Journal, Pacing, RecipientFile, RowResult, State, Wait
from linq_async.bulk.line import Line
from linq_async.bulk.progress import Waits
from tests.bulk.world import AT_ONCE, LINE, OTHER_LINE, Bulk, bulk_world, campaign, number, states, write_people
from tests.support.clock import Clock, until
from tests.support.loopback import Loopback, Reply, Seen, replied

DAY = 86_400.0


@pytest_asyncio.fixture
async def bulk(tmp_path: Path) -> AsyncGenerator[Bulk]:
    """Give a sandbox, a client that never retries, and a place for a journal."""
    async with bulk_world(tmp_path) as world:
        yield world


@pytest.mark.asyncio
async def test_a_line_keeps_its_pace(tmp_path: Path) -> None:
    """No gap is under half the mean, the mean is within two percent, and the gaps are not all the same."""
    clock, chance, turns = Clock(), random.Random(3), list[float]()
    timing = clock.timing(chance.random)
    waits = Waits(clock.monotonic, clock.monotonic, None)
    line = Line(LINE, Journal(tmp_path / "run.db"), Pacing(per_line=2.0), timing, waits, lambda: clock.skip(0))
    for _ in range(1_000):
        await line.turn(is_new=True)
        turns.append(clock.now)
    gaps = [after - before for before, after in pairwise(turns)]
    assert min(gaps) >= 0.25 - 1e-9
    assert sum(gaps) / len(gaps) == pytest.approx(0.5, rel=0.02)
    assert max(gaps) - min(gaps) > 0.4


class _Statuses:
    """A server whose messages have the delivery status that was set for their line."""

    def __init__(self) -> None:
        self.by_line: dict[str, str] = {}
        self.sent: list[str] = []

    async def __call__(self, seen: Seen) -> Reply:
        line = seen.json["send_from"]
        self.sent.append(line)
        message = {"id": len(self.sent), "text": seen.json["message"]["text"]}
        message["delivery_status"] = self.by_line.get(line, "pending")
        return replied({"data": {"id": 1, "chat_handles": [], "chat_messages": message}}, 201)


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ["paused", "rate_limit_exceeded"])
async def test_a_paused_line_holds_no_other(tmp_path: Path, status: str) -> None:
    """A line whose messages are not passed on waits for a minute, while the other one goes on."""
    people, clock, waits, statuses = (
        write_people(tmp_path / "people.csv", 60),
        Clock(manual=True),
        list[Wait](),
        _Statuses(),
    )
    statuses.by_line[LINE] = status
    async with (
        Loopback(default=statuses) as server,
        LinqClient("token", base_url=server.url, retry=RetryPolicy.none()) as linq,
        Journal(tmp_path / "run.db") as journal,
    ):
        await journal.load(campaign(senders=[LINE, OTHER_LINE]), RecipientFile(people))
        left = await journal.left()
        sender = BulkSender(linq, journal, concurrency=2, pacing=AT_ONCE, timing=clock.timing(), on_wait=waits.append)
        run = asyncio.ensure_future(_collected(sender))
        await until(lambda: statuses.sent.count(OTHER_LINE) == left[OTHER_LINE] and clock.sleepers == 1)
        held = statuses.sent.count(LINE)
        assert held < left[LINE]
        (wait,) = sender.progress().waits
        assert (wait.sender, wait.reason, wait.seconds) == (LINE, "line_paused", 60.0)
        assert LINE not in repr(wait)
        clock.advance(60)
        await until(lambda: statuses.sent.count(LINE) > held and clock.sleepers == 1)
        assert sender.progress().waits[0].seconds == 120.0
        statuses.by_line.clear()
        clock.advance(120)
        results = await run
    assert [wait.seconds for wait in waits] == [60.0, 120.0]
    assert len(results) == 60
    assert {result.delivery_status for result in results} == {"pending", status}


async def _collected(sender: BulkSender) -> list[RowResult]:
    return [result async for result in sender.run()]


async def _run_until(bulk: Bulk, people: Path, seconds: float, **options: Any) -> list[Wait]:
    """Run until the clock has moved so far, and stop."""
    waits: list[Wait] = []
    end = bulk.clock.now + seconds

    async def sleep(wait: float) -> None:
        if bulk.clock.now + wait > end:
            await until(lambda: not sender.counts.begun)
            sender.stop()
        await bulk.clock.skip(min(wait, end - bulk.clock.now))

    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal, timing=bulk.clock.timing(), on_wait=waits.append, **options)
        bulk.clock.sleep = sleep
        async for _result in sender.run():
            pass
    return waits


@pytest.mark.asyncio
async def test_the_daily_cap_survives_a_restart(bulk: Bulk, tmp_path: Path) -> None:
    """No line sends more than its cap in any 24 hours, also if the run is restarted in between."""
    people = write_people(tmp_path / "people.csv", 25)
    pacing = Pacing(per_line=0.1, daily_cap=10)
    (wait,) = await _run_until(bulk, people, 3_600, pacing=pacing)
    assert (wait.reason, wait.sender) == ("daily_cap", LINE)
    assert states(bulk.path) == {0: 15, 2: 10}
    (again,) = await _run_until(bulk, people, 60, pacing=pacing)
    assert again.until == pytest.approx(wait.until)
    assert states(bulk.path) == {0: 15, 2: 10}
    bulk.clock.sleep = bulk.clock.skip
    results = await bulk.run(people, pacing=pacing)
    begun = sorted([result.begun or 0.0 for result in results])
    assert begun[0] >= wait.until - 1e-6
    assert all(after - before >= DAY - 1e-6 for before, after in zip(begun, begun[10:], strict=False))
    assert states(bulk.path) == {2: 25}


@pytest.mark.asyncio
async def test_a_second_attempt_needs_no_place_under_the_cap(bulk: Bulk, tmp_path: Path) -> None:
    """A row that is sent again under its key has been counted already."""
    bulk.sandbox.faults.drop_after_storing(phone_number=number(1))
    results = await bulk.run(write_people(tmp_path / "people.csv", 3), pacing=Pacing(per_line=None, daily_cap=3))
    assert [result.state for result in results].count(State.UNKNOWN) == 1
    assert states(bulk.path) == {2: 3}
    assert bulk.clock.sleeps == [2.0]
