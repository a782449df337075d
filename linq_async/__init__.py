"""An async client of the Linq Partner API v2: iMessage, RCS and SMS, with an outcome that is always known."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from linq_async._version import __version__

if TYPE_CHECKING:
    from linq_async._unset import UNSET, UnsetType
    from linq_async.attempts import Attempt
    from linq_async.client import LinqClient
    from linq_async.config import RetryPolicy, Timeouts
    from linq_async.errors import (
        APIError,
        AuthenticationError,
        BadRequestError,
        ClientStateError,
        ConfigurationError,
        ConflictError,
        ConnectError,
        ConnectionLostError,
        DecodeError,
        DeliveryTimeoutError,
        ErrorDetail,
        InvalidArgumentError,
        KeyReusedError,
        LinqError,
        NotFoundError,
        Outcome,
        PayloadTooLargeError,
        PermissionDeniedError,
        Problem,
        RateLimitError,
        RedirectError,
        RequestTimeoutError,
        ServerError,
        UnprocessableEntityError,
        UploadError,
    )
    from linq_async.models.chats import Chat, CreatedChat, CreatedChatMessage
    from linq_async.models.common import Attachment, ChatHandle, DeliveryStatus, Page, Service
    from linq_async.models.contacts import Contact, ContactFields, ContactOwner
    from linq_async.models.imessage import Availability
    from linq_async.models.messages import EditedMessage, Message, Reaction, ReactionType, SentMessage
    from linq_async.models.outgoing import NewChat, NewMessage, new_idempotency_key
    from linq_async.models.phone_numbers import PhoneNumber
    from linq_async.models.webhook_subscriptions import WebhookEventType, WebhookSubscription
    from linq_async.resources.pager import Pager
    from linq_async.uploads import Upload
    from linq_async.wire.converter import to_dict
    from linq_async.wire.request import Response

__all__ = [  # noqa: RUF022  # as sorted() sorts
    "APIError",
    "Attachment",
    "Attempt",
    "AuthenticationError",
    "Availability",
    "BadRequestError",
    "Chat",
    "ChatHandle",
    "ClientStateError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectionLostError",
    "Contact",
    "ContactFields",
    "ContactOwner",
    "CreatedChat",
    "CreatedChatMessage",
    "DecodeError",
    "DeliveryStatus",
    "DeliveryTimeoutError",
    "EditedMessage",
    "ErrorDetail",
    "InvalidArgumentError",
    "KeyReusedError",
    "LinqClient",
    "LinqError",
    "Message",
    "NewChat",
    "NewMessage",
    "NotFoundError",
    "Outcome",
    "Page",
    "Pager",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PhoneNumber",
    "Problem",
    "RateLimitError",
    "Reaction",
    "ReactionType",
    "RedirectError",
    "RequestTimeoutError",
    "Response",
    "RetryPolicy",
    "SentMessage",
    "ServerError",
    "Service",
    "Timeouts",
    "UNSET",
    "UnprocessableEntityError",
    "UnsetType",
    "Upload",
    "UploadError",
    "WebhookEventType",
    "WebhookSubscription",
    "__version__",
    "new_idempotency_key",
    "to_dict",
]

_HOMES = {
    name: home
    for home, names in {
        "linq_async._unset": (
            "UNSET",
            "UnsetType",
        ),
        "linq_async.attempts": ("Attempt",),
        "linq_async.client": ("LinqClient",),
        "linq_async.config": (
            "RetryPolicy",
            "Timeouts",
        ),
        "linq_async.errors": (
            "APIError",
            "AuthenticationError",
            "BadRequestError",
            "ClientStateError",
            "ConfigurationError",
            "ConflictError",
            "ConnectError",
            "ConnectionLostError",
            "DecodeError",
            "DeliveryTimeoutError",
            "ErrorDetail",
            "InvalidArgumentError",
            "KeyReusedError",
            "LinqError",
            "NotFoundError",
            "Outcome",
            "PayloadTooLargeError",
            "PermissionDeniedError",
            "Problem",
            "RateLimitError",
            "RedirectError",
            "RequestTimeoutError",
            "ServerError",
            "UnprocessableEntityError",
            "UploadError",
        ),
        "linq_async.models.chats": (
            "Chat",
            "CreatedChat",
            "CreatedChatMessage",
        ),
        "linq_async.models.common": (
            "Attachment",
            "ChatHandle",
            "DeliveryStatus",
            "Page",
            "Service",
        ),
        "linq_async.models.contacts": (
            "Contact",
            "ContactFields",
            "ContactOwner",
        ),
        "linq_async.models.imessage": ("Availability",),
        "linq_async.models.messages": (
            "EditedMessage",
            "Message",
            "Reaction",
            "ReactionType",
            "SentMessage",
        ),
        "linq_async.models.outgoing": (
            "NewChat",
            "NewMessage",
            "new_idempotency_key",
        ),
        "linq_async.models.phone_numbers": ("PhoneNumber",),
        "linq_async.models.webhook_subscriptions": (
            "WebhookEventType",
            "WebhookSubscription",
        ),
        "linq_async.resources.pager": ("Pager",),
        "linq_async.uploads": ("Upload",),
        "linq_async.wire.converter": ("to_dict",),
        "linq_async.wire.request": ("Response",),
    }.items()
    for name in names
}
"""Where each public name lives: it is loaded when it is first asked for, so that the pytest plugin costs nothing."""


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what is public."""
    return sorted(__all__)
