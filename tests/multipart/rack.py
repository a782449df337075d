"""How Rack, which serves every Rails application, reads a part's name and file name: a model of its parser's code."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

MAX_DISPOSITION = 1_536
"""Bytes: a longer Content-Disposition is ignored, and the part is lost."""

_PERCENT = re.compile(rb"%.?.?")
_ESCAPE = re.compile(rb"%[0-9a-fA-F]{2}")


def rack_filename(disposition: bytes) -> str | None:
    """Return the file name that ``Rack::Multipart::Parser`` finds in the value of a Content-Disposition header."""
    if len(disposition) > MAX_DISPOSITION:
        return None
    found = _parameters(disposition.partition(b";")[2]).get(b"filename")
    return None if found is None else _normalised(found)


def _parameters(rest: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    while b"=" in rest:
        name, _, rest = rest.partition(b"=")
        name = name.lstrip()
        if rest.startswith(b'"'):
            found[name], rest = _quoted(rest[1:], keeps_backslash=name == b"filename")
        else:
            found[name], _, rest = rest.partition(b";")
            continue
        rest = rest.partition(b";")[2] if b";" in rest else rest
    return found


def _quoted(rest: bytes, *, keeps_backslash: bool) -> tuple[bytes, bytes]:
    value = b""
    while found := re.search(rb'["\\]', rest):
        value += rest[: found.start()]
        rest = rest[found.end() :]
        if found[0] == b'"':
            break
        escaped, rest = rest[:1], rest[1:]
        value += found[0] + escaped if keeps_backslash and escaped != b'"' else escaped
    return value, rest


def _normalised(name: bytes) -> str:
    """Decode percent escapes if all of them are valid, replace invalid UTF-8, and strip directories."""
    if all(_ESCAPE.fullmatch(found) for found in _PERCENT.findall(name)):
        name = unquote_to_bytes(name)
    pieces = re.split(r"[/\\]", name.decode(errors="replace"))
    while pieces and not pieces[-1]:  # Ruby's split drops empty strings at the end
        pieces.pop()
    return pieces[-1] if pieces else ""
