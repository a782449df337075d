"""What stores events between the answer to their delivery and the end of their handlers."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from linq_async.errors import LinqError, Problem

RETRY_AFTER = 5.0
"""Seconds: when Linq should deliver an event again that was not accepted."""


class Accepted(enum.Enum):
    """What became of an event that was accepted. Each of them is answered with 200."""

    NEW = "new"
    """It will be handled."""
    DUPLICATE = "duplicate"
    """It was accepted before."""
    IGNORED = "ignored"
    """No handler matches it."""


class InboxError(LinqError):
    """The inbox cannot be opened, or could not store an event."""


class NotAcceptedError(Exception):
    """An event was not accepted, so its delivery is answered with 503 and Retry-After."""

    def __init__(self, message: str = "", *, retry_after: float = RETRY_AFTER) -> None:
        super().__init__(message)
        self.retry_after: float = retry_after
        """The seconds after which the event should be delivered again."""


class HandlerFailedError(Exception):
    """The handler of an event failed, so its delivery is answered with 500. Only raised with ``ack="handled"``."""


@runtime_checkable
class Inbox(Protocol):
    """Stores events until they are handled, and remembers their keys, so that a repeated delivery changes nothing.

    An inbox that is an asynchronous context manager is entered before anything else, and left after the last event.
    """

    async def take(self, key: str, body: bytes) -> bool:
        """Store an event, and return True once it is safe; return False if its key is known.

        Raises:
            Exception: Whatever prevents it from being stored. The delivery is answered with 500.
        """
        ...

    async def done(self, key: str) -> None:
        """Remember that an event was handled."""
        ...

    async def failed(self, key: str, error: str) -> None:
        """Give up the key of an event whose handler failed: another delivery is new. ``error`` is the class's name."""
        ...

    async def unfinished(self) -> Sequence[bytes]:
        """Return the bodies of the events that are neither done nor failed, oldest first. Called once, at the start."""
        ...


def keep_problems(keep: object) -> list[Problem]:
    """Check for how long an inbox remembers events."""
    if isinstance(keep, timedelta) and keep > timedelta(0):
        return []
    return [Problem("keep", "must be a timedelta above 0")]
