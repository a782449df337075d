"""Attachments: their content, file names and media types.

Nothing here is async. The transport calls everything that may block in a thread.
"""

from linq_async.uploads.sources import (
    BytesSource,
    Chunks,
    ChunkSource,
    CopySource,
    HandleSource,
    PathSource,
    Reader,
    Source,
    SourceError,
    reason_of,
)
from linq_async.uploads.upload import Attachable, Unattachable, Upload, as_upload

__all__ = [
    "Attachable",
    "BytesSource",
    "ChunkSource",
    "Chunks",
    "CopySource",
    "HandleSource",
    "PathSource",
    "Reader",
    "Source",
    "SourceError",
    "Unattachable",
    "Upload",
    "as_upload",
    "reason_of",
]
