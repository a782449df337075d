"""linq_async/webhooks/explanation.py: what ``explain`` says about a request that is not verified."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import orjson
import pytest

from linq_async import ConfigurationError, WebhookVerificationError
from linq_async.webhooks import explain, sign, unwrap
from linq_async.webhooks.signature import Headers

from .samples import PERSON, SECRET, envelope, sample_body, signed

BODY = sample_body()
COMPACT = orjson.dumps(json.loads(BODY))
SORTED = orjson.dumps(json.loads(BODY), option=orjson.OPT_SORT_KEYS)
NAME, TIMESTAMP = "X-Webhook-Signature", "1756853780"
KEY = bytes(range(24))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
V3 = hmac.digest(SECRET.encode(), f"{TIMESTAMP}.".encode() + BODY, "sha256").hex()
DEEP = json.dumps(envelope("a.b", {"id": "@"})).replace('"@"', "[" * 900 + "]" * 900).encode()

Case = tuple[bytes, Headers, str | list[str], str]
cases: dict[str, Case] = {
    "verified": (BODY, signed(BODY), SECRET, "Verified: the signature matches the body. The body is an event"),
    "one of two secrets": (BODY, signed(BODY), ["old", SECRET], "Verified"),
    "no header": (BODY, {}, SECRET, "no header X-Webhook-Signature. Linq signs a request if its subscription has a"),
    "two headers": (
        BODY,
        [*signed(BODY).items()] * 2,
        SECRET,
        "more than one header X-Webhook-Signature. Something on",
    ),
    "no prefix": (BODY, {NAME: signed(BODY)[NAME][7:]}, SECRET, "64 hexadecimal digits. It would match the body as it"),
    "not hexadecimal": (BODY, {NAME: "sha256=x"}, SECRET, "64 hexadecimal digits. API v3 signs in another way"),
    "another secret": (BODY, signed(BODY, "other"), SECRET, "No known mistake explains it. Compare the secret"),
    "an altered body": (BODY.replace(b"cake", b"Cake"), signed(BODY), SECRET, "No known mistake explains it"),
    "newline lost": (BODY, signed(BODY + b"\n"), SECRET, "with a newline at its end, which something removed"),
    "newline added": (BODY + b"\r\n", signed(BODY), SECRET, "without the newline at its end, which something added"),
    "encoded again": (BODY, signed(COMPACT), SECRET, "in compact form: something decoded the body and encoded it"),
    "canonical": (BODY, signed(SORTED), SECRET, "with sorted keys: Linq signed canonical JSON"),
    "base64": (BODY, signed(BODY, KEY), WHSEC, "as it was received. The secret must be decoded from base64"),
    "base64, second": (BODY, signed(BODY, KEY), [SECRET, WHSEC], "The secret is number 2 of 2. The secret must be"),
    "secret of a file": (BODY, signed(BODY), f"{SECRET}\n", "The secret has whitespace around it"),
    "two mistakes": (BODY, signed(COMPACT), [f" {SECRET}"], "so pass the raw body. The secret has whitespace"),
    "v3": (BODY, {NAME: V3, "x-webhook-timestamp": TIMESTAMP}, SECRET, "as API v3 signs: create the subscription with"),
    "v3 timestamp": (BODY, [(NAME, V3), ("X-Webhook-Timestamp", "\ud800")], SECRET, "64 hexadecimal digits. API v3"),
    "no event": (
        b"[]",
        signed(b"[]"),
        SECRET,
        "But the body does not have the documented shape: $: expected an object",
    ),
    "deep": (DEEP, signed(b"x"), SECRET, "No known mistake explains it"),
    "no JSON": (b"<p>", signed(b"<p>", "other"), SECRET, "was received. But the body does not have the documented"),
    "unknown": (json.dumps(envelope("a.b")).encode(), {}, SECRET, "The body is an event: UnknownEvent."),
}


@pytest.mark.parametrize(("body", "headers", "secret", "said"), cases.values(), ids=cases)
def test_each_mistake_is_explained(body: bytes, headers: Headers, secret: str | list[str], said: str) -> None:
    """The text names the mistake, and shows neither secrets nor signatures nor values of the body."""
    text = explain(body, headers, secret)
    assert said in text
    pairs: dict[Any, Any] = dict(headers)
    hidden = [*([secret] if isinstance(secret, str) else secret), *pairs.values(), PERSON, "cake"]
    assert [one for one in hidden if one.strip() in text] == []


@pytest.mark.parametrize("name", [name for name, case in cases.items() if not case[3].startswith("Verified")])
def test_what_is_explained_is_not_accepted(name: str) -> None:
    """What ``explain`` finds out is a diagnosis: ``unwrap`` refuses the request, unless only its content is wrong."""
    body, headers, secret, _ = cases[name]
    if name != "no event":
        with pytest.raises(WebhookVerificationError):
            unwrap(body, headers, secret)


def test_a_str_is_explained() -> None:
    """A body may be a str, and headers may be an iterator."""
    assert explain(BODY.decode(), iter(signed(BODY).items()), SECRET).startswith("Verified")


def test_wrong_arguments_are_raised() -> None:
    """A missing secret or a body that is not raw is an error, as in ``unwrap``."""
    with pytest.raises(ConfigurationError):
        explain(BODY, {NAME: sign(BODY, SECRET)}, "")
    with pytest.raises(TypeError, match="pass the raw body"):
        explain(json.loads(BODY), {}, SECRET)
