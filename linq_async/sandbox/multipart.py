"""Read multipart/form-data as it arrives, in the manner of Rack."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import attrs

MAX_HEAD = 64 * 1024
# Rack since 3.1 overlooks a longer one, and so loses its part.
MAX_DISPOSITION = 1536
NAME = re.compile(r';\s*name="((?:\\"|[^"])*)"|;\s*name=([^\s;"]+)', re.IGNORECASE)
FILENAME = re.compile(r';\s*filename="((?:\\"|[^"])*)"|;\s*filename=([^\s;"]+)', re.IGNORECASE)
EXTENDED_FILENAME = re.compile(r";\s*filename\*=([^\s;']*)'[^\s;']*'([^\s;]+)", re.IGNORECASE)
BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;",]+))', re.IGNORECASE)
PERCENT = re.compile(r"%.?.?", re.DOTALL)
ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


class MultipartError(ValueError):
    """The body is not the multipart form that its content type promises."""


@attrs.frozen
class PartHead:
    """The head of one part: its field name, and its file name where it is a file."""

    name: str | None
    filename: str | None
    content_type: str | None


@attrs.frozen
class PartEnd:
    """The end of a part."""


Event = PartHead | bytes | PartEnd


def boundary_of(content_type: str) -> bytes:
    """Take the boundary out of a Content-Type header."""
    found = BOUNDARY.search(content_type)
    boundary = found and (found[1] or found[2])
    if not boundary or len(boundary) > 70:
        raise MultipartError("multipart/form-data without a usable boundary")
    return boundary.encode("utf-8", "surrogateescape")


class MultipartReader:
    """Turns chunks of bytes into heads, data and ends of parts."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter may stand at the very start of the body.
        self._buffer = bytearray(b"\r\n")
        self._in_part = False
        self._in_head = False
        self.done = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take in a chunk and give what became complete with it."""
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
        """Take the data up to the next delimiter; true when the delimiter is reached."""
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
    headers = dict(_header_lines(head.decode("utf-8", "replace")))
    disposition = headers.get("content-disposition", "")
    if len(disposition.encode()) > MAX_DISPOSITION:
        disposition = ""
    return PartHead(_field_name(disposition), _file_name(disposition), headers.get("content-type"))


def _header_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _field_name(disposition: str) -> str | None:
    found = NAME.search(disposition)
    if found is None:
        return None
    return found[2] if found[1] is None else found[1].replace('\\"', '"')


def _file_name(disposition: str) -> str | None:
    found = FILENAME.search(disposition)
    if found is not None:
        return file_name_as_rack_reads_it(found[2] if found[1] is None else found[1])
    extended = EXTENDED_FILENAME.search(disposition)
    if extended is None:
        return None
    return _base_name(unquote_to_bytes(extended[2]).decode("utf-8", "replace"))


def file_name_as_rack_reads_it(raw: str) -> str:
    """Undo percent signs where every one of them is an escape, then backslashes, then folders."""
    name = raw
    if all(ESCAPED.fullmatch(piece) for piece in PERCENT.findall(raw)):
        name = unquote_to_bytes(raw).decode("utf-8", "replace")
    if not re.search(r'\\[^\\"]', name):
        name = re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)
    return _base_name(name)


def _base_name(name: str) -> str:
    pieces = [piece for piece in re.split(r"[/\\]", name) if piece]
    return pieces[-1] if pieces else ""
