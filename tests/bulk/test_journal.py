"""linq_async/bulk/journal.py: the whole file or nothing, one process, and nothing that another run could change."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from linq_async.bulk import (
    BulkInputError,
    CampaignChangedError,
    Columns,
    Counts,
    Journal,
    JournalError,
    JournalInUseError,
    Loaded,
    RecipientFile,
    State,
    idempotency_key,
)
from linq_async.bulk import journal as journal_module
from linq_async.bulk.journal_file import open_file
from linq_async.bulk.rows import EndedRow
from tests.bulk.world import LINE, OTHER_LINE, campaign, number, select, states, write_people


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a journal that does not exist yet."""
    return tmp_path / "run.db"


async def _load(path: Path, people: Path, suppressed: tuple[str, ...] = (), **changes: Any) -> Loaded:
    async with Journal(path, clock=lambda: 1.8e9) as journal:
        return await journal.load(campaign(**changes), RecipientFile(people), suppressed=suppressed)


@asynccontextmanager
async def _loaded(path: Path, count: int = 3, **changes: Any) -> AsyncGenerator[Journal]:
    """Open a journal with some rows."""
    await _load(path, write_people(path.with_name("people.csv"), count), **changes)
    async with Journal(path, clock=lambda: 1.8e9) as journal:
        yield journal


async def _end(journal: Journal, position: int, state: State, error: str | None = None) -> None:
    """Let a row begin and end."""
    (row,) = await journal.next_rows(LINE, position - 1, 1)
    await journal.write([row], [])
    await journal.write([], [EndedRow(row, state, 1.8e9 + 1, 2, error=error)])


async def _error_of(call: Awaitable[object]) -> JournalError:
    with pytest.raises(JournalError) as caught:
        await call
    return caught.value


@pytest.mark.asyncio
async def test_a_file_is_loaded_once(path: Path, tmp_path: Path) -> None:
    """A file is stored with a key for each row, and the second load only compares it."""
    people = write_people(tmp_path / "people.csv", 5_000)
    assert await _load(path, people) == Loaded(5_000)
    assert await _load(path, people) == Loaded(5_000, resumed=True)
    assert states(path) == {0: 5_000}
    (row,) = select(path, "SELECT key, recipient, sender, body FROM row WHERE position = 7")
    body = f'{{"send_from":"{LINE}","phone_numbers":["{number(6)}"],"text":"Hi Person 6, we open at nine."}}'
    assert row == (idempotency_key("may", number(6)), number(6), LINE, body)


@pytest.mark.asyncio
async def test_only_the_owner_can_read_it(path: Path) -> None:
    """The file and those that SQLite puts beside it are private."""
    async with _loaded(path):
        files = list(path.parent.glob("run.db*"))
        assert len(files) >= 2
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.asyncio
async def test_a_file_with_problems_stores_nothing(path: Path, tmp_path: Path) -> None:
    """The first 20 problems are shown and the others counted; the corrected file is loaded as if nothing had been."""
    people = write_people(tmp_path / "people.csv", 2_500, ["x,Ann"] * 30)
    with pytest.raises(BulkInputError) as caught:
        await _load(path, people)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the file has problems, so nothing was stored or sent"
    assert lines[1].startswith("line 2502, row 2501: phone_number is not a valid phone number")
    assert (len(lines), lines[-1]) == (22, "and 10 more")
    assert (caught.value.count, len(caught.value.problems)) == (30, 20)
    assert select(path, "SELECT count(*) FROM row UNION ALL SELECT count(*) FROM run") == [(0,), (0,)]
    assert (await _load(path, write_people(people, 3))).rows == 3


@pytest.mark.asyncio
async def test_half_a_load_is_thrown_away(path: Path, tmp_path: Path) -> None:
    """Rows of a load that did not end count for nothing, whatever file they came from."""
    await _load(path, write_people(tmp_path / "old.csv", 8))
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE run SET loaded = NULL")
    db.close()
    async with Journal(path) as journal:
        assert await journal.info() is None
    assert await _load(path, write_people(tmp_path / "people.csv", 3), name="june") == Loaded(3)


@pytest.mark.asyncio
async def test_duplicates_are_skipped(path: Path, tmp_path: Path) -> None:
    """The second row of a recipient is skipped, however the number is spelled; a row id makes both legal."""
    people = write_people(tmp_path / "people.csv", 2, ["(334) 328-0001,Twin", f"{number(1)},Triplet"])
    assert await _load(path, people) == Loaded(4, duplicates=2)
    assert select(path, "SELECT position, state, error FROM row WHERE state <> 0") == [
        (3, 5, "duplicate of row 2"),
        (4, 5, "duplicate of row 2"),
    ]
    other = tmp_path / "other.db"
    assert await _load(other, people, columns=Columns(row_id="first_name")) == Loaded(4)
    assert len(set(select(other, "SELECT key FROM row"))) == 4


