"""Errors as problem details (RFC 9457), for the responses of your own API. Pure."""

from __future__ import annotations

import math
from typing import Any

from linq_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DecodeError,
    InvalidArgumentError,
    KeyReusedError,
    LinqError,
    NotFoundError,
    Outcome,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
    UploadError,
    WebhookVerificationError,
)
from linq_async.webhooks.inbox import InboxError

CONTENT_TYPE = "application/problem+json"
"""The media type of a problem."""

_REJECTED = (
    InvalidArgumentError,
    UploadError,
    BadRequestError,
    UnprocessableEntityError,
    PayloadTooLargeError,
    KeyReusedError,
)
_NOT_SENT: dict[type[LinqError], int] = {
    **dict.fromkeys(_REJECTED, 422),
    **dict.fromkeys((ConfigurationError, AuthenticationError, PermissionDeniedError, DecodeError, InboxError), 500),
    WebhookVerificationError: 401,
    NotFoundError: 404,
    RateLimitError: 503,
    LinqError: 502,
}
_TITLES = {
    401: "The signature of the webhook request is missing or wrong.",
    404: "Linq does not know the chat, message or other resource.",
    422: "The values were rejected. Nothing was sent.",
    500: "This service failed or is not set up correctly. Nothing was sent.",
    502: "Linq could not be reached or failed. Nothing was sent.",
    503: "Linq accepts no more requests for now. Nothing was sent.",
    504: "It is not known whether this was sent. Repeat it with the same idempotency key.",
}
_SENT = "Sent, but the result could not be read. Do not repeat it under another key."


def problem_of(error: LinqError) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the problem details (RFC 9457) for an error of a call.

    The status depends on ``error.outcome``, so that a gateway repeats only what may be repeated:

    - NOT_SENT: 422 for rejected values, 404, 503 for a rate limit, 500 for a missing token or permission, 401 for a
      webhook request that is not verified, else 502
    - UNKNOWN: 504
    - SENT: 500

    The members are ``type``, ``title``, ``status``, ``outcome``, ``idempotency_key``, ``request_id``, ``arguments``
    (the names of rejected arguments), ``hint`` (which numbers of a rejected request are not in E.164 form) and
    ``retry_after``: whole seconds with status 503 if the server asks for a wait, for the header ``Retry-After``. What
    was sent, and what the server says about it, is omitted.
    """
    sent = error.outcome is Outcome.SENT
    if sent or error.outcome is Outcome.UNKNOWN:
        status = 500 if sent else 504  # gateways repeat 502 to 504
    else:
        status = next(_NOT_SENT[kind] for kind in type(error).__mro__ if kind in _NOT_SENT)
    arguments = [problem.argument for problem in error.problems] if isinstance(error, InvalidArgumentError) else []
    if isinstance(error, UploadError) and error.index is not None:
        arguments = [f"attachments[{error.index}]"]
    wait = error.retry_after if isinstance(error, APIError) and status == 503 else None
    return status, {
        "type": f"urn:linq-async:{type(error).__name__}",
        "title": _SENT if sent else _TITLES[status],
        "status": status,
        "outcome": error.outcome.value,
        "idempotency_key": error.idempotency_key,
        "request_id": error.request_id,
        "arguments": arguments,
        "hint": error.hint if isinstance(error, APIError) else None,
        "retry_after": None if wait is None else math.ceil(wait),
    }
