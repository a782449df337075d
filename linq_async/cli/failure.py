"""A failed send, as shown to people and to programs."""

from __future__ import annotations

import re
from typing import Any

import attrs

from linq_async.attempts import Attempt
from linq_async.cli.exit_codes import ExitCode, exit_code_for
from linq_async.cli.render import aligned, printable, reworded
from linq_async.errors import (
    APIError,
    ConfigurationError,
    ErrorDetail,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    Outcome,
    UploadError,
)
from linq_async.models.chats import CreatedChat

_OPTIONS = {
    "send_from": "--from",
    "phone_numbers": "--to",
    "text": "--text",
    "display_name": "--name",
    "attachments": "--attach",
    "attachment_urls": "--attach-url",
    "idempotency_key": "--key",
}
_HEADINGS = {
    Outcome.NOT_SENT: "not sent",
    Outcome.UNKNOWN: "outcome unknown",
    Outcome.SENT: "sent, but the response was lost",
}
_NEXT_STEPS = {
    "AuthenticationError": "Nothing was sent. Check the token with linq-async doctor.",
    "ConfigurationError": "Nothing was sent. Run linq-async doctor to see what is missing.",
    "ConnectError": "Nothing was sent. Check the address and the network with linq-async doctor.",
}
_NEXT_STEPS_KEY_REUSED = {
    Outcome.NOT_SENT: "This message was not sent. If it is a new message, give it a --key of its own.",
    Outcome.UNKNOWN: "It may have been sent. Look at the message that the server shows before you send anything again.",
}
# Points Python callers to the server's message, which is shown on a line of its own here.
_POINTER = re.compile(r"; the reason is in error\.errors\[\d+\]\.detail")


@attrs.frozen(kw_only=True)
class Failure:
    """What went wrong, what became of the message, and what to do next."""

    kind: str
    message: str
    outcome: Outcome
    key: str | None
    attempts: int
    code: ExitCode
    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None
    details: tuple[ErrorDetail, ...] = ()
    shown: str | None = None
    """The message that the server shows in place of this one."""

    @property
    def next_step(self) -> str:
        """What to do next, in a sentence or two."""
        if self.kind == KeyReusedError.__name__:
            return _NEXT_STEPS_KEY_REUSED[self.outcome]
        if self.outcome is Outcome.UNKNOWN:
            retry = f" Retry with --key {printable(self.key)}, and nobody is texted twice." if self.key else ""
            return f"It may have been sent.{retry}"
        if self.outcome is Outcome.SENT:
            return "The server accepted it: do not send it again."
        if self.retry_after is not None:
            return f"Nothing was sent. Retry in {self.retry_after:.0f} s."
        return _NEXT_STEPS.get(self.kind, "Nothing was sent. Fix the problem and retry.")

    def as_dict(self) -> dict[str, Any]:
        """Return the failure as a JSON-ready dict."""
        details = [
            {"status": one.status, "code": one.code, "title": one.title, "detail": one.detail} for one in self.details
        ]
        names = {"kind": "type", "key": "idempotency_key", "code": "exit_code", "details": "errors"}
        values = {"outcome": self.outcome.value, "code": self.code.value, "details": details}
        fields = attrs.asdict(self, recurse=False).items()
        report = {names.get(name, name): values.get(name, value) for name, value in fields}
        return {"error": {**report, "next_step": self.next_step}}

    def lines(self) -> list[str]:
        """Return the failure as lines of text."""
        details = aligned(
            [
                ("outcome", self.outcome.value),
                ("key", self.key),
                ("shown", self.shown),
                ("attempts", self.attempts),
                ("request id", self.request_id),
            ]
        )
        reasons = [
            f"  the server says: {printable(one.detail or one.title)}"
            for one in self.details
            if one.detail or one.title
        ]
        return [f"{_HEADINGS[self.outcome]}: {printable(self.message)}", *reasons, *details, self.next_step]


def failure_from(error: LinqError, key: str | None) -> Failure:
    """Return the failure that an error of the client amounts to."""
    refused = isinstance(error, ConfigurationError | InvalidArgumentError)
    shown = error.result if isinstance(error, KeyReusedError) else None
    return Failure(
        kind=type(error).__name__,
        message=_message(error),
        outcome=error.outcome,
        key=key,
        attempts=error.attempts,
        code=ExitCode.USAGE if refused else exit_code_for(error.outcome),
        status=error.status if isinstance(error, APIError) and error.attempts else None,
        request_id=error.request_id,
        retry_after=error.retry_after if isinstance(error, APIError) else None,
        details=error.errors if isinstance(error, APIError) else (),
        shown=f"message {shown.message.id} in chat {shown.id}" if isinstance(shown, CreatedChat) else None,
    )


def _message(error: LinqError) -> str:
    """Return the error's message, with options of the command in place of the client's arguments."""
    if isinstance(error, UploadError):
        return f"--attach {error.filename} {error.reason}"  # the user typed the name on this terminal
    if not isinstance(error, InvalidArgumentError):
        return _POINTER.sub("", reworded(error.message))
    parts: list[str] = []
    for problem in error.problems:
        name, _, index = problem.argument.partition("[")
        number = re.match(r"\d+", index)
        place = "" if number is None else f" number {int(number[0]) + 1}"
        parts.append(f"{_OPTIONS.get(name, name)}{place} {problem.message}")
    return "; ".join(parts)


def interrupted(error: BaseException, key: str | None, records: list[Attempt]) -> Failure:
    """Return the failure of a send that ended without an error of the client: by Ctrl-C, or by a bug."""
    outcome = Outcome.NOT_SENT if not records else records[-1].outcome or Outcome.UNKNOWN
    by_signal = isinstance(error, KeyboardInterrupt)
    return Failure(
        kind="Interrupted" if by_signal else type(error).__name__,
        message="interrupted" if by_signal else f"an unexpected {type(error).__name__}: please report it",
        outcome=outcome,
        key=key,
        attempts=records[-1].number if records else 0,
        code=exit_code_for(outcome),
    )