@pytest.mark.asyncio
async def test_suppressed_numbers_are_skipped(path: Path, tmp_path: Path) -> None:
    """Numbers that opted out are skipped, also if they did so before a run is resumed."""
    people = write_people(tmp_path / "people.csv", 4)
    assert await _load(path, people, (number(2),)) == Loaded(4, suppressed=1)
    assert await _load(path, people, (number(3), number(9))) == Loaded(4, suppressed=2, resumed=True)
    assert select(path, "SELECT position, error FROM row WHERE state = 5") == [(3, "suppressed"), (4, "suppressed")]


@pytest.mark.asyncio
async def test_numbers_may_opt_out_later(path: Path) -> None:
    """Pending rows of numbers that opt out are skipped, and sent ones stay sent."""
    async with _loaded(path) as journal:
        await _end(journal, 1, State.SENT)
        assert await journal.suppress([number(0), number(1), number(7)]) == 1
        assert await journal.counts() == Counts(pending=1, sent=1, skipped=1)


@pytest.mark.asyncio
async def test_a_load_ends_when_the_journal_is_closed(path: Path, tmp_path: Path) -> None:
    """A load that is cancelled does not delay the end of the program, and stores nothing."""
    people = write_people(tmp_path / "people.csv", 9_000)
    journal = Journal(path)
    await journal.open()
    load = asyncio.ensure_future(journal.load(campaign(), RecipientFile(people)))
    await asyncio.sleep(0)
    load.cancel()
    await journal.aclose()
    with pytest.raises(asyncio.CancelledError):
        await load
    assert select(path, "SELECT loaded FROM run") in ([], [(None,)])
    assert select(path, "SELECT count(*) FROM row")[0][0] < 9_000


@pytest.mark.asyncio
async def test_a_suppressed_row_in_doubt_is_unknown(path: Path, tmp_path: Path) -> None:
    """A row that may have been sent stays unknown when its number opts out, and is not sent again."""
    async with _loaded(path) as journal:
        (row,) = await journal.next_rows(LINE, 0, 1)
        await journal.write([row], [])
    await _load(path, tmp_path / "people.csv", (number(0),))
    assert select(path, "SELECT state, error FROM row WHERE position = 1") == [(4, "suppressed")]
    async with Journal(path, clock=lambda: 1.8e9) as journal:
        assert await journal.left(since=0.0) == {}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": "june"}, "campaign"),
        ({"text": "Hello {first_name}"}, "text"),
        ({"senders": [OTHER_LINE]}, "senders"),
        ({"senders": [LINE, OTHER_LINE]}, "senders"),
        ({"columns": Columns(row_id="first_name")}, "columns"),
    ],
)
async def test_another_campaign_is_refused(path: Path, tmp_path: Path, changes: dict[str, Any], name: str) -> None:
    """A journal keeps its campaign: anything that changes a message is refused, with the old and the new value."""
    people = write_people(tmp_path / "people.csv", 3)
    await _load(path, people)
    with pytest.raises(CampaignChangedError, match=f"another run: {name} changed; ") as caught:
        await _load(path, people, **changes)
    (change,) = caught.value.changes
    assert change.name == name
    assert change.old != change.new
    assert "nine" not in str(caught.value) + repr(change)
    assert states(path) == {0: 3}


@pytest.mark.asyncio
async def test_another_file_is_refused(path: Path, tmp_path: Path) -> None:
    """An edited file is refused, even if it only has one more row."""
    people = write_people(tmp_path / "people.csv", 3)
    await _load(path, people)
    with pytest.raises(CampaignChangedError, match="another run: file changed"):
        await _load(path, write_people(people, 4))


@pytest.mark.asyncio
async def test_the_order_of_the_lines_does_not_matter(path: Path, tmp_path: Path) -> None:
    """The same lines in another order are the same campaign."""
    people = write_people(tmp_path / "people.csv", 3)
    await _load(path, people, senders=[LINE, OTHER_LINE])
    assert (await _load(path, people, senders=[OTHER_LINE, LINE])).resumed


