"""The public names of the package, which ``linq_async`` exports when they are first used."""

from __future__ import annotations

from linq_async._unset import UNSET, UnsetType
from linq_async._version import __version__
from linq_async.attempts import Attempt
from linq_async.calls import CallInfo
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
    WebhookVerificationError,
)
from linq_async.models.chats import Chat, CreatedChat, CreatedChatMessage
from linq_async.models.common import Attachment, ChatHandle, DeliveryStatus, Page, Service
from linq_async.models.contacts import Contact, ContactFields, ContactOwner
from linq_async.models.imessage import Availability
from linq_async.models.messages import EditedMessage, Message, Reaction, ReactionType, SentMessage
from linq_async.models.outgoing import NewChat, NewMessage, new_idempotency_key
from linq_async.models.phone_numbers import PhoneNumber
from linq_async.models.response import Response
from linq_async.models.serialize import error_to_dict, to_dict
from linq_async.models.webhook_subscriptions import WebhookEventType, WebhookSubscription
from linq_async.resources.pager import Pager
from linq_async.uploads import Upload

__all__ = [  # noqa: RUF022  # as sorted() sorts
    "APIError",
    "Attachment",
    "Attempt",
    "AuthenticationError",
    "Availability",
    "BadRequestError",
    "CallInfo",
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
    "WebhookVerificationError",
    "__version__",
    "error_to_dict",
    "new_idempotency_key",
    "to_dict",
]
