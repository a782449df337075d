"""linq_async/webhooks/sqlite_inbox.py: what is acknowledged is on the disk, and nobody else can read it."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from linq_async import InvalidArgumentError
from linq_async.webhooks import InboxError, SqliteInbox
from linq_async.webhooks.sqlite_file import Batch, InboxFile
from tests.support.clock import Clock

KEY, BODY = "message.received:e-1", b'{"event_id": "e-1"}'
CANARY = b"a text that nobody may see"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that does not exist yet."""
    return tmp_path / "bot.db"


async def _error_of(call: Awaitable[object]) -> str:
    with pytest.raises(InboxError) as caught:
        await call
    return str(caught.value)


async def _open_once_closed(path: Path) -> SqliteInbox:
    """Open an inbox as soon as the one before has closed the file."""
    async with asyncio.timeout(5):
        while True:
            inbox = SqliteInbox(path)
            try:
                return await inbox.__aenter__()
            except InboxError:
                await asyncio.sleep(0)


def _files(path: Path) -> bytes:
    """Return what the file and those of SQLite beside it contain."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def _rows(path: Path, columns: str = "key, body, state, error") -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT {columns} FROM events ORDER BY number").fetchall()
    finally:
        connection.close()


@pytest.mark.asyncio
async def test_events_survive_the_end(path: Path) -> None:
    """After another start, unfinished events are there in order, and handled ones are still known."""
    async with SqliteInbox(path) as inbox:
        for number in range(5):
            assert await inbox.take(f"k-{number}", b"%d" % number)
        await inbox.done("k-1")
        await inbox.failed("k-2", "ValueError")
    async with SqliteInbox(str(path)) as inbox:
        assert await inbox.unfinished() == [b"0", b"3", b"4"]
        assert [await inbox.take(f"k-{number}", b"again") for number in range(5)] == [False, False, True, False, False]
        assert await inbox.unfinished() == [b"0", b"3", b"4", b"again"]


@pytest.mark.parametrize("count", [1, 20, 5_000])
@pytest.mark.asyncio
async def test_bodies_are_deleted_once_handled(path: Path, count: int) -> None:
    """A handled event keeps its key only, and the file no longer has its body. A failed one keeps both."""
    async with SqliteInbox(path) as inbox:
        for key in ("handled", "failed"):
            await inbox.take(key, CANARY * count if key == "handled" else BODY)
        assert CANARY in _files(path)
        await inbox.done("handled")
        await inbox.failed("failed", "ValueError")
    assert CANARY not in _files(path)
    assert _rows(path) == [("handled", b"", "done", None), ("failed", BODY, "failed", "ValueError")]


@pytest.mark.asyncio
async def test_a_commit_reaches_the_disk(path: Path) -> None:
    """SQLite waits for the disk in each transaction, so that an event also survives a power failure."""
    async with SqliteInbox(path) as inbox:
        assert inbox._file is not None
        names = ("synchronous", "journal_mode", "locking_mode")
        found = [inbox._file._connection.execute(f"PRAGMA {name}").fetchone() for name in names]
    assert found == [(2,), ("wal",), ("exclusive",)]


@pytest.mark.parametrize("readable", [False, True])
def test_nobody_else_may_read_the_files(path: Path, readable: bool) -> None:
    """All files have mode 0600, whether the inbox has created them or they were readable before."""
    if readable:
        path.touch(mode=0o666)
        path.chmod(0o666)

    async def modes() -> dict[str, int]:
        async with SqliteInbox(path) as inbox:
            await inbox.take(KEY, BODY)
            return {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert asyncio.run(modes()) == {"bot.db": 0o600, "bot.db-wal": 0o600}


@pytest.mark.asyncio
async def test_a_file_has_one_inbox(path: Path) -> None:
    """A second inbox is refused in one line while the first is open, which goes on, and not after that."""
    refused = f"{path} is in use by another process: each process needs an inbox of its own"
    second = SqliteInbox(path)
    async with SqliteInbox(path) as inbox:
        assert await _error_of(second.__aenter__()) == refused
        assert await inbox.take(KEY, BODY)
        assert (
            await _error_of(inbox.__aenter__()) == f"{path} is open already: each dispatcher needs an inbox of its own"
        )
        assert repr(inbox) == f"<SqliteInbox {str(path)!r}, open>"
    assert repr(inbox) == f"<SqliteInbox {str(path)!r}, closed>"
    async with second:
        assert not await second.take(KEY, BODY)


@pytest.mark.asyncio
async def test_a_second_process_is_refused(path: Path) -> None:
    """Another process gets the same line."""
    script = (
        "import asyncio, sys\nfrom linq_async.webhooks import SqliteInbox\n"
        "async def main():\n    async with SqliteInbox(sys.argv[1]):\n        pass\n"
        "try:\n    asyncio.run(main())\nexcept Exception as error:\n    print(error)\n"
    )
    outputs: list[str] = []
    for _ in range(2):
        async with SqliteInbox(path if not outputs else path.with_name("other.db")):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "error", "-c", script, str(path), stdout=asyncio.subprocess.PIPE
            )
            outputs.append((await process.communicate())[0].decode())
    assert outputs == [f"{path} is in use by another process: each process needs an inbox of its own\n", ""]


@pytest.mark.asyncio
async def test_many_events_share_a_transaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives during a transaction is written in the next one."""
    written: list[Batch] = []
    write = InboxFile.write

    def counted(file: InboxFile, batch: Batch) -> set[str]:
        written.append(batch)
        return write(file, batch)

    monkeypatch.setattr(InboxFile, "write", counted)
    async with SqliteInbox(path) as inbox:
        keys = [f"k-{number}" for number in range(1_000)]
        assert all(await asyncio.gather(*[inbox.take(key, BODY) for key in keys]))
        await asyncio.gather(*[inbox.done(key) for key in keys], *[inbox.take(key, BODY) for key in keys])
    assert [len(batch.taken) for batch in written] == [1, 999, 0, 1_000]
    assert [len(batch.done) for batch in written] == [0, 0, 1, 999]
    assert len(_rows(path)) == 1_000


