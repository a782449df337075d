"""File names, as they stand in a multipart body."""

from __future__ import annotations

import re

MAX_FILENAME_BYTES = 1_300
"""Rack drops a part in silence whose Content-Disposition is over 1,536 bytes."""

_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x20), 0x22, 0x7F)}
_ESCAPED = re.compile(r'[\x00-\x1f"\x7f]')
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode_filename(name: str) -> str:
    """Spell a file name as browsers do, so that Rack reads back the very same, and no control character goes out raw.

    Rack decodes percent signs only where every one of them starts a valid escape: only then are they escaped here.
    """
    bare = base_name(name)
    if "%" in bare and (_ESCAPED.search(bare) or not _LONE_PERCENT.search(bare)):
        bare = bare.replace("%", "%25")
    return bare.translate(_ESCAPES)


def base_name(name: str) -> str:
    """Strip the folders of either system's paths."""
    return next((part for part in reversed(re.split(r"[/\\]", name)) if part), "")


def filename_problem(name: str) -> str | None:
    """Say why a file name cannot be sent; None where it can."""
    if base_name(name) in {"", ".", ".."}:
        return "has no name once its folders are stripped"
    try:
        size = len(encode_filename(name).encode())
    except UnicodeEncodeError:
        return "has half a character (a lone surrogate) in its name"
    if size > MAX_FILENAME_BYTES:
        return f"has a name of {size} bytes; {MAX_FILENAME_BYTES} is the most that the server's framework keeps"
    return None
