"""Runs that are resumed after a while, on a given clock: who is sent again, and who is left in doubt."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from linq_async.bulk import Counts, Pacing, State
from tests.bulk.world import LINE, Bulk, bulk_world, number, select, states, write_people

HOUR = 3_600.0


@pytest_asyncio.fixture
async def bulk(tmp_path: Path) -> AsyncGenerator[Bulk]:
    """Give a sandbox, a client that never retries, and a place for a journal."""
    async with bulk_world(tmp_path) as world:
        yield world


async def _leave_in_doubt(bulk: Bulk, people: Path, stored: bool) -> None:
    """Send one row, and leave while the second is under way, which the server stores or not."""
    async with bulk.journal(people) as (journal, _):
        async with aclosing(bulk.sender(journal, concurrency=1).run(limit=1)) as run:
            await anext(run)
        (row,) = await journal.next_rows(LINE, 1, 1)
        await journal.write([row], [])
        if stored:
            await bulk.linq.chats.send(row.message())
    assert states(bulk.path) == {0: 3, 1: 1, 2: 1}


@pytest.mark.asyncio
@pytest.mark.parametrize("stored", [True, False])
async def test_a_row_in_doubt_is_sent_again_soon(bulk: Bulk, tmp_path: Path, stored: bool) -> None:
    """Within an hour, a row in doubt is sent under its key, whether or not the server has it."""
    people = write_people(tmp_path / "people.csv", 5)
    await _leave_in_doubt(bulk, people, stored)
    began = select(bulk.path, "SELECT begun FROM row WHERE position = 2")
    bulk.clock.advance(HOUR)
    results = await bulk.run(people)
    assert {result.state for result in results} == {State.SENT}
    assert bulk.texted == {number(n): 1 for n in range(5)}
    assert select(bulk.path, "SELECT begun FROM row WHERE position = 2") == began


@pytest.mark.asyncio
async def test_a_row_in_doubt_is_left_alone_later(bulk: Bulk, tmp_path: Path) -> None:
    """Two hours later, a row in doubt is unknown and not posted, and the others are sent."""
    people = write_people(tmp_path / "people.csv", 5)
    await _leave_in_doubt(bulk, people, stored=False)
    bulk.clock.advance(2 * HOUR)
    await bulk.run(people)
    assert bulk.texted == {number(n): 1 for n in (0, 2, 3, 4)}
    assert select(bulk.path, "SELECT position, error FROM row WHERE state = 4") == [(2, "in doubt")]
    await bulk.run(people)
    assert len(bulk.sandbox.messages) == 4


@pytest.mark.asyncio
async def test_an_unknown_row_is_not_sent_hours_later(bulk: Bulk, tmp_path: Path) -> None:
    """A row that three rounds left unknown is sent again by a run within the hour, and by none after that."""
    people = write_people(tmp_path / "people.csv", 2)
    bulk.sandbox.faults.drop_before_storing(phone_number=number(1), times=8)
    await bulk.run(people)
    assert len(bulk.sandbox.requests) == 5
    await bulk.run(people)
    assert len(bulk.sandbox.requests) == 5 + 3  # without a first pass, because no row is pending
    bulk.clock.advance(HOUR)
    await bulk.run(people)
    assert len(bulk.sandbox.requests) == 8
    assert states(bulk.path) == {2: 1, 4: 1}


@pytest.mark.asyncio
async def test_a_longer_time_may_be_given(bulk: Bulk, tmp_path: Path) -> None:
    """``repeat_within`` is the caller's: with three hours, the row is sent after two."""
    people = write_people(tmp_path / "people.csv", 5)
    await _leave_in_doubt(bulk, people, stored=True)
    bulk.clock.advance(2 * HOUR)
    await bulk.run(people, repeat_within=3 * HOUR)
    assert bulk.texted == {number(n): 1 for n in range(5)}


@pytest.mark.asyncio
async def test_a_row_in_doubt_may_grow_too_old_before_its_turn(bulk: Bulk, tmp_path: Path) -> None:
    """A row in doubt whose hour ends while it waits for its turn is unknown, and not sent."""
    people = write_people(tmp_path / "people.csv", 2)
    async with bulk.journal(people) as (journal, _):
        (row,) = await journal.next_rows(LINE, 1, 1)
        await journal.write([row], [])
    bulk.clock.advance(HOUR - 500)
    results = await bulk.run(people, pacing=Pacing(per_line=0.001))
    assert sorted((result.row, result.state, result.error) for result in results) == [
        (1, State.SENT, None),
        (2, State.UNKNOWN, "in doubt"),
    ]
    assert states(bulk.path) == {2: 1, 4: 1}
    assert len(bulk.sandbox.requests) == 1


@pytest.mark.asyncio
async def test_an_unknown_row_may_grow_too_old_before_its_turn(bulk: Bulk, tmp_path: Path) -> None:
    """An unknown row whose hour ends while it waits for its turn keeps its error, and is not sent."""
    people = write_people(tmp_path / "people.csv", 2)
    bulk.sandbox.faults.drop_before_storing(phone_number=number(0), times=4)
    await bulk.run(people, limit=1)
    bulk.clock.advance(HOUR - 500)
    (result,) = await bulk.run(people, pacing=Pacing(per_line=0.001))
    assert (result.row, result.state) == (2, State.SENT)
    assert select(bulk.path, "SELECT state, error FROM row") == [(4, "ConnectionLostError"), (2, None)]
    assert len(bulk.sandbox.requests) == 4 + 1


@pytest.mark.asyncio
async def test_counts_of_a_resumed_run(bulk: Bulk, tmp_path: Path) -> None:
    """The counts of a run include what earlier runs have done."""
    people = write_people(tmp_path / "people.csv", 5)
    await _leave_in_doubt(bulk, people, stored=False)
    async with bulk.journal(people) as (journal, loaded):
        assert loaded is not None
        assert loaded.resumed
        sender = bulk.sender(journal)
        assert len([result async for result in sender.run(limit=1)]) == 2  # the row in doubt, and a new one
        assert sender.counts == await journal.counts() == Counts(pending=2, sent=3)
