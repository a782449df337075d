"""The SQLite file in which a sandbox keeps what it stores. Everything here blocks."""

import os
import sqlite3
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .limits import Limits

APPLICATION_ID = 0x4C537278
"""Marks the file as a sandbox's, in the header of SQLite."""
VERSION = 1
SCHEMA = {
    name: f"CREATE TABLE {name} ({columns})"
    for name, columns in {
        "records": "kind TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (kind, id)",
        "files": "id TEXT NOT NULL, part INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (id, part)",
    }.items()
}
HEADER_BYTES = 100
PART_BYTES = 1 << 20
"""Bytes of a file in one row."""


class KeepError(Exception):
    """The file in which a sandbox keeps what it stores cannot be used; the message says why."""


class KeepFile:
    """An open file. SQLite locks it until it is closed or the process ends.

    Raises:
        KeepError: If it is in use, is not a sandbox's, or cannot be read or written.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        path = path.absolute()  # SQLite takes some names, such as ":memory:", for no file
        if "\0" in str(path):
            raise KeepError("its path contains a NUL")
        with explained():
            _check_file(path, limits)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self._rows = self._connection.cursor()
        self._parts = self._connection.cursor()
        try:
            with explained():
                self._prepare(limits)
        except BaseException:
            self.close()
            raise

    def _prepare(self, limits: Limits) -> None:
        db = self._connection
        db.text_factory = bytes.decode  # the error of SQLite for other bytes would show them
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 16 * limits.text_bytes + 2 * PART_BYTES)
        for setting in ("locking_mode=EXCLUSIVE", "trusted_schema=OFF", "cell_size_check=ON", "secure_delete=ON"):
            db.execute(f"PRAGMA {setting}")
        tables = {name: (kind, sql) for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema")}
        if not tables:
            self._create()
            return
        marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if marks[0] != APPLICATION_ID:
            raise KeepError("it is a database of another program")
        if marks[1] != VERSION:
            raise KeepError("it was written by another version of the sandbox")
        own = {name: one for name, one in tables.items() if not name.startswith("sqlite_autoindex_")}
        intact = db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        if own != {name: ("table", sql) for name, sql in SCHEMA.items()} or not intact:
            raise KeepError("it is damaged")

    def _create(self) -> None:
        with self.writing() as db:
            for sql in (*SCHEMA.values(), f"PRAGMA application_id={APPLICATION_ID}", f"PRAGMA user_version={VERSION}"):
                db.execute(sql)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield kind, id and JSON of every record."""
        for row in self._rows.execute("SELECT kind, id, record FROM records"):
            if not all(isinstance(one, str) for one in row):
                raise KeepError("it is damaged")
            yield row

    def parts(self, file_id: str) -> Iterator[bytes]:
        """Yield the content of an uploaded file."""
        query = "SELECT content FROM files WHERE id = ? ORDER BY part"
        for (content,) in self._parts.execute(query, (file_id,)):
            if not isinstance(content, bytes):
                raise KeepError("it is damaged")
            yield content

    def begin_to_keep(self) -> None:
        """Get ready for many small writes, once everything was read."""
        with explained():
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")  # survives a kill of the process

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """Write in one transaction: all of it is in the file afterwards, or nothing if this raises.

        Raises:
            KeepError: If it cannot be written.
        """
        with explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._rows.close()
            self._parts.close()
            self._connection.close()


def put_file(db: sqlite3.Connection, file_id: str, parts: Iterable[bytes]) -> None:
    """Write the content of an uploaded file."""
    rows = ((file_id, number, content) for number, content in enumerate(parts))
    db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)


@contextmanager
def explained() -> Generator[None]:
    """Raise failures of the file as `KeepError`."""
    try:
        yield
    except UnicodeDecodeError:
        raise KeepError("it is damaged") from None
    except sqlite3.Error as error:
        raise KeepError(_reason(error)) from None
    except OSError as error:
        raise KeepError(f"it cannot be used: {error.strerror or type(error).__name__}") from None


def _check_file(path: Path, limits: Limits) -> None:
    """Create the file for its owner alone, or check an existing one.

    It is not opened: closing it would release the locks that another sandbox of this process has on it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise KeepError("it is not a regular file")
    if 0 < found.st_size < HEADER_BYTES:  # SQLite takes one byte for an empty database
        raise KeepError("it is not a file of the sandbox")
    if found.st_size > 8 * limits.memory_bytes + 2 * limits.disk_bytes:
        raise KeepError("it holds more than the limits of the sandbox allow")
    if found.st_mode & 0o077 and os.name != "nt":  # there, modes do not show it
        raise KeepError("other users can read or change it: chmod 600 makes it yours alone")


def _reason(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "it is in use by another sandbox"
    if code == sqlite3.SQLITE_NOTADB:
        return "it is not a file of the sandbox"
    return "it is damaged" if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_TOOBIG) else f"it cannot be used: {error}"
