"""Media types, guessed from the file extension."""

from __future__ import annotations

import functools
import mimetypes
import re
from pathlib import PurePath

_OTHER_TYPES = {  # common on phones, but missing or outdated in Python's table
    ".amr": "audio/amr",
    ".caf": "audio/x-caf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".vcf": "text/vcard",
    ".webp": "image/webp",
}
_ANY_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+( *;[\x20-\x7e]+)?")


def content_type_of(filename: str) -> str:
    """Return the media type for a file extension, or application/octet-stream if it is unknown."""
    suffix = PurePath(filename).suffix.lower()
    if suffix in _OTHER_TYPES:
        return _OTHER_TYPES[suffix]
    found, encoding = _python_types().guess_type("name" + suffix)
    return found if found is not None and encoding is None else _ANY_TYPE


@functools.cache
def _python_types() -> mimetypes.MimeTypes:
    """Return Python's table, without those of the system, which differ between machines. Made late: it reads files."""
    return mimetypes.MimeTypes(filenames=())


def is_media_type(value: object) -> bool:
    """Return whether a value can be sent as a part's Content-Type."""
    return isinstance(value, str) and _MEDIA_TYPE.fullmatch(value) is not None