@pytest.mark.asyncio
async def test_a_second_process_is_refused_at_once(path: Path) -> None:
    """Another process, or another journal of this one, gets one clear error, and the first goes on."""
    code = (
        "import asyncio, sys; from linq_async.bulk import Journal, JournalInUseError\n"
        "async def main():\n    async with Journal(sys.argv[1]): print('opened')\n"
        "try: asyncio.run(main())\nexcept JournalInUseError as error: print(error)"
    )
    async with _loaded(path) as journal:
        run = [sys.executable, "-c", code, str(path)]
        done = await asyncio.to_thread(subprocess.run, run, capture_output=True, text=True, check=True)
        assert done.stdout == "the journal is in use by another process\n"
        assert isinstance(await _error_of(Journal(path).open()), JournalInUseError)
        await _end(journal, 1, State.SENT)
    assert states(path) == {0: 2, 2: 1}


@pytest.mark.asyncio
async def test_files_that_are_no_journals(tmp_path: Path) -> None:
    """A file of something else is refused, and not changed."""
    people = write_people(tmp_path / "people.csv", 500)
    before = RecipientFile(people).fingerprint()
    assert str(await _error_of(Journal(people).open())) == "the file is not a journal"
    assert RecipientFile(people).fingerprint() == before
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    with db:
        db.execute("CREATE TABLE row (a)")
    db.close()
    assert str(await _error_of(Journal(other).open())) == "the file is not a journal of this version"
    assert str(await _error_of(Journal(tmp_path / "no" / "run.db").open())).startswith(
        "the journal cannot be created: "
    )
    assert str(await _error_of(Journal(tmp_path).open())) == "the journal is not a regular file"


async def _error_after(path: Path, change: str) -> Exception:
    """Return the error of opening a journal that a statement has changed."""
    await _load(path, write_people(path.with_name("people.csv"), 3))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    return await _error_of(Journal(path).open())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run SET settings = 'x'",
        "UPDATE run SET settings = '[]'",
        "UPDATE run SET loaded = 'x'",
        "UPDATE run SET finished = 9e999",
        "UPDATE row SET position = -1 WHERE position = 2",
        "UPDATE row SET state = 6 WHERE position = 2",
        "UPDATE row SET state = 'x' WHERE position = 2",
        "UPDATE row SET begun = 'x' WHERE position = 2",
        "UPDATE row SET ended = 1e300 WHERE position = 2",
        "UPDATE row SET body = x'ff' WHERE position = 2",
        "UPDATE row SET again = 'x' WHERE position = 2",
    ],
)
async def test_a_damaged_journal_is_refused(path: Path, change: str) -> None:
    """Values that no journal has are found when it is opened, and not in the middle of a run."""
    assert str(await _error_after(path, change)) == "the journal is damaged"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER more AFTER UPDATE ON row BEGIN UPDATE row SET state = 0; END",
        "CREATE VIEW more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "PRAGMA user_version = 2",
    ],
)
async def test_a_journal_that_does_more_is_refused(path: Path, change: str) -> None:
    """A trigger could send again what was sent, and a view never end."""
    assert str(await _error_after(path, change)) == "the file is not a journal of this version"


@pytest.mark.asyncio
async def test_an_error_of_sqlite_in_other_bytes(path: Path) -> None:
    """SQLite quotes what it has read. If that is not UTF-8, Python raises another exception."""
    await _load(path, write_people(path.with_name("people.csv"), 3))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = replace(sql, 'row', CAST(x'ff' AS TEXT)) WHERE name = 'row'")
    assert str(await _error_of(Journal(path).open())).startswith("the journal cannot be used: ")


@pytest.mark.asyncio
async def test_a_name_with_a_meaning_for_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any path is a file, also the one that SQLite takes for a database in memory."""
    monkeypatch.chdir(tmp_path)
    people = write_people(tmp_path / "people.csv", 3)
    await _load(Path(":memory:"), people)
    assert await _load(Path(":memory:"), people) == Loaded(3, resumed=True)


def test_an_empty_file_becomes_private(path: Path) -> None:
    """A file that was made for the journal, such as one of tempfile, is private before it has numbers."""
    path.touch(0o644)
    asyncio.run(_load(path, write_people(path.with_name("people.csv"), 3)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_long_rows_are_stored_in_smaller_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement takes a limited amount of memory, and the parts of a file have all its rows."""

    def small(path: Path) -> sqlite3.Connection:
        db = open_file(path)
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)  # 100 rows take 20,000
        return db

    monkeypatch.setattr(journal_module, "open_file", small)
    monkeypatch.setattr(journal_module, "BATCH_SIZE", 2_000)
    await _load(path, write_people(path.with_name("people.csv"), 100))
    assert states(path) == {0: 100}


