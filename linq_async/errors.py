"""The exceptions of this package.

The tree::

    LinqError                       outcome, operation, idempotency_key, attempts, request_id
      ConfigurationError            no token, or http to another machine
      ClientStateError              the client is closed or used on a second loop (also a RuntimeError)
      InvalidArgumentError          invalid arguments, nothing was sent (also a ValueError)
      UploadError                   an attachment could not be read
      ConnectError                  no connection was made, this attempt sent nothing
      ConnectionLostError           the connection was lost before the whole response arrived
      RequestTimeoutError           the response did not arrive in time (also a TimeoutError)
      APIError                      the server responded with an error status
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
      DecodeError                   a body does not have the documented shape
      WebhookVerificationError      an event is not signed with your secret, or too old
      KeyReusedError                2xx, but the response shows another message under the key
      DeliveryTimeoutError          wait_until_delivered timed out, the message itself was sent

The class names the cause, ``error.outcome`` the effect on the message. Errors are plain data and can be pickled and
copied. Their text never contains the token, a phone number or the text of a message, unless the client was created
with ``show_details=True``: then the text of an APIError includes the server's own message, which may repeat them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import attrs

ConnectReason = Literal["refused", "dns", "timeout", "tls", "certificate", "proxy", "proxy_denied", "lost"]
"""The cause of a ConnectError."""
TimeoutPhase = Literal["write", "read", "total"]
"""The time limit that a RequestTimeoutError reports."""
VerificationReason = Literal["missing", "repeated", "malformed", "mismatch", "expired"]
"""The cause of a WebhookVerificationError."""


class Outcome(enum.StrEnum):
    """The effect of a call on the server, as far as the client can know it."""

    NOT_SENT = "not_sent"
    """The server did not carry out the request: it was never sent, or the server rejected it."""
    UNKNOWN = "unknown"
    """The server may have carried out the request. Retry with the same idempotency key to find out."""
    SENT = "sent"
    """The server accepted the request."""

    def joined(self, other: Outcome) -> Outcome:
        """Return the outcome of two attempts together: SENT before UNKNOWN before NOT_SENT."""
        return self if _CERTAINTY[self] >= _CERTAINTY[other] else other


_CERTAINTY = {Outcome.NOT_SENT: 0, Outcome.UNKNOWN: 1, Outcome.SENT: 2}


@attrs.frozen
class ErrorDetail:
    """One error of a response, from either of the two formats that the API documents.

    The repr omits ``title`` and ``detail``, which may repeat a phone number or a text.
    """

    status: int | None = None
    """The HTTP status that the server gives for this error."""
    code: str | None = None
    """The machine-readable code, such as ``missing_phone``."""
    title: str | None = None
    """A short summary."""
    detail: str | None = None
    """The explanation for people."""

    @property
    def safe_code(self) -> str | None:
        """The code if it is an identifier such as ``missing_phone``; else None, because it may be an echoed text."""
        return self.code if self.code is not None and _CODE.fullmatch(self.code) else None

    def __repr__(self) -> str:
        return f"ErrorDetail(status={self.status}, code={self.safe_code!r})"


_CODE = re.compile(r"(?=.{1,64}$)(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)")


@attrs.frozen
class Problem:
    """One problem with an argument."""

    argument: str
    """The name of the argument, with an index if it is an item of a list: ``phone_numbers[1]``."""
    message: str
    """What is wrong, such as ``must not be empty``."""

    def __str__(self) -> str:
        return f"{self.argument} {self.message}"


class LinqError(Exception):
    """Base class of all exceptions of this package.

    A pickled error includes what the server sent (``body``, ``errors``, ``headers``), which may be personal data.
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
        self.message: str = message
        """The text without outcome, attempts, key and request id, which ``str(error)`` appends."""
        self.outcome: Outcome = outcome
        """Whether the server carried out the request, over all attempts of the call."""
        self.operation: str | None = None
        """The operation that failed, such as ``chats.create``; None outside a call."""
        self.idempotency_key: str | None = idempotency_key
        """The key of the message, yours or a generated one; None for calls without a message."""
        self.attempts: int = attempts
        """The number of attempts, 0 if none began."""
        self.request_id: str | None = request_id
        """The server's id of the request, if it returned one."""

    def __reduce__(self) -> tuple[object, ...]:
        # Created without __init__, whose arguments differ by class, and restored from the dict.
        return _rebuild, (type(self), self.message), self.__dict__

    def __str__(self) -> str:
        if not self.attempts:
            return self.message
        facts = [f"outcome: {self.outcome.value}", f"attempts: {self.attempts}"]
        if self.idempotency_key is not None:
            facts.append(f"idempotency key: {self.idempotency_key}")
        if self.request_id is not None:
            facts.append(f"request id: {self.request_id}")
        return f"{self.message} ({', '.join(facts)})"


def _rebuild(kind: type[LinqError], message: str) -> LinqError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    return error


class ConfigurationError(LinqError):
    """The configuration of the client is incomplete or unsafe."""


class ClientStateError(LinqError, RuntimeError):
    """The client is closed, or in use on another event loop."""


