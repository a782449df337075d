"""Attachments: what is uploaded, where its bytes come from, and what it is called.

Nothing here awaits. What may block is called in a thread by the transport.
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
