"""The SQLite file of an inbox. Everything here blocks, and is called in one thread at a time."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from linq_async.webhooks.inbox import InboxError

APPLICATION_ID = 0x4C696E71
"""Marks the file as an inbox, in the header of SQLite."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    taken_at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'taken',
    error TEXT
)
"""
ROWS_IN_A_STATEMENT = 200
"""Each statement releases the interpreter, and a busy loop is slow to give it back: few statements, many rows.

Some releases of SQLite take no more than 999 values, and a row has three.
"""
PRUNE_SECONDS = 3_600.0
"""How often old events are deleted."""


@attrs.frozen(eq=False)
class Batch:
    """What is written in one transaction: first the ends of events, then new ones."""

    done: list[str] = attrs.field(factory=list[str])
    failed: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    """Keys and errors."""
    taken: list[tuple[str, bytes]] = attrs.field(factory=list[tuple[str, bytes]], repr=False)
    """Keys and bodies."""


class InboxFile:
    """An open inbox. SQLite locks the file until it is closed or the process ends, however that happens.

    Raises:
        InboxError: If the file is in use, is not an inbox, or cannot be read or written.
    """

    def __init__(self, path: Path, keep_seconds: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._pruned_at = clock()
        with self._explained():
            _make_private(path)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        for setting in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {setting}")
        with self._transaction():
            (found,) = self._connection.execute("PRAGMA application_id").fetchone()
            (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and found != APPLICATION_ID:
                raise InboxError(f"{self._path} is a database of another program")
            self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            self._connection.execute(SCHEMA)
            self._prune()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # bodies that were blanked before a kill

    def unfinished(self) -> list[bytes]:
        """Return the bodies of the events that are neither done nor failed, oldest first."""
        with self._explained():
            rows = self._connection.execute("SELECT body FROM events WHERE state = 'taken' ORDER BY number")
            return [body for (body,) in rows]

    def write(self, batch: Batch) -> set[str]:
        """Write a batch, and return the keys that are new. All of it is on the disk then, or nothing if this raises."""
        with self._explained(), self._transaction():
            for some in _chunks(batch.done):
                self._connection.execute(
                    f"UPDATE events SET state = 'done', body = x'', error = NULL WHERE key IN {_marks(some)}",  # noqa: S608
                    some,
                )
            for key, error in batch.failed:
                self._connection.execute("UPDATE events SET state = 'failed', error = ? WHERE key = ?", (error, key))
            new = self._take(batch.taken)
            if self._clock() - self._pruned_at >= PRUNE_SECONDS:
                self._prune()
        return new

    def _take(self, taken: list[tuple[str, bytes]]) -> set[str]:
        bodies = dict(taken)
        for some in _chunks(list(bodies)):
            query = f"SELECT key FROM events WHERE state <> 'failed' AND key IN {_marks(some)}"  # noqa: S608
            for (key,) in self._connection.execute(query, some).fetchall():
                del bodies[key]
        now = self._clock()
        for some in _chunks(list(bodies)):
            rows = ", ".join(["(?, ?, ?)"] * len(some))
            self._connection.execute(
                f"INSERT OR REPLACE INTO events (key, body, taken_at) VALUES {rows}",  # noqa: S608
                [value for key in some for value in (key, bodies[key], now)],
            )
        return set(bodies)

    def _prune(self) -> None:
        self._pruned_at = self._clock()
        oldest = self._pruned_at - self._keep_seconds
        self._connection.execute("DELETE FROM events WHERE taken_at < ? AND state <> 'taken'", (oldest,))

    def close(self) -> None:
        """Close the file, and give up the lock."""
        with self._explained():
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InboxError(f"{self._path} {_reason(error)}") from error
        except OSError as error:
            raise InboxError(f"{self._path} cannot be opened: {error.strerror}") from error


def _make_private(path: Path) -> None:
    """Create the file, or check that it is one. Nobody else may read it.

    An existing file is not opened: closing it would release the locks that another inbox of this process has on it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise InboxError(f"{path} is not a regular file")
    if mode & 0o077:
        path.chmod(0o600)


def _reason(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "is in use by another process: each process needs an inbox of its own"
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"is damaged or not an inbox ({error}): move it away, or restore it"
    return f"cannot be used: {error}"


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), ROWS_IN_A_STATEMENT):
        yield keys[start : start + ROWS_IN_A_STATEMENT]


def _marks(keys: list[str]) -> str:
    return f"({', '.join('?' * len(keys))})"
