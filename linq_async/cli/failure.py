"""A send that failed, as it is told to people and to programs."""

from __future__ import annotations

import re
from typing import Any

import attrs

from linq_async.attempts import Attempt
from linq_async.cli.exit_codes import ExitCode, code_of
from linq_async.cli.render import facts, plain, reworded
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
    Outcome.SENT: "sent, but the answer is lost",
}
_NEXT_STEPS = {
    "AuthenticationError": "Nothing was sent. Check the token: linq-async doctor.",
    "ConfigurationError": "Nothing was sent. linq-async doctor says what is missing.",
    "ConnectError": "Nothing was sent. Check the address and the network: linq-async doctor.",
}
_NEXT_STEPS_REUSED = {
    Outcome.NOT_SENT: "This message was not sent. If it is a new message, give it a --key of its own.",
    Outcome.UNKNOWN: "It may have been sent. Look at the message that the server shows before you send anything again.",
}


@attrs.frozen(kw_only=True)
class Failure:
    """What went wrong, what became of the message, and how to go on."""

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
        """Say what to do now."""
        if self.kind == KeyReusedError.__name__:
            return _NEXT_STEPS_REUSED[self.outcome]
        if self.outcome is Outcome.UNKNOWN:
            again = f" Repeat it with --key {plain(self.key)}: then nobody is texted twice." if self.key else ""
            return f"It may have been sent.{again}"
        if self.outcome is Outcome.SENT:
            return "The server has taken it: do not send it again."
        if self.retry_after is not None:
            return f"Nothing was sent. Repeat it in {self.retry_after:.0f} s."
        return _NEXT_STEPS.get(self.kind, "Nothing was sent. Fix the problem and retry.")

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        told = attrs.asdict(self, recurse=False)
        details = [
            {"status": one.status, "code": one.code, "title": one.title, "detail": one.detail} for one in self.details
        ]
        names = {"kind": "type", "key": "idempotency_key", "code": "exit_code", "details": "errors"}
        values = {"outcome": self.outcome.value, "code": self.code.value, "details": details}
        told = {names.get(name, name): values.get(name, value) for name, value in told.items()}
        return {"error": {**told, "next_step": self.next_step}}

    def lines(self) -> list[str]:
        """Return it for people."""
        known = facts(
            [
                ("outcome", self.outcome.value),
                ("key", self.key),
                ("shown", self.shown),
                ("attempts", self.attempts),
                ("request id", self.request_id),
            ]
        )
        said = [
            f"  the server says: {plain(one.detail or one.title)}" for one in self.details if one.detail or one.title
        ]
        return [f"{_HEADINGS[self.outcome]}: {plain(self.message)}", *said, *known, self.next_step]


def failure_of(error: LinqError, key: str | None) -> Failure:
    """Tell of an error that the client raised."""
    return Failure(
        kind=type(error).__name__,
        message=_message(error),
        outcome=error.outcome,
        key=key,
        attempts=error.attempts,
        code=ExitCode.USAGE if isinstance(error, ConfigurationError | InvalidArgumentError) else code_of(error.outcome),
        status=error.status if isinstance(error, APIError) and error.attempts else None,
        request_id=error.request_id,
        retry_after=error.retry_after if isinstance(error, APIError) else None,
        details=error.errors if isinstance(error, APIError) else (),
        shown=_shown(error),
    )


def _shown(error: LinqError) -> str | None:
    """Name the message that the server shows under a reused key."""
    chat = error.result if isinstance(error, KeyReusedError) else None
    return f"message {chat.message.id} in chat {chat.id}" if isinstance(chat, CreatedChat) else None


def _message(error: LinqError) -> str:
    """Name the options of the command in place of the client's arguments."""
    if isinstance(error, UploadError):
        return f"--attach {error.filename} {error.reason}"  # its name is the user's own, on the user's own terminal
    if not isinstance(error, InvalidArgumentError):
        return _POINTER.sub("", reworded(error.message))
    return "; ".join(f"{_option(problem.argument)} {problem.message}" for problem in error.problems)


# The server's sentence follows on a line of its own.
_POINTER = re.compile(r"; the reason is in error\.errors\[\d+\]\.detail")


def _option(argument: str) -> str:
    name, _, index = argument.partition("[")
    number = re.match(r"\d+", index)
    option = _OPTIONS.get(name, name)
    return option if number is None else f"{option} number {int(number[0]) + 1}"


def broken_off(error: BaseException, key: str | None, records: list[Attempt]) -> Failure:
    """Tell of a send that ended without a word from the client: interrupted, or stopped by a fault of ours."""
    outcome = Outcome.NOT_SENT if not records else records[-1].outcome or Outcome.UNKNOWN
    interrupted = isinstance(error, KeyboardInterrupt)
    return Failure(
        kind="Interrupted" if interrupted else type(error).__name__,
        message="interrupted" if interrupted else f"an unexpected {type(error).__name__}: please report it",
        outcome=outcome,
        key=key,
        attempts=records[-1].number if records else 0,
        code=code_of(outcome),
    )