@pytest.mark.asyncio
async def test_a_full_disk_is_an_error(path: Path) -> None:
    """If nothing more can be written, each event that was to be taken is refused, and taken once there is room."""
    async with SqliteInbox(path) as inbox:
        assert inbox._file is not None
        connection = inbox._file._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        large = b"x" * 100_000
        results = await asyncio.gather(*[inbox.take(f"k-{n}", large) for n in range(10)], return_exceptions=True)
        assert {str(result) for result in results} == {f"{path} cannot be used: database or disk is full"}
        assert len({id(result) for result in results}) == 10
        connection.execute("PRAGMA max_page_count=1000000")
        assert await inbox.take("k-0", large)
        assert await inbox.unfinished() == [large]


@pytest.mark.asyncio
async def test_a_full_disk_shows_no_body(path: Path) -> None:
    """Neither the error nor the frames that it passes have the body of an event."""
    async with SqliteInbox(path) as inbox:
        assert inbox._file is not None
        inbox._file._connection.execute("PRAGMA max_page_count=1")
        with pytest.raises(InboxError) as caught:
            await inbox.take(KEY, CANARY * 1_000)
        found, trace = [repr(caught.value), repr(caught.value.__context__)], caught.tb.tb_next
        while trace is not None:
            found += map(repr, trace.tb_frame.f_locals.values())
            trace = trace.tb_next
        assert len(found) > 4
        assert not any(CANARY.decode() in one for one in found)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a database" * 100, "is damaged or not an inbox (file is not a database): move it away, or restore it"),
        (None, "is not a regular file"),
    ],
)
def test_what_is_not_an_inbox_is_refused(path: Path, content: bytes | None, reason: str) -> None:
    """A file of something else, or a directory, is refused and stays as it is."""
    if content is None:
        path.mkdir(mode=0o755)
    else:
        path.write_bytes(content)
    assert asyncio.run(_error_of(SqliteInbox(path).__aenter__())) == f"{path} {reason}"
    assert path.is_dir() if content is None else path.read_bytes() == content


def test_a_damaged_inbox_is_refused(path: Path) -> None:
    """An inbox whose pages were overwritten is refused, in one line that says what to do."""

    async def fill() -> None:
        async with SqliteInbox(path) as inbox:
            await asyncio.gather(*[inbox.take(f"k-{number}", BODY) for number in range(200)])

    asyncio.run(fill())
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    error = asyncio.run(_error_of(SqliteInbox(path).__aenter__()))
    assert error.startswith(f"{path} is damaged or not an inbox (database disk image is malformed)")


