"""Every exception that the package raises on purpose.

The tree::

    LinqError                       outcome, idempotency_key, attempts, request_id
      ConfigurationError            no token, or http to a host that is not this machine
      ClientStateError              a closed client, or one on a second living loop (also a RuntimeError)
      InvalidArgumentError          refused before anything is sent (also a ValueError)
      UploadError                   an attachment could not be read
      ConnectError                  this attempt sent nothing
      ConnectionLostError           it had gone out, no whole answer came
      RequestTimeoutError           the same, by the clock (also a TimeoutError)
      APIError                      the server answered with a refusal
        BadRequestError             400
        AuthenticationError         401
        PermissionDeniedError       403
        NotFoundError               404
        ConflictError               409
        PayloadTooLargeError        413
        UnprocessableEntityError    422
        RateLimitError              429
        ServerError                 5xx
        RedirectError               3xx
      DecodeError                   2xx, but not the shape promised
      KeyReusedError                2xx, but it shows another message under the key
      DeliveryTimeoutError          wait_until_delivered gave up: nothing is wrong with the send

A class names the cause; ``error.outcome`` names the effect on the message. All of them hold plain data and
survive pickle and copy. No text of theirs holds the token, a phone number or a message's text, unless the client was
built with ``show_details=True``: then the text of an APIError holds the server's sentence, which may repeat them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

ConnectReason = Literal["refused", "dns", "timeout", "tls", "certificate", "proxy", "proxy_denied", "lost"]
"""Why no connection was made."""
TimeoutPhase = Literal["write", "read", "total"]
"""The time limit that was reached."""


class Outcome(enum.StrEnum):
    """What became of a request, as far as this side can know."""

    NOT_SENT = "not_sent"
    """The server has not acted on it: nothing left this machine, or the server refused it."""
    UNKNOWN = "unknown"
    """It may have been acted on. Repeat it with the same idempotency key to find out."""
    SENT = "sent"
    """The server accepted it."""

    def joined(self, other: Outcome) -> Outcome:
        """Return the outcome of two attempts together: what may have happened never un-happens."""
        return self if _CERTAINTY[self] >= _CERTAINTY[other] else other


_CERTAINTY = {Outcome.NOT_SENT: 0, Outcome.UNKNOWN: 1, Outcome.SENT: 2}


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One entry of an error answer, from either of the two formats that the API documents.

    Its repr leaves out title and detail, which may repeat a phone number or a text, and a code unlike a program's word.
    """

    status: int | None = None
    """The HTTP status that the entry repeats."""
    code: str | None = None
    """A word for programs, such as ``missing_phone``."""
    title: str | None = None
    """A short heading."""
    detail: str | None = None
    """A sentence for people."""

    def __repr__(self) -> str:
        code = self.code if self.code is not None and _CODE.fullmatch(self.code) else None
        return f"ErrorDetail(status={self.status}, code={code!r})"


