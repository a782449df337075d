"""Read multipart/form-data as it arrives, as Rack does."""

import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import unquote_to_bytes

import attrs

from linq_async.sandbox.files import UploadedFile
from linq_async.sandbox.limits import StorageFullError
from linq_async.sandbox.refusals import malformed, storage_full, too_large

from .form import Form
from .params import MAX_PARTS, params_of_pairs

MAX_FILES = 128
MAX_HEAD = 64 * 1024
# Rack 3.1 and later ignore a longer one, and so lose its part.
MAX_DISPOSITION = 1536
NAME = re.compile(r';\s*name="((?:\\"|[^"])*)"|;\s*name=([^\s;"]+)', re.IGNORECASE)
FILENAME = re.compile(r';\s*filename="((?:\\"|[^"])*)"|;\s*filename=([^\s;"]+)', re.IGNORECASE)
EXTENDED_FILENAME = re.compile(r";\s*filename\*=([^\s;']*)'[^\s;']*'([^\s;]+)", re.IGNORECASE)
BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;",]+))', re.IGNORECASE)
PERCENT = re.compile(r"%.?.?", re.DOTALL)
ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


class MultipartError(ValueError):
    """The body is not a valid multipart form."""


@attrs.frozen
class PartHead:
    """The head of one part: its field name, and its file name if it is a file."""

    name: str | None
    filename: str | None
    content_type: str | None


@attrs.frozen
class PartEnd:
    """The end of a part."""


Event = PartHead | bytes | PartEnd


def boundary_of(content_type: str) -> bytes:
    """Return the boundary in a Content-Type header."""
    found = BOUNDARY.search(content_type)
    boundary = found and (found[1] or found[2])
    if not boundary or len(boundary) > 70:
        raise MultipartError("multipart/form-data without a usable boundary")
    return boundary.encode("utf-8", "surrogateescape")


class MultipartReader:
    """Turns chunks of bytes into heads, data and ends of parts."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter may be at the very start of the body.
        self._buffer = bytearray(b"\r\n")
        self._in_part = False
        self._in_head = False
        self.done: bool = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Feed a chunk and yield what it completes."""
        if self.done:
            return
        self._buffer += chunk
        advanced = True
        while advanced and not self.done:
            if self._in_head:
                head = self._take_head()
                advanced = head is not None
                if head is not None:
                    yield head
            else:
                data, advanced = self._take_data()
                if data and self._in_part:
                    yield data
                if advanced:
                    yield from self._pass_delimiter()

    def _take_head(self) -> PartHead | None:
        # A part without headers has its blank line at once.
        end = 0 if self._buffer.startswith(b"\r\n") else self._buffer.find(b"\r\n\r\n")
        if end < 0 or len(self._buffer) < 2:
            if len(self._buffer) > MAX_HEAD:
                raise MultipartError("the head of a part is too long")
            return None
        head = bytes(self._buffer[:end])
        del self._buffer[: end + (4 if end else 2)]
        self._in_head, self._in_part = False, True
        return read_head(head)

    def _take_data(self) -> tuple[bytes, bool]:
        """Take the data up to the next delimiter; return it, and whether the delimiter was reached."""
        delimiter = self._delimiter
        found = self._buffer.find(delimiter)
        while found >= 0:
            end = found + len(delimiter)
            after = bytes(self._buffer[end : end + 2])
            if after in (b"\r\n", b"--"):
                return self._cut(found), True
            if len(after) < 2:
                return self._cut(found), False
            found = self._buffer.find(delimiter, found + 1)
        return self._cut(max(0, len(self._buffer) - len(delimiter) + 1)), False

    def _cut(self, end: int) -> bytes:
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        return data

    def _pass_delimiter(self) -> Iterator[Event]:
        size = len(self._delimiter)
        self.done = self._buffer.startswith(b"--", size)
        del self._buffer[: size + 2]
        if self._in_part:
            yield PartEnd()
        self._in_head, self._in_part = not self.done, False