@pytest.mark.asyncio
async def test_a_database_of_another_program_is_refused(path: Path) -> None:
    """A database with other tables is refused and not changed."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE events (id INTEGER)")
    connection.close()
    assert await _error_of(SqliteInbox(path).__aenter__()) == f"{path} is a database of another program"
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == [("CREATE TABLE events (id INTEGER)",)]
    connection.close()


@pytest.mark.asyncio
async def test_a_path_without_a_directory_is_refused(path: Path) -> None:
    """A file that cannot be created is refused with the reason of the system."""
    path = path / "missing" / "bot.db"
    assert await _error_of(SqliteInbox(path).__aenter__()) == f"{path} cannot be opened: No such file or directory"


@pytest.mark.asyncio
async def test_old_keys_are_deleted(path: Path) -> None:
    """At the start and each hour, handled and failed events are deleted after the time to keep them; others are not."""
    clock = Clock(start=1_700_000_000.0, manual=True)
    inbox = SqliteInbox(path, keep=timedelta(days=7), clock=clock.monotonic)
    async with inbox:
        for key in ("unfinished", "handled", "failed"):
            await inbox.take(key, BODY)
        await inbox.done("handled")
        await inbox.failed("failed", "ValueError")
        clock.advance(7 * 86_400.0)
        assert not await inbox.take("handled", BODY)
        clock.advance(3_600.0)
        assert not await inbox.take("handled", BODY)  # the transaction that deletes it
        assert await inbox.take("handled", BODY)
        await inbox.done("handled")
        clock.advance(7 * 86_400.0 + 1.0)
    async with inbox:
        assert await inbox.unfinished() == [BODY]
    assert _rows(path, "key") == [("unfinished",)]


@pytest.mark.asyncio
async def test_a_cancelled_take_is_written_all_the_same(path: Path) -> None:
    """An event whose delivery was cancelled is known, and the results of others go to those who wait."""
    async with SqliteInbox(path) as inbox:
        tasks = [asyncio.create_task(inbox.take(key, BODY)) for key in ("a", "b", "c")]
        tasks += [asyncio.create_task(inbox.take("b", BODY))]
        await asyncio.sleep(0)
        for task in tasks[:2]:
            task.cancel()
        assert [await task for task in tasks[2:]] == [True, False]
        assert await inbox.unfinished() == [BODY] * 3


@pytest.mark.asyncio
async def test_closing_writes_what_has_begun(path: Path) -> None:
    """An inbox that is closed during a transaction, and with more to write, writes all of it."""
    inbox = SqliteInbox(path)
    await inbox.__aenter__()
    tasks = [asyncio.create_task(inbox.take(f"k-{number}", BODY)) for number in range(3)]
    await asyncio.sleep(0)
    await inbox.__aexit__(None, None, None)
    assert await asyncio.gather(*tasks) == [True] * 3
    assert len(_rows(path)) == 3


@pytest.mark.asyncio
async def test_closing_can_be_cancelled(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An inbox whose closing is cancelled is closed, and refuses what it has not begun to write."""
    may_write, write = threading.Event(), InboxFile.write

    def wait_and_write(file: InboxFile, batch: Batch) -> set[str]:
        may_write.wait(5)
        return write(file, batch)

    monkeypatch.setattr(InboxFile, "write", wait_and_write)
    inbox = SqliteInbox(path)
    await inbox.__aenter__()
    tasks = [asyncio.create_task(inbox.take(f"k-{number}", BODY)) for number in range(2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(inbox.__aexit__(None, None, None))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    may_write.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [bool, InboxError]
    assert closing.cancelled()
    async with AsyncExitStack() as stack:
        again = await _open_once_closed(path)
        stack.push_async_exit(again)
        assert await again.unfinished() == [BODY]


@pytest.mark.asyncio
async def test_opening_can_be_cancelled(path: Path) -> None:
    """An inbox whose opening is cancelled leaves the file to the next one."""
    opening = asyncio.create_task(SqliteInbox(path).__aenter__())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with AsyncExitStack() as stack:
        inbox = await _open_once_closed(path)
        stack.push_async_exit(inbox)
        assert await inbox.take(KEY, BODY)


@pytest.mark.asyncio
async def test_an_inbox_that_is_not_open_refuses(path: Path) -> None:
    """Outside its block an inbox refuses everything, and an event without a body is refused inside."""
    inbox = SqliteInbox(path)
    refused = f"{path} is not open: use it as the inbox of a dispatcher that runs"
    calls = [inbox.take(KEY, BODY), inbox.done(KEY), inbox.failed(KEY, "ValueError"), inbox.unfinished()]
    assert [await _error_of(call) for call in calls] == [refused] * 4
    async with inbox:
        assert "make events with unwrap or parse" in await _error_of(inbox.take(KEY, b""))


@pytest.mark.asyncio
async def test_an_unexpected_error_reaches_those_who_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not SQLite's is raised without its text, and the inbox goes on."""

    def fail(file: InboxFile, batch: Batch) -> set[str]:
        raise MemoryError(CANARY)

    async with SqliteInbox(path) as inbox:
        with monkeypatch.context() as patched:
            patched.setattr(InboxFile, "write", fail)
            assert await _error_of(inbox.done(KEY)) == f"{path} cannot be used: MemoryError"
        assert await inbox.take(KEY, BODY)


@pytest.mark.parametrize("memory", ["", ":memory:"])
def test_the_names_of_databases_in_memory_are_refused(memory: str) -> None:
    """The names that SQLite has for a database without a file are refused: nothing would be stored."""
    with pytest.raises(InvalidArgumentError, match="path must be the path of a file"):
        SqliteInbox(memory)


def test_a_path_with_a_nul_is_refused(path: Path) -> None:
    """A NUL, which no path can contain, is refused when the inbox is made."""
    with pytest.raises(InvalidArgumentError, match="path must not contain a NUL character"):
        SqliteInbox(f"{path}\0")


def test_the_time_to_keep_is_checked(path: Path) -> None:
    """A time that is not above 0 is refused, and no file is created."""
    with pytest.raises(InvalidArgumentError, match="keep must be a timedelta above 0"):
        SqliteInbox(path, keep=timedelta(0))
    SqliteInbox(path)
    assert not path.exists()
