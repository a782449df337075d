"""The SQLite file of a journal: how it is opened, and what is refused. Everything here blocks."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Generator
from pathlib import Path

from linq_async.bulk import statements as sql
from linq_async.bulk.errors import JournalError, JournalInUseError


def open_file(path: Path) -> sqlite3.Connection:
    """Open a journal, and create it if it does not exist.

    Raises:
        JournalError: If it cannot be opened, or is not a sound journal.
        sqlite3.Error: If SQLite cannot read it.
    """
    try:
        _make_private(path)
    except OSError as error:
        raise JournalError(f"the journal cannot be created: {os.strerror(error.errno or 0)}") from None
    # A path that is not absolute may be a name that SQLite gives a meaning of its own, such as ":memory:".
    db = sqlite3.connect(path.absolute(), isolation_level=None, timeout=0, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # in WAL mode, a second process is refused at once
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not empty:
            _check(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # NORMAL forgets sends at a power failure
        if empty:
            db.executescript(sql.CREATE)
    except BaseException:
        db.close()
        raise
    return db


def _make_private(path: Path) -> None:
    """Create the file for its owner alone, or check that it is one.

    An existing file is not opened: closing it would release the locks that another journal of this process has on it.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise JournalError("the journal is not a regular file")
    if not status.st_size and status.st_mode & 0o077:
        path.chmod(0o600)


def _check(db: sqlite3.Connection) -> None:
    """Refuse a file that is not a journal, and one whose values would fail later, or whose views never end."""
    kind = (db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0])
    if kind != (sql.APPLICATION_ID, sql.VERSION) or db.execute(sql.FOREIGN).fetchone():
        raise JournalError("the file is not a journal of this version")
    if db.execute(sql.DAMAGED).fetchone():
        raise JournalError("the journal is damaged")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Generator[None]:
    """Commit what is done in it, or nothing if it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has ended it already
            db.execute("ROLLBACK")
        raise


def journal_error(error: sqlite3.Error | UnicodeError) -> JournalError:
    """Return what an error of SQLite means for the journal, without its text."""
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalInUseError("the journal is in use by another process")
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return JournalError("the file is not a journal")
    return JournalError(f"the journal cannot be used: {getattr(error, 'sqlite_errorname', type(error).__name__)}")