def read_head(head: bytes) -> PartHead:
    """Read the header lines of a part."""
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n"))
    headers = {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
    disposition = headers.get("content-disposition", "")
    if len(disposition.encode()) > MAX_DISPOSITION:
        disposition = ""
    found = NAME.search(disposition)
    name = None if found is None else found[2] if found[1] is None else found[1].replace('\\"', '"')
    filename = None
    if plain := FILENAME.search(disposition):
        filename = file_name_as_rack_reads_it(plain[2] if plain[1] is None else plain[1])
    elif extended := EXTENDED_FILENAME.search(disposition):
        filename = _base_name(unquote_to_bytes(extended[2]).decode("utf-8", "replace"))
    return PartHead(name, filename, headers.get("content-type"))


def file_name_as_rack_reads_it(raw: str) -> str:
    """Decode percent escapes if every percent sign is one, then backslashes, then drop folders."""
    name = raw
    if all(ESCAPED.fullmatch(piece) for piece in PERCENT.findall(raw)):
        name = unquote_to_bytes(raw).decode("utf-8", "replace")
    if not re.search(r'\\[^\\"]', name):
        name = re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)
    return _base_name(name)


def _base_name(name: str) -> str:
    pieces = [piece for piece in re.split(r"[/\\]", name) if piece]
    return pieces[-1] if pieces else ""


async def read_multipart(form: Form, content_type: str, chunks: AsyncIterator[bytes]) -> None:
    """Read a multipart body into the form.

    Raises:
        RefusalError: If the body is not valid, or over a limit.
    """
    collector = _PartCollector(form)
    try:
        reader = MultipartReader(boundary_of(content_type))
        async for chunk in chunks:
            form.size += len(chunk)
            if form.size > form.limits.body_bytes:
                raise too_large(f"The body must not be over {form.limits.body_bytes} bytes")
            collector.collect(reader.feed(chunk))
    except MultipartError as error:
        raise malformed(str(error)) from None
    except StorageFullError as error:
        raise storage_full(error) from None
    if not reader.done:
        raise malformed("The multipart body ends too early")
    form.params = params_of_pairs(collector.pairs)


class _PartCollector:
    """Collects the parts of one form: text as strings, files as uploads."""

    def __init__(self, form: Form) -> None:
        self.pairs: list[tuple[str, object]] = []
        self._form = form
        self._text = bytearray()
        self._text_size = 0
        self._parts = 0
        self._head = PartHead(None, None, None)
        self._file: UploadedFile | None = None

    def collect(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, PartHead):
                self._open(event)
            elif isinstance(event, PartEnd):
                self._close()
            else:
                self._write(event)

    def _open(self, head: PartHead) -> None:
        self._head, self._text, self._file = head, bytearray(), None
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MultipartError("too many parts")
        self._count_text(len(head.name or "") + len(head.filename or ""))
        # Rack drops a part whose file name is empty: no file was chosen.
        if head.name and head.filename:
            if len(self._form.files) >= MAX_FILES:
                raise MultipartError("too many files")
            self._file = UploadedFile(head.filename, head.content_type, self._form.storage)
            self._form.files.append(self._file)

    def _write(self, data: bytes) -> None:
        if self._file is not None:
            if self._file.size + len(data) > self._form.limits.file_bytes:
                raise too_large(f"A file must not be over {self._form.limits.file_bytes} bytes")
            self._file.write(data)
        elif self._head.name and self._head.filename is None:
            self._count_text(len(data))
            self._text += data

    def _count_text(self, size: int) -> None:
        self._text_size += size
        if self._text_size > self._form.limits.text_bytes:
            raise too_large(f"The text of a form must not be over {self._form.limits.text_bytes} bytes")

    def _close(self) -> None:
        if not self._head.name or self._head.filename == "":
            return
        try:
            value = self._file or self._text.decode("utf-8")
        except UnicodeDecodeError:
            raise MultipartError(f"{self._head.name} is not valid UTF-8") from None
        self.pairs.append((self._head.name, value))
