"""A failed send, as shown to people and to programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from linq_async.attempts import Attempt
from linq_async.cli.exit_codes import ExitCode, exit_code_for
from linq_async.cli.render import aligned, printable, reworded
from linq_async.errors import (
    APIError,
    ConfigurationError,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    Outcome,
    UploadError,
)
from linq_async.models.serialize import error_to_dict

_OPTIONS = {
    "send_from": "--from",
    "phone_numbers": "--to",
    "text": "--text",
    "display_name": "--name",
    "attachments": "--attach",
    "attachment_urls": "--attach-url",
    "idempotency_key": "--key",
    "name": "--campaign",
    "senders": "--from",
    "per_line": "--rate",
    "encoding": "--encoding",
    "delimiter": "--delimiter",
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
    "CampaignChangedError": "Nothing was sent. For a new campaign: --campaign NEW --journal NEW",
    "JournalInUseError": "Nothing was sent by this command. Wait until the other one has ended.",
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

    report: Mapping[str, Any] = attrs.field(repr=False)
    """The error as ``error_to_dict`` returns it, with the command's own message."""
    code: ExitCode
    shown: str | None = None
    """The message that the server shows in place of this one."""
    advice: str | None = None
    """What to do next, if it is not what the outcome and the kind of error suggest."""

    @classmethod
    def of(cls, kind: str, message: str, code: ExitCode, **fields: Any) -> Failure:
        """Return a failure that is not an error of the client. ``fields`` are those of a LinqError."""
        return cls(report=error_to_dict(LinqError(message, **fields)) | {"type": kind}, code=code)

    @property
    def next_step(self) -> str:
        """What to do next, in a sentence or two."""
        if self.advice is not None:
            return self.advice
        outcome, kind, key = Outcome(self.report["outcome"]), self.report["type"], self.report["idempotency_key"]
        if kind == KeyReusedError.__name__:
            return _NEXT_STEPS_KEY_REUSED[outcome]
        if outcome is Outcome.UNKNOWN:
            retry = f" Retry with --key {printable(key)}, and nobody is texted twice." if key else ""
            return f"It may have been sent.{retry}"
        if outcome is Outcome.SENT:
            return "The server accepted it: do not send it again."
        if self.report.get("retry_after") is not None:
            return f"Nothing was sent. Retry in {self.report['retry_after']:.0f} s."
        return _NEXT_STEPS.get(kind, "Nothing was sent. Fix the problem and retry.")

    def as_dict(self) -> dict[str, Any]:
        """Return the failure as a JSON-ready dict."""
        always: dict[str, Any] = {"status": None, "retry_after": None, "errors": []}
        more = {"shown": self.shown, "exit_code": self.code.value, "next_step": self.next_step}
        return {"error": {**always, **self.report, **more}}

    def lines(self) -> list[str]:
        """Return the failure as lines of text."""
        report = self.report
        details = aligned(
            [
                ("outcome", report["outcome"]),
                ("key", report["idempotency_key"]),
                ("shown", self.shown),
                ("attempts", report["attempts"]),
                ("request id", report["request_id"]),
            ]
        )
        reasons = [one["detail"] or one["title"] for one in report.get("errors", ())]
        quoted = [f"  the server says: {printable(reason)}" for reason in reasons if reason]
        heading = f"{_HEADINGS[Outcome(report['outcome'])]}: {printable(report['message'])}"
        return [heading, *quoted, *details, self.next_step]


def failure_from(error: LinqError, key: str | None) -> Failure:
    """Return the failure that an error of the client amounts to."""
    report = error_to_dict(error, show_details=True) | {"message": _message(error), "idempotency_key": key}
    if isinstance(error, APIError) and not error.attempts:  # not sent, because of an earlier Retry-After
        report["status"] = None
    unread = isinstance(error, UploadError) and not error.attempts
    refused = unread or isinstance(error, ConfigurationError | InvalidArgumentError)
    chat = isinstance(error, KeyReusedError) and report["chat_id"] is not None
    return Failure(
        report=report,
        code=ExitCode.USAGE if refused else exit_code_for(error.outcome),
        shown=f"message {report['message_id']} in chat {report['chat_id']}" if chat else None,
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
    return Failure.of(
        "Interrupted" if by_signal else type(error).__name__,
        "interrupted" if by_signal else f"an unexpected {type(error).__name__}: please report it",
        exit_code_for(outcome),
        outcome=outcome,
        idempotency_key=key,
        attempts=records[-1].number if records else 0,
    )
