"""Results and errors as plain dicts, ready for JSON."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any, cast

import attrs

from linq_async.errors import (
    APIError,
    ConnectError,
    DecodeError,
    DeliveryTimeoutError,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    RequestTimeoutError,
    UploadError,
    WebhookVerificationError,
)
from linq_async.models.chats import CreatedChat, CreatedChatMessage
from linq_async.models.common import DeliveryStatus
from linq_async.models.messages import SentMessage
from linq_async.models.response import Response

_ERROR_FIELDS: dict[type[LinqError], tuple[str, ...]] = {
    LinqError: ("message", "outcome", "operation", "idempotency_key", "attempts", "request_id"),
    UploadError: ("reason", "index"),
    ConnectError: ("reason",),
    RequestTimeoutError: ("phase", "seconds"),
    APIError: ("status", "retry_after", "hint"),
    DecodeError: ("status",),
    WebhookVerificationError: ("reason",),
    DeliveryTimeoutError: ("chat_id", "message_id", "seconds"),
}


def to_dict(result: Any) -> dict[str, Any]:
    """Return a result, or an event without its body, as plain dicts and lists, ready for JSON.

    The keys are the field names of the class, times are in ISO 8601, and enums are their values.

    Raises:
        TypeError: If the argument is not a result of this package, or is a ``Response``.
    """
    if result.__class__ is Response or not attrs.has(result.__class__):
        raise TypeError(f"expected a result, got {type(result).__name__}")
    return attrs.asdict(result, filter=lambda _, value: value.__class__ is not bytes, value_serializer=_plain)


def _plain(_instance: Any, _attribute: Any, value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def error_to_dict(error: LinqError, *, show_details: bool = False) -> dict[str, Any]:
    """Return an error as a plain dict, ready for JSON: for logs, HTTP responses and reports.

    Every error has ``type``, ``message``, ``outcome``, ``operation``, ``idempotency_key``, ``attempts`` and
    ``request_id``. The other keys depend on the class:

    - InvalidArgumentError: ``problems``, each with ``argument`` and ``message``
    - UploadError: ``reason``, ``index``
    - ConnectError: ``reason``
    - RequestTimeoutError: ``phase``, ``seconds``
    - APIError: ``status``, ``retry_after``, ``hint``, and ``errors``, each with ``status`` and ``code``
    - DecodeError: ``status``, ``paths``
    - WebhookVerificationError: ``reason``
    - KeyReusedError: ``chat_id``, ``message_id`` of the message that the server shows
    - DeliveryTimeoutError: ``chat_id``, ``message_id``, ``seconds``, ``delivery_status``

    Phone numbers, texts, file names, bodies and headers are omitted. With ``show_details``, each of ``errors`` also
    has the ``title`` and ``detail`` of the server and its ``code`` unchecked, which may repeat what was sent.

    Raises:
        TypeError: If the argument is not a LinqError.
    """
    if not isinstance(error, LinqError):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"expected a LinqError, got {type(error).__name__}")
    found: dict[str, Any] = {"type": type(error).__name__}
    for kind in reversed(type(error).__mro__):
        found |= {name: getattr(error, name) for name in _ERROR_FIELDS.get(kind, ())}
    found["outcome"] = error.outcome.value
    if isinstance(error, InvalidArgumentError):
        found["problems"] = [{"argument": one.argument, "message": one.message} for one in error.problems]
    elif isinstance(error, APIError):
        names = ("status", "code", "title", "detail") if show_details else ("status", "safe_code")
        found["errors"] = [{name.removeprefix("safe_"): getattr(one, name) for name in names} for one in error.errors]
    elif isinstance(error, DecodeError):
        found["paths"] = list(error.paths)
    elif isinstance(error, KeyReusedError):
        result: object = error.result
        message = result.message if isinstance(result, CreatedChat) else result
        found["chat_id"] = result.id if isinstance(result, CreatedChat) else None  # a SentMessage does not include it
        found["message_id"] = message.id if isinstance(message, CreatedChatMessage | SentMessage) else None
    elif isinstance(error, DeliveryTimeoutError):
        known = error.delivery_status in set(DeliveryStatus)
        found["delivery_status"] = str(error.delivery_status) if known else None
    return found
