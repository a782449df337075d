"""linq_async/webhooks/signature.py: only what Linq signed is an event."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from starlette.datastructures import Headers as StarletteHeaders

from linq_async import ConfigurationError, LinqError, WebhookVerificationError
from linq_async.webhooks import ContactDeleted, MessageReceived, explain, parsing, sign, unwrap
from linq_async.webhooks.signature import Headers
from tests.unit.test_decode_fuzz import quick

from .samples import SECRET, envelope, sample_body, signed

BODY = (
    b'{"api_version":"v2","created_at":"2025-09-09T12:00:00-06:00","data":{"id":7001},'
    b'"event_id":"evt_sample_contact_gone","event_type":"contact.deleted"}'
)
DIGITS = "ca584bf94c453424f983c684a0a44727d08a6d77d0550d5d15d6cc94fbec92ec"
SIGNATURE = f"sha256={DIGITS}"
NAME = "X-Webhook-Signature"
OTHERS = {"Host": "bot.example", "X-Webhook-Signatures": "sha256=", "X-Webhook-Sign": "sha256="}

accepted: dict[str, Headers] = {
    "mapping": {**OTHERS, NAME: SIGNATURE},
    "lower case": {"x-webhook-signature": SIGNATURE},
    "upper case": {"X-WEBHOOK-SIGNATURE": SIGNATURE},
    "upper-case digits": {NAME: f"sha256={DIGITS.upper()}"},
    "bytes as values": {NAME: SIGNATURE.encode()},
    "pairs of str": [("Host", "bot.example"), (NAME, SIGNATURE)],
    "pairs of bytes": [(b"host", b"bot.example"), (b"x-webhook-signature", SIGNATURE.encode())],
    "aiohttp": CIMultiDict({NAME: SIGNATURE}),
    "Starlette": StarletteHeaders({NAME: SIGNATURE}),
}
refused: dict[str, tuple[Headers, str]] = {
    "none": ({}, "missing"),
    "other headers": (OTHERS, "missing"),
    "no pairs": ([], "missing"),
    "two": ([(NAME, SIGNATURE), (NAME, SIGNATURE)], "repeated"),
    "two in a multidict": (CIMultiDict([(NAME, SIGNATURE), (NAME.lower(), SIGNATURE)]), "repeated"),
    "two in Starlette": (StarletteHeaders(raw=[(b"x-webhook-signature", SIGNATURE.encode())] * 2), "repeated"),
    "two in other cases": ({NAME: SIGNATURE, NAME.lower(): SIGNATURE}, "repeated"),
    "two in one": ({NAME: f"{SIGNATURE}, {SIGNATURE}"}, "malformed"),
    "empty": ({NAME: ""}, "malformed"),
    "no prefix": ({NAME: DIGITS}, "malformed"),
    "another prefix": ({NAME: f"sha512={DIGITS}"}, "malformed"),
    "an upper-case prefix": ({NAME: f"SHA256={DIGITS}"}, "malformed"),
    "spaces in the digits": ({NAME: f"sha256={DIGITS[:62]} {DIGITS[62:]}"}, "malformed"),
    "spaces for digits": ({NAME: f"sha256={DIGITS[:60]}    "}, "malformed"),
    "spaces around it": ({NAME: f" {SIGNATURE} "}, "malformed"),
    "a newline behind it": ({NAME: f"{SIGNATURE}\n"}, "malformed"),
    "a digit too few": ({NAME: SIGNATURE[:-1]}, "malformed"),
    "a digit too many": ({NAME: f"{SIGNATURE}0"}, "malformed"),
    "no digit": ({NAME: f"{SIGNATURE[:-1]}g"}, "malformed"),
    "é": ({NAME: f"{SIGNATURE[:-1]}é"}, "malformed"),
    "é in bytes": ({NAME: f"{SIGNATURE[:-1]}é".encode()}, "malformed"),
    "Arabic digits": ({NAME: "sha256=" + "٣" * 64}, "malformed"),
    "a surrogate": ({NAME: f"{SIGNATURE[:-1]}\ud800"}, "malformed"),
    "null": ({NAME: None}, "malformed"),
    "a list": ({NAME: [SIGNATURE]}, "malformed"),
    "v3": ({NAME: DIGITS, "X-Webhook-Timestamp": "1756853780"}, "malformed"),
    "another digit": ({NAME: f"sha256={'0' * 64}"}, "mismatch"),
}


def _refusal(body: bytes | str = BODY, headers: Any = None, secret: Any = SECRET, **options: Any) -> LinqError:
    with pytest.raises(LinqError) as caught:
        unwrap(body, {NAME: SIGNATURE} if headers is None else headers, secret, **options)
    return caught.value


def test_the_vector_of_the_contract() -> None:
    """The documented rule gives this signature for this body."""
    assert sign(BODY, SECRET) == sign(BODY.decode(), SECRET.encode()) == SIGNATURE


@pytest.mark.parametrize("headers", accepted.values(), ids=accepted)
@pytest.mark.parametrize("body", [BODY, BODY.decode()], ids=["bytes", "str"])
def test_a_signed_request_is_accepted(headers: Any, body: bytes | str) -> None:
    """Headers of any kind are read, with their names in any case."""
    assert isinstance(unwrap(body, headers, SECRET), ContactDeleted)


def test_headers_of_the_standard_library_are_read() -> None:
    """``http.server`` gives an ``email.message.Message``, which is not a mapping by its type."""
    headers: Any = Message()
    headers[NAME] = SIGNATURE
    assert isinstance(unwrap(BODY, headers, SECRET), ContactDeleted)
    assert explain(BODY, headers, SECRET).startswith("Verified")


def test_headers_are_read_once() -> None:
    """An iterator of pairs is enough."""
    assert isinstance(unwrap(BODY, iter([(NAME, SIGNATURE)]), SECRET), ContactDeleted)


@pytest.mark.parametrize(("headers", "reason"), refused.values(), ids=refused)
def test_any_other_header_is_refused(headers: Headers, reason: str) -> None:
    """Exactly one signature in the documented form is accepted."""
    error = _refusal(headers=headers)
    assert isinstance(error, WebhookVerificationError)
    assert error.reason == reason


def test_an_altered_byte_is_refused_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that differs in one byte, wherever it is, is refused and not parsed."""
    parsed: list[object] = []

    def decode(*arguments: object) -> None:
        parsed.append(arguments)

    monkeypatch.setattr(parsing, "decode_event", decode)
    for index in range(len(BODY)):
        error = _refusal(BODY[:index] + bytes([BODY[index] ^ 1]) + BODY[index + 1 :])
        assert isinstance(error, WebhookVerificationError)
        assert error.reason == "mismatch"
    assert parsed == []


