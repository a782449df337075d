"""The record of one attempt, for hooks and logs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from linq_async.errors import Outcome


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt of a call. ``on_attempt`` is called with it before the attempt is sent, and after it has ended."""

    operation: str
    """The operation, such as ``chats.create``."""
    number: int
    """1 for the first attempt of a call."""
    idempotency_key: str | None
    """The key that all attempts of the call share."""
    status: int | None = None
    """The HTTP status; None if no answer came."""
    error: str | None = None
    """The class name of the exception; None if it succeeded."""
    outcome: Outcome | None = None
    """The outcome of this and the earlier attempts; None while it runs."""
    seconds: float | None = None
    """How long it took; None while it runs."""
    wait: float | None = None
    """Seconds until the next attempt; None if no other follows."""

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.seconds is not None


AttemptHook = Callable[[Attempt], None]


@attrs.frozen
class AttemptLog:
    """Reports attempts to hooks and to a logger. A hook that raises is logged, and changes nothing."""

    logger: logging.Logger
    hooks: tuple[AttemptHook, ...]

    @property
    def enabled(self) -> bool:
        """Whether anything is reported at all."""
        return bool(self.hooks) or self.logger.isEnabledFor(logging.INFO)

    def report_start(self, operation: str, number: int, idempotency_key: str | None) -> None:
        """Report an attempt before it is sent: a caller that cancels it then knows its key."""
        self._call_hooks(Attempt(operation=operation, number=number, idempotency_key=idempotency_key))

    def report_end(self, attempt: Attempt) -> None:
        """Report an attempt that has ended."""
        self.logger.debug(_FORMAT, *attrs.astuple(attempt))
        if attempt.wait is not None:
            text = "%s: attempt %d again in %.2f s, after %s"
            self.logger.info(text, attempt.operation, attempt.number, attempt.wait, attempt.error)
        self._call_hooks(attempt)

    def _call_hooks(self, attempt: Attempt) -> None:
        for hook in self.hooks:
            try:
                hook(attempt)
            except Exception:  # it must not lose the result of a send
                self.logger.exception("on_attempt failed")


_FORMAT = "%s: attempt %d, key %s, status %s, error %s, outcome %s, %.3f s, wait %s"
