"""Signatures of webhook requests: HMAC-SHA256 of the body as it was sent, with the secret of the subscription."""

from __future__ import annotations

import functools
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

from linq_async.arguments import webhook_secrets
from linq_async.errors import LinqError, VerificationReason, WebhookVerificationError

P = ParamSpec("P")
T = TypeVar("T")

Secret: TypeAlias = str | bytes | Sequence[str | bytes]
"""One secret, or several while they are being replaced."""
Headers: TypeAlias = Mapping[str, Any] | Iterable[tuple[str | bytes, Any]]
"""The headers of a request: a mapping with names in any case, or pairs of str or bytes."""

SIGNATURE_HEADER = "X-Webhook-Signature"
_LOWERED = SIGNATURE_HEADER.lower()
_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})")
_MESSAGES: dict[VerificationReason, str] = {
    "missing": f"the request has no header {SIGNATURE_HEADER}",
    "repeated": f"the request has more than one header {SIGNATURE_HEADER}",
    "malformed": f"the header {SIGNATURE_HEADER} is not sha256= and 64 hexadecimal digits",
    "mismatch": "the signature does not match the body: wrong secret, or not the body that was sent",
    "expired": "the event is older than max_age",
}


def without_frames(error: Exception) -> Exception:
    """Return an error without its traceback, to be raised from a frame that holds no body, header or secret."""
    if not isinstance(error, LinqError | TypeError):  # a caller's headers may raise anything
        error = TypeError(f"an argument cannot be read: {type(error).__name__}")
    error.__context__ = None
    return error.with_traceback(None)


def from_bare_frame(function: Callable[P, T]) -> Callable[P, T]:
    """Raise the errors of a function from a frame that holds none of its arguments."""

    @functools.wraps(function)
    def bare(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            failed = without_frames(error)
        del args, kwargs
        raise failed

    return bare


def refusal(reason: VerificationReason) -> WebhookVerificationError:
    """Return the error for a request that is not verified."""
    return WebhookVerificationError(_MESSAGES[reason], reason=reason)


def as_bytes(body: object) -> bytes:
    """Return a body as the bytes that were sent.

    Raises:
        TypeError: If it is neither bytes nor str: JSON that is encoded again has other bytes.
    """
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")  # surrogates are refused as the JSON that they are not
    raise TypeError(f"pass the raw body of the request as bytes or str, not {type(body).__name__}")


@from_bare_frame
def sign(body: bytes | str, secret: str | bytes) -> str:
    """Return the value of the header ``X-Webhook-Signature`` for a body: ``sha256=`` and 64 digits.

    Raises:
        ConfigurationError: If the secret is empty.
        TypeError: If the body is neither bytes nor str.
    """
    (key,) = webhook_secrets((secret,))
    return f"sha256={digest_of(as_bytes(body), key).hex()}"


def verify(body: bytes, headers: Headers, secrets: Sequence[bytes]) -> None:
    """Check that a body was signed with one of the secrets.

    Raises:
        WebhookVerificationError: If the request has not exactly one signature, or a wrong one.
    """
    values = header_values(headers, _LOWERED)
    if len(values) != 1:
        raise refusal("repeated" if values else "missing")
    match = _SIGNATURE.fullmatch(values[0])
    if match is None:
        raise refusal("malformed")
    signature = bytes.fromhex(match[1])
    verified = False
    for secret in secrets:  # all of them, so that the time does not show which one it was
        verified |= hmac.compare_digest(digest_of(body, secret), signature)
    if not verified:
        raise refusal("mismatch")


def digest_of(body: bytes, secret: bytes) -> bytes:
    """Return the HMAC-SHA256 of a body."""
    digest = _keyed(secret).copy()
    digest.update(body)
    return digest.digest()


@functools.lru_cache(maxsize=8)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Return the HMAC of nothing. To copy it takes a third less time than to begin with the secret again."""
    return hmac.new(secret, digestmod="sha256")


def header_values(headers: Headers, name: str) -> list[str]:
    """Return the values of a header, whose name is given in lower case. A value that is no text is an empty str."""
    size = len(name)
    return [_text(value) for key, value in pairs_of(headers) if len(key) == size and _text(key).lower() == name]


def pairs_of(headers: Headers) -> Iterable[tuple[Any, Any]]:
    """Return the pairs of a mapping, or of a class of headers that is none, such as ``email.message.Message``."""
    items: Callable[[], Iterable[tuple[Any, Any]]] | None = getattr(headers, "items", None)
    return cast("Iterable[tuple[Any, Any]]", headers) if items is None else items()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""
