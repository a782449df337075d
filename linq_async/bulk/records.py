"""What a journal says about its run."""

from __future__ import annotations

import attrs

from linq_async.bulk.rows import State


@attrs.frozen
class Loaded:
    """What a load has stored, or found in the journal."""

    rows: int
    """The number of all rows."""
    duplicates: int = 0
    """Rows that are skipped because an earlier row has the same recipient, and row id if there is one."""
    suppressed: int = 0
    """Rows that are not sent because the recipient must not be texted."""
    resumed: bool = False
    """Whether the journal had the campaign already."""


@attrs.frozen
class RunInfo:
    """The run that a journal holds. Times are seconds since 1970."""

    campaign: str
    """The name of the campaign."""
    settings: dict[str, str] = attrs.field(repr=False)
    """``campaign``, ``text``, ``senders`` and ``columns``, as texts."""
    source: str
    """The fingerprint of the file."""
    created: float
    """When the load began."""
    loaded: float
    """When the load ended."""
    finished: float | None
    """When the last row had its result; None if rows are left."""


@attrs.frozen
class Slice:
    """The results of one stretch of time with the same state and cause."""

    bucket: int
    """The number of the stretch, counted from 0."""
    state: State
    """Sent, failed or unknown."""
    cause: str
    """The error and its HTTP status, such as ``ServerError 503``; empty for sent rows."""
    count: int
    """The number of rows."""


@attrs.frozen
class Timeline:
    """The results of a run over time."""

    start: float
    """When the first row had its result, in seconds since 1970."""
    seconds: float
    """The length of each stretch of time."""
    buckets: int
    """The number of stretches."""
    slices: tuple[Slice, ...]
    """The results, in the order of time."""
