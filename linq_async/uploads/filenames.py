"""File names in a multipart body."""

from __future__ import annotations

import re

MAX_FILENAME_BYTES = 1_300
"""Rack silently drops a part whose Content-Disposition is longer than 1,536 bytes."""

_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x20), 0x22, 0x7F)}
_ESCAPED = re.compile(r'[\x00-\x1f"\x7f]')
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode_filename(name: str) -> str:
    """Escape a file name as browsers do, so that Rack decodes exactly the same name and no control character is sent.

    Rack decodes percent escapes only if every percent sign starts a valid one: only then are percent signs escaped.
    """
    bare = base_name(name)
    if "%" in bare and (_ESCAPED.search(bare) or not _LONE_PERCENT.search(bare)):
        bare = bare.replace("%", "%25")
    return bare.translate(_ESCAPES)


def base_name(name: str) -> str:
    """Strip the folders of a POSIX or Windows path."""
    return next((part for part in reversed(re.split(r"[/\\]", name)) if part), "")


def filename_problem(name: str) -> str | None:
    """Return why a file name cannot be sent, or None if it can."""
    if base_name(name) in {"", ".", ".."}:
        return "has no file name after its folders are stripped"
    try:
        size = len(encode_filename(name).encode())
    except UnicodeEncodeError:
        return "has an unpaired surrogate in its name"
    if size > MAX_FILENAME_BYTES:
        return f"has a name of {size} bytes; the server's framework accepts at most {MAX_FILENAME_BYTES}"
    return None
