"""A multipart body, read by two parsers that servers use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from python_multipart import MultipartParser
from python_multipart.multipart import parse_options_header
from werkzeug.http import parse_options_header as werkzeug_options
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData


@dataclass
class Part:
    """One part of a body, as a parser gives it."""

    name: str
    filename: str | None
    content_type: str | None
    data: bytes = field(repr=False)


@dataclass
class RawPart:
    """One part, with its headers untouched."""

    headers: list[tuple[bytes, bytes]]
    data: bytes = field(repr=False)


Reader: TypeAlias = Callable[[bytes, str], list[Part]]


def raw_parts(body: bytes, content_type: str) -> list[RawPart]:
    """Return the parts as python-multipart cuts them."""
    found: list[RawPart] = []
    name, value, data = bytearray(), bytearray(), bytearray()

    def end_of_header() -> None:
        found[-1].headers.append((bytes(name), bytes(value)))
        name.clear()
        value.clear()

    def end_of_part() -> None:
        found[-1].data = bytes(data)
        data.clear()

    parser = MultipartParser(
        parse_options_header(content_type)[1][b"boundary"],
        {
            "on_part_begin": lambda: found.append(RawPart([], b"")),
            "on_header_field": lambda chunk, start, end: name.extend(chunk[start:end]),
            "on_header_value": lambda chunk, start, end: value.extend(chunk[start:end]),
            "on_header_end": end_of_header,
            "on_part_data": lambda chunk, start, end: data.extend(chunk[start:end]),
            "on_part_end": end_of_part,
        },
    )
    parser.write(body)
    parser.finalize()
    return found


def read_python_multipart(body: bytes, content_type: str) -> list[Part]:
    """Return the parts by python-multipart, which Starlette and FastAPI use."""
    return [_part(raw) for raw in raw_parts(body, content_type)]


def _part(raw: RawPart) -> Part:
    headers = {name.lower(): value for name, value in raw.headers}
    options = parse_options_header(headers[b"content-disposition"])[1]
    filename, media_type = options.get(b"filename"), headers.get(b"content-type")
    return Part(
        options[b"name"].decode(),
        None if filename is None else filename.decode(),
        None if media_type is None else media_type.decode(),
        raw.data,
    )


def read_werkzeug(body: bytes, content_type: str) -> list[Part]:
    """Return the parts by werkzeug, which Flask uses."""
    decoder = MultipartDecoder(werkzeug_options(content_type)[1]["boundary"].encode())
    decoder.receive_data(body)
    decoder.receive_data(None)
    found: list[Part] = []
    chunks: list[bytes] = []
    while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
        if isinstance(event, Field | File):
            filename = event.filename if isinstance(event, File) else None
            found.append(Part(event.name, filename, event.headers.get("content-type"), b""))
        elif isinstance(event, Data):
            chunks.append(event.data)
            if not event.more_data:
                found[-1].data = b"".join(chunks)
                chunks.clear()
    return found


READERS: dict[str, Reader] = {"python-multipart": read_python_multipart, "werkzeug": read_werkzeug}
