"""An async client of the Linq Partner API v2: iMessage, RCS and SMS, with an outcome that is always known."""

from linq_async._version import __version__
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
    ErrorDetail,
    InvalidArgumentError,
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
from linq_async.models.chats import CreatedChat, CreatedChatMessage
from linq_async.models.common import Attachment, ChatHandle, DeliveryStatus, Service
from linq_async.models.outgoing import NewChat, new_idempotency_key
from linq_async.uploads import Upload
from linq_async.wire.converter import to_dict
from linq_async.wire.request import Response

__all__ = [
    "APIError",
    "Attachment",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "ChatHandle",
    "ClientStateError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectionLostError",
    "CreatedChat",
    "CreatedChatMessage",
    "DecodeError",
    "DeliveryStatus",
    "ErrorDetail",
    "InvalidArgumentError",
    "LinqClient",
    "LinqError",
    "NewChat",
    "NotFoundError",
    "Outcome",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "Problem",
    "RateLimitError",
    "RedirectError",
    "RequestTimeoutError",
    "Response",
    "RetryPolicy",
    "ServerError",
    "Service",
    "Timeouts",
    "UnprocessableEntityError",
    "Upload",
    "UploadError",
    "__version__",
    "new_idempotency_key",
    "to_dict",
]