_CODE = re.compile(r"(?=.{1,64}$)(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for which an argument was refused."""

    argument: str
    """The argument's name, with an index where it is a list: ``phone_numbers[1]``."""
    message: str
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"{self.argument} {self.message}"


class LinqError(Exception):
    """The root of all that this package raises on purpose.

    Pickled, an error carries what the server answered (``body``, ``errors``, ``headers``), which may be personal data.
    """

    def __init__(
        self,
        message: str = "",
        *,
        outcome: Outcome = Outcome.NOT_SENT,
        idempotency_key: str | None = None,
        attempts: int = 0,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.outcome = outcome
        self.idempotency_key = idempotency_key
        self.attempts = attempts
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        # Built bare and filled from the dict: the classes differ in their arguments, and OSError in its own rules.
        return _rebuild, (type(self), self.message), self.__dict__

    def __str__(self) -> str:
        facts = [f"outcome: {self.outcome.value}", f"attempts: {self.attempts}"]
        if self.idempotency_key is not None:
            facts.append(f"idempotency key: {self.idempotency_key}")
        if self.request_id is not None:
            facts.append(f"request id: {self.request_id}")
        return f"{self.message} ({', '.join(facts)})" if self.attempts else self.message


def _rebuild(kind: type[LinqError], message: str) -> LinqError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    return error


class ConfigurationError(LinqError):
    """The client cannot be built or used as it is configured."""


class ClientStateError(LinqError, RuntimeError):
    """The client is closed, or belongs to another event loop that is still alive."""


class InvalidArgumentError(LinqError, ValueError):
    """An argument was refused before anything was sent."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        """Everything that is wrong, each with the argument's name."""
        super().__init__("; ".join(str(problem) for problem in self.problems))


class UploadError(LinqError):
    """An attachment could not be read. The text gives its place among the attachments: its name may be personal."""

    def __init__(
        self, filename: str = "", reason: str = "", *, index: int | None = None, outcome: Outcome = Outcome.NOT_SENT
    ) -> None:
        super().__init__(f"{'attachment' if index is None else f'attachments[{index}]'} {reason}", outcome=outcome)
        self.filename = filename
        """The attachment's name, as it is sent."""
        self.reason = reason
        """What went wrong."""
        self.index = index
        """Its place in ``attachments``, from 0; None if it was never part of a message."""

    def at(self, index: int) -> UploadError:
        """Return the error with the attachment's place."""
        return UploadError(self.filename, self.reason, index=index, outcome=self.outcome)


class ConnectError(LinqError):
    """No connection was made, so this attempt sent nothing."""

    def __init__(self, message: str = "", *, reason: ConnectReason = "refused") -> None:
        super().__init__(message)
        self.reason: ConnectReason = reason
        """``refused``, ``dns``, ``timeout``, ``tls``, ``certificate``, ``proxy``, ``proxy_denied`` or ``lost``.

        ``proxy_denied``: the proxy answered CONNECT with 407, or another 4xx that the same request would get again.
        """


class ConnectionLostError(LinqError):
    """The request had gone out, and no whole answer came back."""


class RequestTimeoutError(LinqError, TimeoutError):
    """The request had gone out, and no whole answer came in time."""

    def __init__(
        self,
        phase: TimeoutPhase = "read",
        seconds: float = 0.0,
        *,
        message: str | None = None,
        outcome: Outcome = Outcome.UNKNOWN,
    ) -> None:
        super().__init__(message or f"{_PHASES[phase]} within {seconds:g} s", outcome=outcome)
        self.phase: TimeoutPhase = phase
        """``write``, ``read`` or ``total``."""
        self.seconds = seconds
        """The limit that was reached, in seconds."""


_PHASES = {
    "write": "write timeout: the server took no further bytes of the body",
    "read": "read timeout: no whole answer came",
    "total": "total timeout: the call did not end",
}


class APIError(LinqError):
    """The server answered with a refusal.

    The message names the operation, the status and the server's code. The server's own sentence is in
    ``errors[0].detail``; with ``show_details=True`` it is in the message too, which may then hold personal data.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        outcome: Outcome = Outcome.UNKNOWN,
        errors: Iterable[ErrorDetail] = (),
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, outcome=outcome, request_id=request_id)
        self.status = status
        """The HTTP status."""
        self.errors: tuple[ErrorDetail, ...] = tuple(errors)
        """The first 20 entries of what the server said, from either documented format; empty if it used neither."""
        self.body = body
        """The answer's first 64 KiB, as bytes. May hold personal data."""
        self.headers: dict[str, str] = dict(headers or {})
        """The answer's headers, names in lower case."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait, if it does."""
        self.hint = hint
        """What may be wrong with an argument, by its name; the message ends with it."""

    def __dir__(self) -> list[str]:
        return _without_echoes(super().__dir__())


class BadRequestError(APIError):
    """400: parameters are missing or malformed."""


class AuthenticationError(APIError):
    """401: the token is missing or not accepted."""


class PermissionDeniedError(APIError):
    """403: the token is fine, the thing is not yours."""


class NotFoundError(APIError):
    """404: there is no such thing."""


class ConflictError(APIError):
    """409: it conflicts with what the server holds."""


class PayloadTooLargeError(APIError):
    """413: the body is larger than the server takes."""


class UnprocessableEntityError(APIError):
    """422: the values were understood and rejected."""


class RateLimitError(APIError):
    """429: too many requests. With ``attempts == 0`` it was held back here, for the server had asked to wait."""


class ServerError(APIError):
    """5xx: the failure is on the server's side."""


class RedirectError(APIError):
    """3xx: the server points elsewhere; it is not followed, for that would carry the token along."""


class DecodeError(LinqError):
    """A 2xx answer is not the shape that the API promises. The request was accepted: do not send it again."""

    def __init__(
        self,
        message: str = "",
        *,
        paths: Iterable[str] = (),
        status: int = 200,
        body: bytes = b"",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, outcome=Outcome.SENT, request_id=request_id)
        self.paths: tuple[str, ...] = tuple(paths)
        """Where it differs, such as ``$.data.chat_handles[1].joined_at``."""
        self.status = status
        """The HTTP status."""
        self.body = body
        """The answer's first 64 KiB, as bytes. May hold personal data."""

    def __dir__(self) -> list[str]:
        return _without_echoes(super().__dir__())


def _without_echoes(names: Iterable[str]) -> list[str]:
    """Leave out what a server sent: cgitb prints every attribute that is listed."""
    return sorted(set(names) - {"__dict__", "body", "errors", "headers"})


class KeyReusedError(LinqError):
    """The server shows another message under the idempotency key than the one that was to be sent.

    ``outcome`` is NOT_SENT only if the server had that message before the call, and no rewriting of the text would
    explain the difference: then send this one under a key of its own. It is UNKNOWN if that cannot be known: look at
    ``result`` before you send it under another key.
    """

    def __init__(self, message: str = "", *, result: Any = None, outcome: Outcome = Outcome.UNKNOWN) -> None:
        super().__init__(message, outcome=outcome)
        self.result = result
        """What the server shows: a CreatedChat or a SentMessage, as the method would have returned it."""


class DeliveryTimeoutError(LinqError):
    """``wait_until_delivered`` gave up: nothing is wrong with the send, which may still be delivered."""

    def __init__(
        self,
        message: str = "",
        *,
        chat_id: int = 0,
        message_id: int = 0,
        seconds: float = 0.0,
        delivery_status: str | None = None,
    ) -> None:
        super().__init__(message, outcome=Outcome.SENT)
        self.chat_id = chat_id
        """The chat that the message is in."""
        self.message_id = message_id
        """The message that was waited for."""
        self.seconds = seconds
        """How long was waited, in seconds."""
        self.delivery_status = delivery_status
        """What the server said of it last."""


STATUS_ERRORS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_class(status: int) -> type[APIError]:
    """Return the exception class for a status outside 2xx."""
    if 500 <= status <= 599:
        return ServerError
    if 300 <= status <= 399:
        return RedirectError
    return STATUS_ERRORS.get(status, APIError)