class InvalidArgumentError(LinqError, ValueError):
    """The arguments are invalid. Nothing was sent."""

    def __init__(self, problems: Iterable[Problem] = (), *, operation: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        """All problems, each with the name of its argument."""
        super().__init__("; ".join(str(problem) for problem in self.problems))
        self.operation = operation


class UploadError(LinqError):
    """An attachment could not be read. The text gives its index, not its name, which may be personal."""

    def __init__(
        self, filename: str = "", reason: str = "", *, index: int | None = None, outcome: Outcome = Outcome.NOT_SENT
    ) -> None:
        super().__init__(f"{'attachment' if index is None else f'attachments[{index}]'} {reason}", outcome=outcome)
        self.filename: str = filename
        """The file name, as it is sent."""
        self.reason: str = reason
        """Why it could not be read."""
        self.index: int | None = index
        """The index in ``attachments``; None if the upload is not part of a message yet."""

    def at(self, index: int) -> UploadError:
        """Return the same error for the attachment with this index."""
        return UploadError(self.filename, self.reason, index=index, outcome=self.outcome)


class ConnectError(LinqError):
    """The connection could not be made, so this attempt sent nothing."""

    def __init__(self, message: str = "", *, reason: ConnectReason = "refused") -> None:
        super().__init__(message)
        self.reason: ConnectReason = reason
        """``refused``, ``dns``, ``timeout``, ``tls``, ``certificate``, ``proxy``, ``proxy_denied`` or ``lost``.

        ``proxy_denied``: the proxy responded to CONNECT with 407, or with another 4xx that a retry would not change.
        """


class ConnectionLostError(LinqError):
    """The connection was lost after the request was sent, before the whole response arrived."""


class RequestTimeoutError(LinqError, TimeoutError):
    """The request was sent at least in part, and the whole response did not arrive in time."""

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
        self.seconds: float = seconds
        """The limit that was exceeded, in seconds."""


_PHASES = {
    "write": "write timeout: the server read no more of the body",
    "read": "read timeout: the response was not complete",
    "total": "total timeout: the call did not end",
}


class APIError(LinqError):
    """The server responded with a status outside 2xx.

    The message names the operation, the status and the server's code. The server's explanation is in
    ``errors[0].detail``; with ``show_details=True`` the message includes it, and may then contain personal data.
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
        self.status: int = status
        """The HTTP status."""
        self.errors: tuple[ErrorDetail, ...] = tuple(errors)
        """The first 20 errors in the body; empty if the body has neither of the documented formats."""
        self.body: bytes = body
        """The first 64 KiB of the body. May contain personal data."""
        self.headers: dict[str, str] = dict(headers or {})
        """The response headers, with names in lower case."""
        self.retry_after: float | None = retry_after
        """The seconds to wait that the server asks for, if it does."""
        self.hint: str | None = hint
        """A likely problem with an argument, by its name. The message ends with it."""

    def __dir__(self) -> list[str]:
        return _without_echoes(super().__dir__())


class BadRequestError(APIError):
    """400: a parameter is missing or malformed."""


class AuthenticationError(APIError):
    """401: the token is missing or invalid."""


class PermissionDeniedError(APIError):
    """403: the token is valid, but does not permit the operation."""


class NotFoundError(APIError):
    """404: the resource does not exist."""


class ConflictError(APIError):
    """409: the request conflicts with the state of the server."""


class PayloadTooLargeError(APIError):
    """413: the body exceeds the server's limit."""


class UnprocessableEntityError(APIError):
    """422: the server rejected the values."""


class RateLimitError(APIError):
    """429: too many requests. With ``attempts == 0`` it was not sent because of an earlier ``Retry-After``."""


class ServerError(APIError):
    """5xx: the server failed."""


class RedirectError(APIError):
    """3xx: a redirect. It is not followed, because the token would go with it."""


class DecodeError(LinqError):
    """A body does not have the shape that the API documents.

    If it is the body of a 2xx response, ``outcome`` is SENT: the server accepted the request, so do not send it again.
    """

    def __init__(
        self,
        message: str = "",
        *,
        paths: Iterable[str] = (),
        status: int | None = None,
        body: bytes = b"",
        request_id: str | None = None,
        outcome: Outcome = Outcome.SENT,
    ) -> None:
        super().__init__(message, outcome=outcome, request_id=request_id)
        self.paths: tuple[str, ...] = tuple(paths)
        """Where the body differs, such as ``$.data.chat_handles[1].joined_at``."""
        self.status: int | None = status
        """The HTTP status of the response; None if the body is not that of a response."""
        self.body: bytes = body
        """The first 64 KiB of the body. May contain personal data."""

    def __dir__(self) -> list[str]:
        return _without_echoes(super().__dir__())


def _without_echoes(names: Iterable[str]) -> list[str]:
    """Omit what the server sent: cgitb prints every attribute that ``dir`` lists."""
    return sorted(set(names) - {"__dict__", "body", "errors", "headers"})


class WebhookVerificationError(LinqError):
    """A request is not an event of Linq's, as far as its signature shows. Respond with 401, and do not handle it.

    The text shows neither the secret nor the signature.
    """

    def __init__(self, message: str = "", *, reason: VerificationReason = "mismatch") -> None:
        super().__init__(message)
        self.reason: VerificationReason = reason
        """``missing``, ``repeated`` or ``malformed`` is a header, ``mismatch`` the signature, ``expired`` the time."""


class KeyReusedError(LinqError):
    """The response shows another message under the idempotency key.

    ``outcome`` is NOT_SENT only if the server had that message before the call and the texts cannot be versions of the
    same message: then send yours with another key. Otherwise it is UNKNOWN: look at ``result`` before you do.
    """

    def __init__(self, message: str = "", *, result: Any = None, outcome: Outcome = Outcome.UNKNOWN) -> None:
        super().__init__(message, outcome=outcome)
        self.result: Any = result
        """The CreatedChat or SentMessage that the method would have returned."""


class DeliveryTimeoutError(LinqError):
    """``wait_until_delivered`` timed out. The message was sent and may still be delivered."""

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
        self.chat_id: int = chat_id
        """The id of the chat."""
        self.message_id: int = message_id
        """The id of the message."""
        self.seconds: float = seconds
        """The timeout, in seconds."""
        self.delivery_status: str | None = delivery_status
        """The last delivery status of the message."""
