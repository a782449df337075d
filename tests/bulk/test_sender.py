"""linq_async/bulk/sender.py and engine.py: what is sent, what each failure leads to, and when a run stops."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from linq_async import ClientStateError, InvalidArgumentError, LinqClient, RetryPolicy
from linq_async.bulk import (
    BulkSender,
    Columns,
    Counts,
    Journal,
    JournalError,
    Pacing,
    RecipientFile,
    RowResult,
    State,
    Stopped,
    StopRules,
    Wait,
    idempotency_key,
)
from linq_async.bulk import engine as engine_module
from linq_async.sandbox import Sandbox
from tests.bulk.world import (
    LINE,
    NEVER,
    OTHER_LINE,
    Bulk,
    bulk_world,
    campaign,
    number,
    select,
    states,
    write_people,
)
from tests.support.clock import Clock, until
from tests.support.loopback import HANG_UP, Loopback, Reply, Seen, refused


@pytest_asyncio.fixture
async def bulk(tmp_path: Path) -> AsyncGenerator[Bulk]:
    """Give a sandbox, a client that never retries, and a place for a journal."""
    async with bulk_world(tmp_path) as world:
        yield world


def _causes(results: list[RowResult]) -> list[tuple[int, State, str | None]]:
    return sorted((result.row, result.state, result.error) for result in results)


@pytest.mark.asyncio
async def test_a_clean_run(bulk: Bulk, tmp_path: Path) -> None:
    """Every recipient gets one message under the key of the row, and the journal knows its ids. No row stays begun."""
    people = write_people(tmp_path / "people.csv", 40, [f"{number(3)},Twin"])
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal)
        results = [result async for result in sender.run()]
        rows = [row async for row in journal.rows()]
        info = await journal.info()
        assert sender.counts == await journal.counts() == Counts(sent=40, skipped=1)
        assert (sender.counts.total, sender.counts.left) == (41, 0)
    assert sender.stopped is None
    assert info is not None
    assert info.finished == bulk.wall()
    assert bulk.texted == {number(n): 1 for n in range(40)}
    stored = {message.idempotency_key: (message.id, message.chat_id, message.text) for message in bulk.sandbox.messages}
    for row in rows[:-1]:
        assert stored[row.key] == (row.message_id, row.chat_id, f"Hi Person {row.row - 1}, we open at nine.")
        assert (row.state, row.attempts, row.delivery_status, row.error) == (State.SENT, 1, "pending", None)
    assert (rows[-1].state, rows[-1].error) == (State.SKIPPED, "duplicate of row 4")
    assert sorted(results, key=lambda result: result.row) == rows[:-1]


@pytest.mark.asyncio
async def test_a_finished_run_sends_nothing(bulk: Bulk, tmp_path: Path) -> None:
    """The same command again sends nothing."""
    people = write_people(tmp_path / "people.csv", 5)
    assert len(await bulk.run(people)) == 5
    assert await bulk.run(people) == []
    assert len(bulk.sandbox.requests) == 5


@pytest.mark.asyncio
async def test_half_a_load_is_not_sent(bulk: Bulk, tmp_path: Path) -> None:
    """Neither an empty journal nor one whose load was interrupted is sent from."""
    with pytest.raises(JournalError, match="load one first"):
        await bulk.run()
    async with bulk.journal(write_people(tmp_path / "people.csv", 3)) as (journal, _):
        assert journal._db is not None
        await asyncio.to_thread(journal._db.execute, "UPDATE run SET loaded = NULL")
        with pytest.raises(JournalError, match="load one first"):
            await _collected(bulk.sender(journal))
    assert len(bulk.sandbox.requests) == 0


@pytest.mark.asyncio
async def test_attachments_are_sent(bulk: Bulk, tmp_path: Path) -> None:
    """A row with a file sends the file; one whose file is gone by then is certainly not sent."""
    rows: list[str] = []
    for n in range(2):
        (tmp_path / f"{n}.png").write_bytes(b"png")
        rows.append(f'{{"phone_number": "{number(n)}", "first_name": "Ann", "file": "{tmp_path}/{n}.png"}}')
    people = tmp_path / "people.jsonl"
    people.write_text("\n".join(rows))
    sending = campaign(columns=Columns(attachment="file"))
    async with bulk.journal() as (journal, _):
        await journal.load(sending, RecipientFile(people))
        (tmp_path / "1.png").unlink()
        results = [result async for result in bulk.sender(journal).run()]
    assert _causes(results) == [(1, State.SENT, None), (2, State.FAILED, "UploadError")]
    (message,) = bulk.sandbox.messages
    assert [attachment.filename for attachment in message.attachments] == ["0.png"]


@pytest.mark.asyncio
async def test_failures_by_row(bulk: Bulk, tmp_path: Path) -> None:
    """A refused row has failed; the others are sent, and a retry sends it under a new key, once."""
    bulk.sandbox.faults.answer(422, phone_number=number(2))
    results = await bulk.run(write_people(tmp_path / "people.csv", 5))
    failed = [(result.row, result.state, result.status, result.error) for result in results if result.error]
    assert failed == [(3, State.FAILED, 422, "UnprocessableEntityError")]
    async with bulk.journal() as (journal, _):
        assert await journal.retry() == 1
        (again,) = [result async for result in bulk.sender(journal).run()]
    assert (again.row, again.state, again.key) == (3, State.SENT, idempotency_key("may", number(2), again=1))
    assert bulk.texted == {number(n): 1 for n in range(5)}


@pytest.mark.asyncio
@pytest.mark.parametrize("rounds", [engine_module.ROUNDS, ()])
async def test_unknown_rows_are_sent_again(
    bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: tuple[float, ...]
) -> None:
    """Rows whose response was lost are sent again under the same key, after 2, 8 and 30 seconds; not without rounds."""
    monkeypatch.setattr(engine_module, "ROUNDS", rounds)
    waits: list[Wait] = []
    for times, person in ((1, number(1)), (2, number(2)), (3, number(3))):
        bulk.sandbox.faults.drop_after_storing(phone_number=person, times=times)
    people = write_people(tmp_path / "people.csv", 6)
    results = await bulk.run(people, stop=NEVER, on_wait=waits.append)
    assert bulk.texted == {number(n): 1 for n in range(6)}
    expected = [(wait, "second_pass") for wait in rounds]
    assert [(wait.seconds, wait.reason) for wait in waits] == expected
    assert bulk.clock.sleeps == list(rounds)
    assert states(bulk.path) == ({2: 6} if rounds else {2: 3, 4: 3})
    assert len(results) == (12 if rounds else 6)


@pytest.mark.asyncio
async def test_rows_stay_unknown_after_three_rounds(bulk: Bulk, tmp_path: Path) -> None:
    """A row whose response is lost four times stays unknown, with the attempts of all rounds."""
    bulk.sandbox.faults.drop_after_storing(phone_number=number(0), times=4)
    await bulk.run(write_people(tmp_path / "people.csv", 2))
    assert select(bulk.path, "SELECT state, attempts, error FROM row") == [(4, 4, "ConnectionLostError"), (2, 1, None)]
    assert bulk.texted[number(0)] == 1


@pytest.mark.asyncio
async def test_a_refusal_after_doubt_is_no_failure(bulk: Bulk, tmp_path: Path) -> None:
    """A row that may have been sent is not failed when it is refused later: a retry would text twice."""
    bulk.sandbox.faults.drop_after_storing(phone_number=number(0))
    bulk.sandbox.faults.answer(422, phone_number=number(0), times=3)
    await bulk.run(write_people(tmp_path / "people.csv", 1))
    assert select(bulk.path, "SELECT state, error FROM row") == [(4, "UnprocessableEntityError")]
    async with bulk.journal() as (journal, _):
        assert await journal.retry() == 0


@pytest.mark.asyncio
async def test_a_reused_key_is_unknown(bulk: Bulk, tmp_path: Path) -> None:
    """If the server has another message under the key, the row is unknown, names that message, and is left alone."""
    people = write_people(tmp_path / "people.csv", 1)
    key = idempotency_key("may", number(0))
    earlier = await bulk.linq.chats.create(
        send_from=LINE, phone_numbers=[number(0)], text="Something else", idempotency_key=key
    )
    (result,) = await bulk.run(people, stop=StopRules(in_a_row=1))
    assert (result.state, result.error) == (State.UNKNOWN, "KeyReusedError")
    assert (result.chat_id, result.message_id) == (earlier.id, earlier.message.id)
    assert await bulk.run(people) == []
    assert len(bulk.sandbox.messages) == 1


@pytest.mark.asyncio
async def test_what_another_journal_has_sent(tmp_path: Path) -> None:
    """A row whose message the server had before says so: nothing was sent, and the name of the campaign is to blame."""
    clock, moments = Clock(), [datetime.now(UTC) - timedelta(days=30)]
    async with (
        Sandbox(clock=lambda: moments[-1]) as sandbox,
        LinqClient(sandbox.token, base_url=sandbox.base_url, timing=clock.timing()) as linq,
    ):
        old, new = Bulk(sandbox, linq, clock, tmp_path / "old"), Bulk(sandbox, linq, clock, tmp_path)
        old.folder.mkdir()
        await old.run(write_people(tmp_path / "people.csv", 2))
        moments.append(datetime.now(UTC))
        results = await new.run(write_people(tmp_path / "people.csv", 3))
    assert _causes(results) == [(1, State.SENT, "replayed"), (2, State.SENT, "replayed"), (3, State.SENT, None)]
    assert len(sandbox.messages) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("body", ["no JSON", "[1]", "{}", '{"text": "Hi", "attachments": 5}'])
async def test_a_damaged_row_does_not_stop_the_others(bulk: Bulk, tmp_path: Path, body: str) -> None:
    """A row without a message has failed, and the others are sent."""
    async with bulk.journal(write_people(tmp_path / "people.csv", 3)):
        pass
    with closing(sqlite3.connect(bulk.path)) as db, db:
        db.execute("UPDATE row SET body = ? WHERE position = 2", (body,))
    results = _causes(await bulk.run())
    assert results == [(1, State.SENT, None), (2, State.FAILED, "JournalError"), (3, State.SENT, None)]


@pytest.mark.asyncio
async def test_an_undecodable_success_is_sent(bulk: Bulk, tmp_path: Path) -> None:
    """A 2xx response that cannot be decoded means that the row was sent: it is not sent again."""
    bulk.sandbox.faults.answer(201, json={"data": []}, phone_number=number(0))
    (result,) = await bulk.run(write_people(tmp_path / "people.csv", 1))
    assert (result.state, result.error, result.message_id) == (State.SENT, "DecodeError", None)
    assert len(bulk.sandbox.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [401, 403])
async def test_a_rejected_token_stops_at_once(bulk: Bulk, tmp_path: Path, status: int) -> None:
    """The first 401 or 403 stops the run, no row has failed because of it, and the next run sends them all."""
    bulk.sandbox.faults.answer(status, times=5)
    people = write_people(tmp_path / "people.csv", 50)
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal)
        assert [result async for result in sender.run()] == []
        assert sender.counts == await journal.counts() == Counts(pending=50)
    assert sender.stopped is not None
    assert sender.stopped.code == "rejected"
    assert sender.stopped.message.endswith(f"Error {status}")
    assert len(bulk.sandbox.requests) <= 5
    assert select(bulk.path, "SELECT count(*) FROM row WHERE begun IS NOT NULL") == [(0,)]
    bulk.sandbox.faults.clear()
    await bulk.run(people)
    assert bulk.texted == {number(n): 1 for n in range(50)}


@pytest.mark.asyncio
async def test_a_later_403_is_a_failed_row(bulk: Bulk, tmp_path: Path) -> None:
    """After the server has accepted a row, a 403 concerns its own row."""
    bulk.sandbox.faults.answer(403, phone_number=number(2))
    results = await bulk.run(write_people(tmp_path / "people.csv", 4), concurrency=1)
    assert [result.error for result in results] == [None, None, "PermissionDeniedError", None]


@pytest.mark.asyncio
async def test_failures_in_a_row_stop_the_run(bulk: Bulk, tmp_path: Path) -> None:
    """After too many failures the run stops; what was under way has a result, and the rest is pending."""
    bulk.sandbox.faults.answer(422, times=100)
    people = write_people(tmp_path / "people.csv", 60)
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal, stop=StopRules(in_a_row=10), concurrency=3)
        results = [result async for result in sender.run()]
        counts = await journal.counts()
    assert sender.stopped == Stopped(
        "in_a_row", "10 messages in a row failed; the last one: UnprocessableEntityError 422"
    )
    assert 10 <= len(results) <= 12
    assert counts == sender.counts == Counts(pending=60 - len(results), failed=len(results))


@pytest.mark.asyncio
async def test_a_429_holds_all_lines(bulk: Bulk, tmp_path: Path) -> None:
    """A row that got a 429 is sent after the wait that the server asked for, and does not count as failed."""
    waits: list[Wait] = []
    bulk.sandbox.faults.answer(429, headers={"Retry-After": "600"})
    results = await bulk.run(write_people(tmp_path / "people.csv", 3), concurrency=1, on_wait=waits.append, limit=3)
    assert [result.state for result in results] == [State.SENT] * 3
    assert [(wait.reason, wait.sender, wait.seconds) for wait in waits] == [("rate_limited", None, 600.0)]
    assert sum(bulk.clock.sleeps) >= 600
    assert states(bulk.path) == {2: 3}


@pytest.mark.asyncio
async def test_a_429_without_a_time(bulk: Bulk, tmp_path: Path) -> None:
    """Without Retry-After, the lines wait for half a minute."""
    waits: list[Wait] = []
    bulk.sandbox.faults.answer(429)
    await bulk.run(write_people(tmp_path / "people.csv", 2), on_wait=waits.append)
    assert [wait.seconds for wait in waits] == [30.0]
    assert states(bulk.path) == {2: 2}


@pytest.mark.asyncio
async def test_a_limit_is_a_test_send(bulk: Bulk, tmp_path: Path) -> None:
    """With a limit, that many rows start; the next run sends the others."""
    people = write_people(tmp_path / "people.csv", 9)
    assert sorted(result.row for result in await bulk.run(people, limit=2)) == [1, 2]
    assert states(bulk.path) == {0: 7, 2: 2}
    await bulk.run(people)
    assert bulk.texted == {number(n): 1 for n in range(9)}


@pytest.mark.asyncio
async def test_stop_lets_the_rows_under_way_end(bulk: Bulk, tmp_path: Path) -> None:
    """After ``stop``, no row starts, those under way are yielded, and the rest can be sent later."""
    people = write_people(tmp_path / "people.csv", 300)
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal)
        sender.stop()  # before the run: nothing to stop
        count = 0
        async for _result in sender.run():
            count += 1
            sender.stop("that is enough")
            sender.stop("a second call changes nothing")
        assert await journal.counts() == Counts(pending=300 - count, sent=count)
    assert sender.stopped == Stopped("requested", "that is enough")
    assert count < 300
    await bulk.run(people)
    assert bulk.texted == {number(n): 1 for n in range(300)}


@pytest.mark.asyncio
async def test_a_stop_during_a_wait(bulk: Bulk, tmp_path: Path) -> None:
    """A run that waits for its second pass stops at once."""
    bulk.sandbox.faults.drop_after_storing(phone_number=number(0))
    people = write_people(tmp_path / "people.csv", 1)
    clock = Clock(manual=True)
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal, timing=clock.timing())
        run = asyncio.ensure_future(_collected(sender))
        await clock.wait_for_sleepers(1)
        (wait,) = sender.progress().waits
        assert (wait.reason, wait.seconds) == ("second_pass", 2.0)
        sender.stop()
        assert [result.state for result in await run] == [State.UNKNOWN]


async def _collected(sender: BulkSender) -> list[RowResult]:
    return [result async for result in sender.run()]


@pytest.mark.asyncio
async def test_a_caller_that_leaves_early(bulk: Bulk, tmp_path: Path) -> None:
    """A caller that leaves the loop loses no result: rows are sent, in doubt or pending, and resumed once each."""
    people = write_people(tmp_path / "people.csv", 200)
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal)
        async with aclosing(sender.run()) as run:
            await anext(run)
        async with aclosing(sender.run()) as second:  # the sender may run again
            await anext(second)
    found = states(bulk.path)
    assert found[2] > 0
    assert sum(found.values()) == 200
    await bulk.run(people)
    assert states(bulk.path) == {2: 200}
    assert bulk.texted == {number(n): 1 for n in range(200)}


@pytest.mark.asyncio
async def test_a_cancelled_run_gives_back_what_has_not_left(tmp_path: Path) -> None:
    """After a cancellation, the rows under way are in doubt, and those that wait for a worker are pending again."""
    people, answer = write_people(tmp_path / "people.csv", 40), asyncio.Event()

    async def silence(_: Seen) -> Reply:
        await answer.wait()
        return refused(422)

    async with (
        Loopback(default=silence) as server,
        LinqClient("token", base_url=server.url) as linq,
        Journal(tmp_path / "run.db") as journal,
    ):
        await journal.load(campaign(), RecipientFile(people))
        sender = BulkSender(linq, journal, concurrency=3, pacing=Pacing(per_line=None))
        run = asyncio.ensure_future(_collected(sender))
        await until(lambda: len(server.keys) == 3 and sender.counts.begun == 6)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()
        answer.set()
    keys = select(tmp_path / "run.db", "SELECT key FROM row WHERE state = 1 AND begun IS NOT NULL")
    assert {key for (key,) in keys} == set(server.keys)
    assert states(tmp_path / "run.db") == {0: 37, 1: 3}


@pytest.mark.asyncio
async def test_a_sender_runs_once_at_a_time(bulk: Bulk, tmp_path: Path) -> None:
    """A second run at the same time is refused, and so is a limit that is none."""
    async with bulk.journal(write_people(tmp_path / "people.csv", 3)) as (journal, _):
        sender = bulk.sender(journal)
        async with aclosing(sender.run()) as run:
            await anext(run)
            with pytest.raises(ClientStateError, match="runs already"):
                await _collected(sender)
        with pytest.raises(InvalidArgumentError, match=r"^limit must be"):
            await anext(sender.run(limit=0))


@pytest.mark.asyncio
@pytest.mark.parametrize("options", [{"concurrency": 0}, {"repeat_within": -1.0}])
async def test_settings_are_checked(bulk: Bulk, options: dict[str, Any]) -> None:
    """Settings out of range are refused by name."""
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(options))} must be"):
        bulk.sender(Journal(bulk.path), **options)


@pytest.mark.asyncio
async def test_a_closed_client_ends_the_run(bulk: Bulk, tmp_path: Path) -> None:
    """If the client is closed, the run raises, and no row has failed because of it."""
    people = write_people(tmp_path / "people.csv", 3)
    async with bulk.journal(people) as (journal, _):
        closed = LinqClient("token", base_url="http://127.0.0.1:1")
        await closed.aclose()
        with pytest.raises(ClientStateError):
            await _collected(BulkSender(closed, journal, concurrency=1))
        assert (await journal.counts()).failed == 0
    await bulk.run(people)
    assert bulk.texted == {number(n): 1 for n in range(3)}


@pytest.mark.asyncio
async def test_a_full_disk_ends_the_run(bulk: Bulk, tmp_path: Path) -> None:
    """If the journal cannot be written, nothing more is sent, and what was sent is known or in doubt."""
    people = write_people(tmp_path / "people.csv", 500)
    async with bulk.journal(people) as (journal, _):
        assert journal._db is not None
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages + 1}")
        await asyncio.to_thread(_fill, journal._db)
        with pytest.raises(JournalError, match="SQLITE_FULL"):
            await _collected(bulk.sender(journal, stop=NEVER))
        journal._db.execute("DROP TABLE filler")
    keys = {message.idempotency_key for message in bulk.sandbox.messages}
    begun = {key for (key,) in select(bulk.path, "SELECT key FROM row WHERE begun IS NOT NULL")}
    assert keys <= begun
    await bulk.run(people)
    assert bulk.texted == {number(n): 1 for n in range(500)}


def _fill(db: sqlite3.Connection) -> None:
    """Use up every free page."""
    db.execute("CREATE TABLE filler (a)")
    try:
        while True:
            db.execute("INSERT INTO filler VALUES (zeroblob(100))")
    except sqlite3.OperationalError:
        return


@pytest.mark.asyncio
async def test_intents_are_on_disk_before_a_request(tmp_path: Path) -> None:
    """Whenever a request arrives, its row is marked as begun in the file that another process would read."""
    people = write_people(tmp_path / "people.csv", 30)
    path, begun = tmp_path / "run.db", list[bool]()

    async def look(seen: Seen) -> Reply:
        copy = tmp_path / "copy.db"
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
        found = await asyncio.to_thread(select, copy, f"SELECT begun FROM row WHERE key = '{seen.key}' AND state = 1")
        begun.append(len(found) == 1 and found[0][0] is not None)
        return refused(422)

    async with (
        Loopback(default=look) as server,
        LinqClient("token", base_url=server.url, retry=RetryPolicy.none()) as linq,
        Journal(path) as journal,
    ):
        await journal.load(campaign(), RecipientFile(people))
        sender = BulkSender(linq, journal, concurrency=1, pacing=Pacing(per_line=None), stop=NEVER)
        assert len(await _collected(sender)) == 30
    assert begun == [True] * 30


@pytest.mark.asyncio
async def test_a_server_that_is_gone(tmp_path: Path) -> None:
    """A server that hangs up on everything stops the run; all rows under way are unknown, and none is lost."""
    people = write_people(tmp_path / "people.csv", 100)
    async with (
        Loopback(default=HANG_UP) as server,
        LinqClient("token", base_url=server.url, retry=RetryPolicy.none()) as linq,
        Journal(tmp_path / "run.db") as journal,
    ):
        await journal.load(campaign(senders=[LINE, OTHER_LINE]), RecipientFile(people))
        sender = BulkSender(linq, journal, pacing=Pacing(per_line=None))
        results = await _collected(sender)
        counts = await journal.counts()
    assert sender.stopped is not None
    assert counts == Counts(pending=100 - len(results), unknown=len(results))


@pytest.mark.asyncio
async def test_progress_before_during_and_after(bulk: Bulk, tmp_path: Path) -> None:
    """A display can ask at any time: counts, rate, waits and the time that is left."""
    people = write_people(tmp_path / "people.csv", 3)
    clock = Clock(manual=True)
    async with bulk.journal(people) as (journal, _):
        sender = bulk.sender(journal, pacing=Pacing(per_line=0.5), timing=clock.timing())
        assert (sender.counts, sender.stopped, sender.progress().seconds_left) == (Counts(), None, None)
        run = asyncio.ensure_future(_collected(sender))
        for left in (4.0, 2.0):
            await until(lambda left=left: sender.progress().seconds_left == left)  # type: ignore[misc]
            await clock.wait_for_sleepers(1)
            clock.advance(2.0)
        assert len(await run) == 3
        after = sender.progress()
    assert (after.counts, after.seconds_left, after.waits) == (Counts(sent=3), 0.0, ())
    assert after.rate == pytest.approx(3 / 4)