@pytest.mark.parametrize("body", [b"", BODY + b"\n", BODY[:-1], json.dumps(json.loads(BODY)).encode(), "\ud800"])
def test_another_body_is_refused(body: bytes | str) -> None:
    """Only the bytes that were signed are accepted, not the same JSON encoded again."""
    error = _refusal(body)
    assert isinstance(error, WebhookVerificationError)
    assert error.reason == "mismatch"


@pytest.mark.parametrize("given", [["old", "new"], ("new", "old"), [b"old", "new"], (b"old",), "old", b"old"])
def test_all_secrets_are_tried(given: Any) -> None:
    """While a secret is being replaced, a request signed with either is accepted, and no other."""
    body = sample_body()
    assert isinstance(unwrap(body, signed(body, "old"), given), MessageReceived)
    assert isinstance(_refusal(body, signed(body, "other"), given), WebhookVerificationError)
    assert isinstance(_refusal(body, signed(body, "old"), "new"), WebhookVerificationError)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        b"",
        " \n",
        [],
        (),
        [""],
        ["old", ""],
        ["old", None],
        [None],
        5,
        {"old"},
        bytearray(b"old"),
        ["\ud800"],
        [[b"s"]],
    ],
    ids=repr,
)
def test_an_empty_secret_is_a_mistake(monkeypatch: pytest.MonkeyPatch, secret: Any) -> None:
    """Anybody could sign with an empty secret, so that nothing is accepted with it, whatever the environment has."""
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    assert isinstance(_refusal(secret=secret), ConfigurationError)
    assert isinstance(_refusal(headers={NAME: f"sha256={'0' * 64}"}, secret=secret), ConfigurationError)


