"""Files of recipients, CSV or JSON Lines, read row by row. Whatever is odd is a problem with a line and a row.

A file comes from outside: lines and fields have a maximum length, and nothing is guessed that could drop a row.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import attrs
import orjson

from linq_async.bulk.errors import BulkInputError, Problems, RowProblem
from linq_async.bulk.numbers import e164
from linq_async.bulk.template import is_merge_field
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.uploads import reason_of

MAX_LINE = 1 << 20
"""The maximum length of a line, and of a row of several lines, in characters."""
SAMPLE = 2_048
"""Characters from which the delimiter is found. The time that ``csv.Sniffer`` takes grows with their square."""
DELIMITERS = ",;\t|"

_UNDECODABLE = re.compile("[\ud800-\udfff]")
_JSON_SUFFIXES = {".jsonl", ".ndjson"}


@attrs.define
class Row:
    """One row of a file. Its ``repr`` shows no values."""

    number: int
    """The row, counted from 1 without the header."""
    line: int
    """The line at which it starts, counted from 1."""
    values: Mapping[str, object] = attrs.field(repr=False)
    """The values by column. Those of a CSV file are texts."""


@attrs.frozen
class RecipientFile:
    """A file of recipients: JSON Lines if its name ends in ``.jsonl`` or ``.ndjson``, otherwise CSV.

    Raises:
        InvalidArgumentError: If the encoding or the delimiter cannot be used.
    """

    path: Path = attrs.field(converter=Path)
    """The path of the file."""
    encoding: str = "utf-8-sig"
    """The encoding. It is not guessed: a character that cannot be decoded is a problem."""
    delimiter: str | None = None
    """The delimiter of a CSV file; None finds one of ``, ; TAB |`` in its first lines, and is a comma in doubt."""

    def __attrs_post_init__(self) -> None:
        problems: list[Problem] = []
        try:
            "".encode(self.encoding)
        except (LookupError, TypeError, ValueError):
            problems.append(Problem("encoding", "is not known to Python"))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n '):
            problems.append(Problem("delimiter", "must be one character, and neither a quote nor a space"))
        if problems:
            raise InvalidArgumentError(problems)

    def fingerprint(self) -> str:
        """Return a hash of the file's bytes. Blocks.

        Raises:
            BulkInputError: If the file cannot be read.
        """
        try:
            _check_kind(self.path)
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        except OSError as error:
            raise _unreadable(error) from None

    def rows(self, required: Iterable[str] = ()) -> Iterator[Row | RowProblem]:
        """Yield the rows, and what is wrong with the file. Blocks. ``required`` are columns that must exist.

        Raises:
            BulkInputError: If the file cannot be read.
        """
        try:
            _check_kind(self.path)
            with self.path.open(encoding=self.encoding, errors="surrogateescape", newline="") as file:
                if self.path.suffix.lower() in _JSON_SUFFIXES:
                    yield from read_jsonl(file)
                else:
                    yield from read_csv(file, self.delimiter, required)
        except OSError as error:
            raise _unreadable(error) from None


def read_csv(file: TextIO, delimiter: str | None = None, required: Iterable[str] = ()) -> Iterator[Row | RowProblem]:
    """Yield the rows of a CSV file whose first line names the columns. Nothing after a line that is not CSV is read."""
    if delimiter is None:
        delimiter = _found_delimiter(file)
    lines = _RowLines(file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    number = 0
    while True:
        line, lines.size = reader.line_num + 1, 0
        try:
            record = next(reader, None)
        except (csv.Error, _LineError) as error:
            yield RowProblem(line, None if header is None else number + 1, _reason(error))
            return
        if record is None:
            break
        if not record:
            continue
        if header is None:
            header = [name.strip() for name in record]
            problems = [RowProblem(line, None, message) for message in _header_problems(header, required, delimiter)]
            yield from problems
            if problems:
                return
            continue
        number += 1
        if reader.line_num > line and _holds_a_row(record, delimiter):
            yield RowProblem(line, number, "has a value that holds another row: a quote may not be closed")
        elif len(record) == len(header):
            yield Row(number, line, dict(zip(header, record, strict=True)))
        else:
            yield RowProblem(line, number, f"has {len(record)} fields, but the first line has {len(header)}")
    if not number:
        yield RowProblem(1, None, "the file has no rows" if header else "the file is empty")


def read_jsonl(file: TextIO) -> Iterator[Row | RowProblem]:
    """Yield the rows of a file with a JSON object in each line. Empty lines are skipped."""
    number = 0
    lines = enumerate(_lines(file), 1)
    while True:
        try:
            line, text = next(lines, (0, ""))
        except _LineError as error:
            yield RowProblem(error.line, number + 1, str(error))
            return
        if not line:
            break
        if not text.strip():
            continue
        number += 1
        try:
            values: Any = orjson.loads(text)
        except ValueError:
            yield RowProblem(line, number, "is not JSON")
            continue
        if values.__class__ is dict:
            yield Row(number, line, values)
        else:
            yield RowProblem(line, number, "is not an object")
    if not number:
        yield RowProblem(1, None, "the file is empty")


def read_suppressed(path: str | os.PathLike[str], encoding: str = "utf-8-sig") -> frozenset[str]:
    """Return the numbers that must not be texted, in E.164, from a file with one number in each line. Blocks.

    Empty lines, and a first line ``phone_number``, are skipped.

    Raises:
        BulkInputError: If the file cannot be read, or a line is not a valid phone number: it might be someone who has
            opted out.
        InvalidArgumentError: If the encoding cannot be used.
    """
    source = RecipientFile(path, encoding)
    found: set[str] = set()
    problems = Problems()
    try:
        with source.path.open(encoding=encoding, errors="surrogateescape") as file:
            for line, text in enumerate(_lines(file), 1):
                word = text.strip().strip('"')
                number = e164(word)
                if number is not None:
                    found.add(number)
                elif word and not (line == 1 and word == "phone_number"):
                    problems.add(RowProblem(line, None, "is not a valid phone number"))
    except OSError as error:
        raise _unreadable(error) from None
    except _LineError as error:
        problems.add(RowProblem(error.line, None, str(error)))
    problems.check("the suppression list has problems")
    return frozenset(found)


class _LineError(Exception):
    """A line that cannot be read as text."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _RowLines:
    """The lines of a CSV file. A row may have several, up to a limit: an open quote could take in the whole file."""

    def __init__(self, file: TextIO) -> None:
        self.size = 0
        """Characters of the current row."""
        self._lines = _lines(file)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = next(self._lines)
        self.size += len(text)
        if self.size > MAX_LINE:
            raise _LineError(0, f"is longer than {MAX_LINE:,} characters: a quote may not be closed")
        return text


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file. Raises _LineError for one that is not text."""
    number = 0
    while True:
        number += 1
        try:
            text = file.readline(MAX_LINE)
        except UnicodeError:  # an encoding of two bytes or more
            text = "\ud800"
        if not text:
            return
        if "\0" in text:
            raise _LineError(number, "has a NUL character: the file may have another encoding, such as utf-16")
        if not text.isascii() and _UNDECODABLE.search(text):
            raise _LineError(number, "has a character that cannot be decoded: the file has another encoding")
        if len(text) == MAX_LINE:
            raise _LineError(number, f"is longer than {MAX_LINE:,} characters")
        yield text


def _found_delimiter(file: TextIO) -> str:
    """Return the delimiter of a file that was just opened, and rewind it."""
    try:
        return csv.Sniffer().sniff(file.read(SAMPLE), delimiters=DELIMITERS).delimiter
    except (csv.Error, UnicodeError):
        return ","
    finally:
        file.seek(0)


def _header_problems(header: list[str], required: Iterable[str], delimiter: str) -> list[str]:
    problems = [
        f"the first line names {name if is_merge_field(name) else 'a column'} twice"
        for name, count in Counter(header).items()
        if name and count > 1
    ]
    missing = ", ".join([name for name in required if name not in header])
    mark = {"\t": "a tab"}.get(delimiter, repr(delimiter))
    return [*problems, f"the first line names no column {missing} (its delimiter is {mark})"] if missing else problems


def _holds_a_row(record: list[str], delimiter: str) -> bool:
    """Return whether a quote has taken in rows: whether a value has a line with a number where its row has one, too.

    Such a file may be valid CSV. The rows would be lost, and their numbers sent to whoever is named by the first one.
    """
    columns = [index for index, value in enumerate(record) if e164(value)]
    lines = [line.split(delimiter) for value in record for line in value.splitlines()[1:]]
    return any(len(line) > max(index, 1) and e164(line[index]) for line in lines for index in columns)


def _reason(error: Exception) -> str:
    if isinstance(error, _LineError):
        return str(error)
    if "field larger" in str(error):
        return "has a field of more than 131,072 characters: a quote may not be closed"
    return "has a quote that is not closed, or that is followed by other text"


def _check_kind(path: Path) -> None:
    """Refuse a pipe or a device, which may block or never end. A file is read twice: for its hash, and for its rows."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a directory says what it is
        raise BulkInputError("the file is not a regular file")


def _unreadable(error: OSError) -> BulkInputError:
    return BulkInputError(f"the file {reason_of(error)}")
