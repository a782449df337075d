"""The record of one attempt, for hooks and logs."""

from __future__ import annotations

import attrs

from linq_async.errors import Outcome


@attrs.frozen(kw_only=True)
class Attempt:
    """What is known of one attempt: given to ``on_attempt`` before it leaves, and again when it has ended."""

    operation: str
    """What was called, such as ``chats.create``."""
    number: int
    """1 for the first attempt of a call."""
    idempotency_key: str | None
    """The key that every attempt of the call carries."""
    status: int | None = None
    """The HTTP status, once one came."""
    error: str | None = None
    """The name of the exception's class, if it failed."""
    outcome: Outcome | None = None
    """What became of the request, over this and the earlier attempts; None while it runs."""
    seconds: float | None = None
    """How long it took; None while it runs."""
    wait: float | None = None
    """Seconds until the next attempt; None when none follows."""

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.seconds is not None