def test_the_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``LINQ_WEBHOOK_SECRET`` is used if no secret is passed. Without both, nothing is accepted."""
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    assert isinstance(unwrap(BODY, {NAME: SIGNATURE}), ContactDeleted)
    for value in ("", " "):
        monkeypatch.setenv("LINQ_WEBHOOK_SECRET", value)
        assert isinstance(_refusal(secret=None), ConfigurationError)
    monkeypatch.delenv("LINQ_WEBHOOK_SECRET")
    assert "pass secret=, or set LINQ_WEBHOOK_SECRET" in str(_refusal(secret=None))


def test_a_secret_is_its_own_bytes() -> None:
    """A secret is not decoded, whatever it looks like, and non-ASCII characters are UTF-8."""
    for secret in ("whsec_YWJjZA==", "gehêim", " spaces "):
        assert sign(BODY, secret) == sign(BODY, secret.encode())
        assert isinstance(unwrap(BODY, signed(BODY, secret), secret), ContactDeleted)
    with pytest.raises(ConfigurationError):
        sign(BODY, "")


def test_an_old_event_is_refused_on_demand() -> None:
    """With ``max_age`` an event that was created longer ago is refused, though it is signed."""
    now = datetime.now(UTC)
    for age, limit in [(59, 60), (0, 60), (-3600, 60)]:
        body = json.dumps(envelope(created_at=(now - timedelta(seconds=age)).isoformat()))
        assert isinstance(unwrap(body, signed(body), SECRET, max_age=timedelta(seconds=limit)), MessageReceived)
    body = json.dumps(envelope(created_at=(now - timedelta(seconds=61)).isoformat()))
    error = _refusal(body, signed(body), max_age=timedelta(seconds=60))
    assert isinstance(error, WebhookVerificationError)
    assert error.reason == "expired"
    assert isinstance(unwrap(body, signed(body), SECRET), MessageReceived)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_time_have_an_age(moment: str) -> None:
    """No time of an event makes the calculation of its age fail."""
    body = json.dumps(envelope(created_at=moment))
    assert isinstance(unwrap(body, signed(body), SECRET, max_age=timedelta.max), MessageReceived)


class _Failing(dict[str, str]):
    def items(self) -> Any:
        raise ZeroDivisionError


calls: dict[str, Callable[[], object]] = {
    "a dict": lambda: unwrap(json.loads(BODY), {NAME: SIGNATURE}, SECRET),
    "no body": lambda: unwrap(None, {NAME: SIGNATURE}, SECRET),  # type: ignore[arg-type]
    "a bytearray": lambda: sign(bytearray(BODY), SECRET),  # type: ignore[arg-type]
    "headers that are no pairs": lambda: unwrap(BODY, "abc", SECRET),  # type: ignore[arg-type]
    "no headers": lambda: unwrap(BODY, None, SECRET),  # type: ignore[arg-type]
    "numbers as names": lambda: unwrap(BODY, [(5, SIGNATURE)], SECRET),  # type: ignore[list-item]
    "headers that fail": lambda: unwrap(BODY, _Failing(), SECRET),
    "seconds": lambda: unwrap(BODY, {NAME: SIGNATURE}, SECRET, max_age=60),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", calls.values(), ids=calls)
def test_an_argument_of_another_type_is_a_type_error(call: Callable[[], object]) -> None:
    """Mistakes of the program are neither an event nor a refusal."""
    with pytest.raises(TypeError):
        call()


def test_a_dict_is_refused_with_advice() -> None:
    """JSON that was decoded has lost the bytes that were signed."""
    with pytest.raises(TypeError, match=r"^pass the raw body of the request as bytes or str, not dict$"):
        calls["a dict"]()


names = st.sampled_from([NAME, NAME.lower(), "Host"]) | st.text(max_size=20)
signatures = st.sampled_from([SIGNATURE, DIGITS, SIGNATURE[:-1]]) | st.text(max_size=80)


@quick
@given(st.lists(st.tuples(names | names.map(str.encode), signatures | signatures.map(str.encode)), max_size=4))
def test_any_headers_are_accepted_or_refused(pairs: list[tuple[str | bytes, str | bytes]]) -> None:
    """Whatever the headers are, exactly one right signature is accepted, and anything else is a refusal."""
    texts = [(_decoded(name).lower(), _decoded(value)) for name, value in pairs]
    given_signatures = [value for name, value in texts if name == NAME.lower()]
    if given_signatures == [SIGNATURE]:
        assert isinstance(unwrap(BODY, pairs, SECRET), ContactDeleted)
    else:
        assert isinstance(_refusal(headers=pairs), WebhookVerificationError)


def _decoded(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
