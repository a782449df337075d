"""Why a webhook request is not verified: a diagnosis for people. What it finds is never accepted."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import orjson

from linq_async.arguments import webhook_secrets
from linq_async.errors import DecodeError, WebhookVerificationError
from linq_async.webhooks.parsing import parse
from linq_async.webhooks.signature import (
    SIGNATURE_HEADER,
    Headers,
    Secret,
    as_bytes,
    digest_of,
    from_bare_frame,
    header_values,
    pairs_of,
    verify,
)

_HINTS = {
    "missing": "Linq signs a request if its subscription has a secret. A proxy may have removed the header.",
    "repeated": "Something on the way added a header.",
    "malformed": "API v3 signs in another way. If that is where it comes from, create the subscription with API v2.",
    "mismatch": (
        "No known mistake explains it. Compare the secret with that of the subscription, and pass the body as it was "
        "received."
    ),
}


@from_bare_frame
def explain(body: bytes | str, headers: Headers, secret: Secret | None = None) -> str:
    """Return whether a webhook request can be verified and, if not, the probable reason, as text for people.

    The text shows neither the secret nor the signature nor the body.

    Raises:
        ConfigurationError: If there is no secret, or it is empty.
        TypeError: If an argument has the wrong type.
    """
    raw = as_bytes(body)
    return f"{_verdict(raw, headers, webhook_secrets(secret))} {_content(raw)}"


def _verdict(body: bytes, headers: Headers, secrets: Sequence[bytes]) -> str:
    pairs = list(pairs_of(headers))
    try:
        verify(body, pairs, secrets)
    except WebhookVerificationError as error:
        refused = error
    else:
        return "Verified: the signature matches the body."
    signatures = header_values(pairs, SIGNATURE_HEADER.lower())
    hexadecimal = signatures[0].strip().lower().removeprefix("sha256=") if len(signatures) == 1 else ""
    for form, content in _forms(body, header_values(pairs, "x-webhook-timestamp")):
        for kind, key in _keys(secrets):
            if digest_of(content, key).hex() == hexadecimal:
                return f"Not verified: {refused}. It would match {form}.{kind}"
    return f"Not verified: {refused}. {_HINTS[refused.reason]}"


def _forms(body: bytes, timestamps: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield what may have been signed instead of the body, and what that would mean."""
    yield "the body as it was received", body
    yield "the body with a newline at its end, which something removed: pass the raw body", body + b"\n"
    yield "the body without the newline at its end, which something added: pass the raw body", body.rstrip(b"\r\n")
    for timestamp in timestamps[:1]:
        yield (
            "the timestamp and the body, as API v3 signs: create the subscription with API v2",
            timestamp.encode("utf-8", "surrogatepass") + b"." + body,
        )
    try:
        data = orjson.loads(body)
        compact, canonical = orjson.dumps(data), orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except (ValueError, TypeError):  # not JSON, or JSON that is too deep to be encoded
        return
    yield (
        "the same JSON in compact form: something decoded the body and encoded it again, so pass the raw body",
        compact,
    )
    yield (
        "the same JSON in compact form with sorted keys: Linq signed canonical JSON and not the body that it sent",
        canonical,
    )


def _keys(secrets: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the keys that the secrets may stand for, and what to change."""
    for number, secret in enumerate(secrets, start=1):
        which = f" The secret is number {number} of {len(secrets)}." if len(secrets) > 1 else ""
        yield which, secret
        yield f"{which} The secret has whitespace around it, which must be removed.", secret.strip()
        try:
            decoded = base64.b64decode(secret.strip().removeprefix(b"whsec_"), validate=True)
        except ValueError:
            continue
        yield f"{which} The secret must be decoded from base64, without whsec_.", decoded


def _content(body: bytes) -> str:
    try:
        return f"The body is an event: {type(parse(body)).__name__}."
    except DecodeError as error:
        return f"But {error}."