@pytest.mark.asyncio
async def test_a_journal_is_used_while_it_is_open(path: Path) -> None:
    """Before it is opened, and after it is closed, every use is an error; closing twice is none."""
    journal = Journal(path)
    assert "not open" in str(await _error_of(journal.counts()))
    async with journal:
        assert await journal.counts() == Counts()
        assert "open already" in str(await _error_of(journal.open()))
    await journal.aclose()
    assert "not open" in str(await _error_of(journal.counts()))


@pytest.mark.asyncio
async def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    """If a result cannot be written, the rows of the same transaction have not begun either."""
    async with _loaded(path) as journal:
        first, second, _ = await journal.next_rows(LINE, 0, 3)
        await journal.write([first], [])
        broken = EndedRow(first, State.SENT, 1.0, attempts=None)  # type: ignore[arg-type]
        assert "SQLITE_CONSTRAINT" in str(await _error_of(journal.write([second], [broken])))
        assert await journal.counts() == Counts(pending=2, begun=1)


@pytest.mark.asyncio
async def test_rows_in_doubt_become_unknown_with_time(path: Path) -> None:
    """A row that began too long ago becomes unknown; one that began a short while ago is still to be sent."""
    await _load(path, write_people(path.with_name("people.csv"), 2))
    for position, now in ((1, 1.8e9), (2, 1.8e9 + 3_000)):
        async with Journal(path, clock=lambda now=now: now) as journal:  # type: ignore[misc]
            (row,) = await journal.next_rows(LINE, position - 1, 1)
            await journal.write([row], [])
    async with Journal(path, clock=lambda: 1.8e9 + 3_601) as journal:
        assert await journal.settle(3_600.0) == 1
        assert await journal.left() == {LINE: 1}
    assert select(path, "SELECT position, state, error FROM row") == [(1, 4, "in doubt"), (2, 1, None)]


@pytest.mark.asyncio
async def test_retry_takes_failed_rows_alone(path: Path) -> None:
    """Failed rows get a new key and are sent again; sent, unknown and skipped rows keep theirs."""
    async with _loaded(path, 5) as journal:
        for position, state in ((1, State.SENT), (2, State.FAILED), (3, State.UNKNOWN)):
            await _end(journal, position, state, "ServerError")
        assert await journal.retry() == 1
        assert await journal.retry() == 0
        assert await journal.counts() == Counts(pending=3, sent=1, unknown=1)
        rows = [row async for row in journal.rows()]
    assert [row.again for row in rows] == [0, 1, 0, 0, 0]
    assert rows[1].key == idempotency_key("may", number(1), again=1)
    assert (rows[1].begun, rows[1].ended, rows[1].error) == (None, None, None)
    assert [row.key for row in rows[2:]] == [idempotency_key("may", number(n)) for n in (2, 3, 4)]


@pytest.mark.asyncio
async def test_a_run_is_finished_when_no_row_is_left(path: Path) -> None:
    """The journal says when the run was finished, and a retry takes that back."""
    async with _loaded(path, 1) as journal:
        await journal.finish()
        info = await journal.info()
        assert info is not None
        assert (info.campaign, info.finished, info.settings["senders"]) == ("may", None, LINE)
        await _end(journal, 1, State.FAILED, "BadRequestError")
        await journal.finish()
        assert (info := await journal.info()) is not None
        assert info.finished == 1.8e9
        await journal.retry()
        assert (info := await journal.info()) is not None
        assert info.finished is None


@pytest.mark.asyncio
async def test_an_empty_journal_has_nothing(path: Path) -> None:
    """A journal without a run has no rows, no times, and nothing to retry."""
    async with Journal(path) as journal:
        assert await journal.info() is None
        assert await journal.timeline() is None
        assert [row async for row in journal.rows()] == []
        assert await journal.retry() == 0


@pytest.mark.asyncio
async def test_a_failed_load_shows_no_secret(path: Path, tmp_path: Path) -> None:
    """Neither the error nor the locals of its traceback show a number or a text."""
    people = write_people(tmp_path / "people.csv", 3, ["3343280007,"])
    suppressed = (number(5),)
    with pytest.raises(BulkInputError) as caught:
        await _load(path, people, suppressed)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    own = [line for frame in frames.stack if "linq_async/" in frame.filename for line in (frame.locals or {}).values()]
    shown = "\n".join([str(caught.value), repr(caught.value), *own])
    assert own
    assert [secret for secret in (number(5), "3343280007", "nine", "Person") if secret in shown] == []
