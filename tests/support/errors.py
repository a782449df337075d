"""An error of every class, with a secret wherever one may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from linq_async import (
    APIError,
    ConnectError,
    CreatedChat,
    CreatedChatMessage,
    DecodeError,
    DeliveryTimeoutError,
    ErrorDetail,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    Outcome,
    Problem,
    RequestTimeoutError,
    UploadError,
    WebhookVerificationError,
)

SECRET = "+15550001111 see you at nine"
_DETAILS = [ErrorDetail(422, "missing_phone", SECRET, SECRET), ErrorDetail(400, SECRET), ErrorDetail()]


def _chat() -> CreatedChat:
    return CreatedChat(id=45, display_name=SECRET, message=CreatedChatMessage(id=7, text=SECRET))


def _api_error(kind: type[APIError]) -> APIError:
    secrets = {"location": SECRET}
    return kind("no", status=422, errors=_DETAILS, body=SECRET.encode(), headers=secrets, retry_after=7.0, hint="text")


_MAKERS: dict[type[LinqError], Callable[[], LinqError]] = {
    InvalidArgumentError: lambda: InvalidArgumentError([Problem("text", "must not be empty")]),
    UploadError: lambda: UploadError(SECRET, "is a directory", index=1),
    ConnectError: lambda: ConnectError("no connection", reason="dns"),
    RequestTimeoutError: lambda: RequestTimeoutError("write", 0.5),
    DecodeError: lambda: DecodeError("no", paths=["$.data.id"], status=201, body=SECRET.encode()),
    WebhookVerificationError: lambda: WebhookVerificationError("no", reason="expired"),
    KeyReusedError: lambda: KeyReusedError("no", result=_chat()),
    DeliveryTimeoutError: lambda: DeliveryTimeoutError(
        "no", chat_id=1, message_id=2, seconds=3.0, delivery_status=SECRET
    ),
}


def error_classes(kind: type[LinqError] = LinqError) -> Iterator[type[LinqError]]:
    """Yield every error class of the package, the base class first. Those of bulk sends are reported per row."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("linq_async.") and not child.__module__.startswith("linq_async.bulk."):
            yield from error_classes(child)


def make_error(kind: type[LinqError], outcome: Outcome = Outcome.UNKNOWN) -> LinqError:
    """Return an error of the class, with a secret in each attribute that may contain one."""
    error = _MAKERS[kind]() if kind in _MAKERS else _api_error(kind) if issubclass(kind, APIError) else kind("no")
    error.operation, error.idempotency_key, error.request_id = "chats.create", "key-1", "r-1"
    error.outcome, error.attempts = outcome, 2
    return error
