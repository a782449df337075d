"""What is known of the rows of a run."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import attrs
import orjson

from linq_async.bulk.errors import JournalError
from linq_async.models.outgoing import DerivedKey, NewChat


class State(enum.IntEnum):
    """The state of a row in the journal."""

    PENDING = 0
    """Not started."""
    BEGUN = 1
    """Started, and without a result yet. After a killed run: in doubt."""
    SENT = 2
    """Accepted by the server."""
    FAILED = 3
    """Certainly not sent."""
    UNKNOWN = 4
    """May have been sent."""
    SKIPPED = 5
    """Left out: a duplicate, or suppressed."""

    @property
    def label(self) -> str:
        """The name in lower case."""
        return self.name.lower()


@attrs.frozen
class Counts:
    """How many rows are in each state."""

    pending: int = 0
    begun: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """The number of all rows."""
        return self.left + self.sent + self.failed + self.unknown + self.skipped

    @property
    def left(self) -> int:
        """The number of rows that a run has still to send."""
        return self.pending + self.begun


@attrs.define
class RowResult:
    """A row and what happened to it. Its ``repr`` shows no phone numbers."""

    row: int
    """The row in the file, counted from 1."""
    recipient: str = attrs.field(repr=False)
    """The phone number, in E.164."""
    row_id: str = attrs.field(repr=False)
    """The value of ``columns.row_id``; empty without one."""
    sender: str = attrs.field(repr=False)
    """The line."""
    key: str
    """The idempotency key."""
    state: State
    """What happened."""
    begun: float | None = None
    """When its first attempt began, in seconds since 1970."""
    ended: float | None = None
    """When its result was known, in seconds since 1970."""
    attempts: int = 0
    """The number of attempts."""
    chat_id: int | None = None
    """The id of the chat, if the server returned one."""
    message_id: int | None = None
    """The id of the message, if the server returned one. With ``KeyReusedError``: of the message that has the key."""
    delivery_status: str | None = None
    """The delivery status in the response, usually ``pending``."""
    status: int | None = None
    """The HTTP status of a failure."""
    error: str | None = None
    """The class of the exception, or why the row was skipped or is in doubt. ``replayed`` for a sent row that an
    earlier run has sent, with another journal: the server had the message under its key."""
    again: int = 0
    """How often the row was sent again under a new key, after it certainly had not been sent."""


@attrs.define
class QueuedRow:
    """A row that the journal hands out to be sent."""

    position: int
    """Its number in the file."""
    key: str
    """Its idempotency key."""
    recipient: str = attrs.field(repr=False)
    row_id: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    """The NewChat as JSON, without its key."""
    state: int
    """Its state before this run began it."""
    begun: float | None
    """When its first attempt began, before this run; None if it had not. Then nothing can be in doubt."""
    sender: str = attrs.field(repr=False)
    started: float | None = None
    """When this run began it; None before."""

    def message(self) -> NewChat:
        """Return the message. The same row always becomes the same one.

        Raises:
            JournalError: If the row is damaged.
        """
        found = _message_of(self.body, self.key)
        if found is None:
            raise JournalError("a row of the journal is damaged")
        return found


@attrs.define
class EndedRow:
    """The result of a row, to be written to the journal."""

    row: QueuedRow
    state: State
    ended: float
    attempts: int = 0
    chat_id: int | None = None
    message_id: int | None = None
    delivery_status: str | None = None
    status: int | None = None
    error: str | None = None
    restored: bool = False
    """Whether this run has not sent the row after all: then it gets its earlier state back."""

    def values(self) -> Sequence[Any]:
        """Return what the journal writes, with the position first."""
        return (
            self.row.position,
            int(self.state),
            self.ended,
            self.attempts,
            self.chat_id,
            self.message_id,
            self.delivery_status,
            self.status,
            self.error,
        )

    def result(self) -> RowResult:
        """Return the result for the caller."""
        row = self.row
        return RowResult(
            row.position,
            row.recipient,
            row.row_id,
            row.sender,
            row.key,
            self.state,
            row.started if row.begun is None else row.begun,
            self.ended,
            self.attempts,
            self.chat_id,
            self.message_id,
            self.delivery_status,
            self.status,
            self.error,
        )


def _message_of(body: str, key: str) -> NewChat | None:
    """Return the message of a row, or None if it is damaged. Never raises: this frame holds its text."""
    try:
        fields = orjson.loads(body)
        fields["idempotency_key"] = DerivedKey(key)
        return NewChat.from_dict(fields) if "attachments" in fields else NewChat(**fields)
    except (TypeError, ValueError):  # also what from_dict raises
        return None
