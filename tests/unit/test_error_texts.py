"""linq_async/wire/explain.py: what the message of an API error contains, and what it never contains."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

import pytest

from linq_async import APIError, Attempt, ErrorDetail, InvalidArgumentError, LinqClient
from linq_async.errors import DecodeError
from linq_async.wire.request import RawResponse
from tests.support.clients import AT_ONCE, MESSAGE, ONCE, TOKEN, client_of, failure_of, refusal_of
from tests.support.loopback import Loopback, refused, replied

SENTENCE = "The number +15550001111 cannot get 'my text'"
REASON = "the reason is in error.errors[0].detail"
Act = Callable[[LinqClient], Coroutine[Any, Any, object]]


def _entry(**fields: Any) -> dict[str, Any]:
    return {"errors": [{"status": 422, **fields}]}


async def _refused_with(answer: object, act: Act, status: int = 422, **options: Any) -> APIError:
    async with Loopback(default=replied(answer, status)) as server, client_of(server, retry=ONCE, **options) as linq:
        error = await failure_of(act(linq))
    assert isinstance(error, APIError)
    return error


def _create(**changed: Any) -> Act:
    return lambda linq: linq.chats.create(**{**MESSAGE, **changed})


def _request(method: str, **arguments: Any) -> Act:
    return lambda linq: linq.request(method, "/x", **arguments)


def _create_contact(name: str) -> Act:
    return lambda linq: linq.contacts.create(first_name=name)


OPERATIONS: dict[str, Act] = {
    "chats.create": _create(),
    "chats.get": lambda linq: linq.chats.get(1),
    "messages.send": lambda linq: linq.messages.send(1, "Hi"),
    "contacts.list": lambda linq: _first_page(linq),
    "imessage.check": lambda linq: linq.imessage.check("+12025550100"),
    "request": lambda linq: linq.request("GET", "/x"),
}


async def _first_page(linq: LinqClient) -> object:
    return await linq.contacts.list()


@pytest.mark.asyncio
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_text_names_the_operation(operation: str) -> None:
    """The message has the operation, the status, the code, and the attribute with the server's sentence."""
    error = await _refused_with(_entry(code="not_found", detail=SENTENCE), OPERATIONS[operation], 404)
    assert error.message == f"{operation}: 404 not found: not_found; {REASON}"
    assert error.errors[0].detail == SENTENCE


@pytest.mark.asyncio
async def test_a_call_that_was_held_back_names_the_operation() -> None:
    """The 429 of a call that was not sent, since the server had asked another one to wait, names its own operation."""
    async with Loopback(refused(429, Retry_After="900")) as server, client_of(server, retry=ONCE) as linq:
        await failure_of(linq.chats.get(1))
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert error.message.startswith("chats.create: held back: the server asked to wait ")


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ({"errors": [{"code": "a"}, {"detail": ""}, {"detail": "x"}]}, "; the reason is in error.errors[2].detail"),
        ({"error_code": "gone", "message": "M", "errors": ["A.", "B."]}, f": gone; {REASON}"),
        ({"errors": [{"code": "gone", "title": "Gone"}]}, ": gone"),
        ({"errors": []}, "404 not found"),
        ({}, "404 not found"),
    ],
)
def test_the_text_points_to_a_sentence_only_if_there_is_one(answer: object, end: str) -> None:
    """The text names the first entry that has a sentence, and none if the server sent no sentence."""
    assert refusal_of(_raw(404, answer)).message.endswith(end)


def _raw(status: int, answer: object, **headers: str) -> RawResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawResponse(status, named, json.dumps(answer).encode())


CODE_ECHOES = ["token", "TOKEN", "sample", "message", "of", "my secret", "JohnSmith", "a" * 65, "+15550001111", "", "é"]


@pytest.mark.parametrize("code", CODE_ECHOES)
def test_a_code_that_may_be_an_echo_is_not_in_the_text(code: str) -> None:
    """A code that is not a single word, or part of the token or text, is only in ``errors``."""
    error = refusal_of(_raw(422, _entry(code=code)))
    assert str(error) == "chats.create: 422 the values were rejected"
    assert error.errors[0].code == code
    assert error.errors[0].code == "" or code not in repr(error.errors)


@pytest.mark.parametrize("code", ["not_found", "CONTACT_NOT_FOUND", "conflict", "a_b_c"])
def test_a_code_is_in_the_text(code: str) -> None:
    """A snake_case code, in either case, is in the message."""
    assert str(refusal_of(_raw(422, _entry(code=code)))).endswith(f"rejected: {code}")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "act",
    [
        _request("POST", json={"a": [{"b": "my_secret_word"}]}),
        _request("GET", params={"q": "my_secret_word"}),
        _create_contact("my_secret_word"),
        _create(display_name="my_secret_word"),
    ],
)
async def test_a_code_that_repeats_an_argument_is_not_in_the_text(act: Act) -> None:
    """A code that echoes any argument of the request is left out of the message."""
    assert "secret" not in str(await _refused_with(_entry(code="secret_word"), act))


@pytest.mark.asyncio
async def test_details_are_shown_to_who_asks_for_them() -> None:
    """With ``show_details`` the sentence is in the text, from the constructor as from ``with_options``."""
    answer = _entry(code="invalid", detail=SENTENCE)
    shown = f"chats.create: 422 the values were rejected: invalid: {SENTENCE}"
    async with Loopback(default=replied(answer, 422)) as server:
        async with client_of(server, show_details=True) as linq:
            assert (await failure_of(_create()(linq))).message == shown
            assert (await failure_of(_create()(linq.with_options(retry=ONCE)))).message == shown
            assert REASON in (await failure_of(_create()(linq.with_options(show_details=False)))).message
        async with client_of(server) as linq:
            assert (await failure_of(_create()(linq.with_options(show_details=True)))).message == shown


@pytest.mark.asyncio
@pytest.mark.parametrize("statuses", [(422,), (503, 503, 422)])
async def test_shown_details_are_in_no_log_and_no_record(
    caplog: pytest.LogCaptureFixture, statuses: tuple[int, ...]
) -> None:
    """Though the text holds the sentence, neither the log, of a failing hook either, nor an Attempt does."""
    records: list[Attempt] = []

    def failing(record: Attempt) -> None:
        records.append(record)
        raise KeyError

    answers = [replied(_entry(detail=SENTENCE), status) for status in statuses]
    with caplog.at_level(logging.DEBUG, "linq_async"):
        options = {"retry": AT_ONCE, "on_attempt": failing, "show_details": True}
        async with Loopback(*answers) as server, client_of(server, **options) as linq:
            error = await failure_of(_create()(linq))
    assert SENTENCE in str(error)
    assert len(records) == 2 * len(statuses)
    assert "on_attempt failed" in caplog.text
    assert SENTENCE not in caplog.text + repr(records)


@pytest.mark.parametrize("wrong", [1, "yes", 0, ()])
def test_show_details_is_a_bool(wrong: Any) -> None:
    """``show_details`` must be a bool."""
    with pytest.raises(InvalidArgumentError, match=r"^show_details must be a bool$"):
        LinqClient(TOKEN, show_details=wrong)


def test_a_shown_sentence_is_one_short_line() -> None:
    """A sentence with line breaks and terminal escapes, or without end, is shown on one line of 300 characters."""
    wild = refusal_of(_raw(422, _entry(detail="a\n\x1b[31mb\r\u202ec  d")), show_details=True)
    assert wild.message.endswith("rejected: a [31mb c d")
    long = refusal_of(_raw(422, _entry(detail="x" * 60_000)), show_details=True)
    assert long.message == "chats.create: 422 the values were rejected: " + "x" * 300


E164 = "should be in E.164 form, such as +12223334444"
NUMBERS: list[tuple[Act, str | None]] = [
    (_create(phone_numbers=["0711 123"]), f"phone_numbers[0] {E164}"),
    (_create(phone_numbers=["+12025550101", "(334) 328-4472"]), f"phone_numbers[1] {E164}"),
    (_create(send_from="517-526-9229"), f"send_from {E164}"),
    (_create(send_from="1", phone_numbers=["2", "a@b.example"]), f"send_from, phone_numbers[0] {E164}"),
    (_create(phone_numbers=["0"] * 9), f"phone_numbers[0], phone_numbers[1], phone_numbers[2] and 6 more {E164}"),
    (_create(phone_numbers=["+1" + "2" * 20]), f"phone_numbers[0] {E164}"),
    (_create(phone_numbers=["+0711123456", "13343284472"]), f"phone_numbers[0], phone_numbers[1] {E164}"),
    (_create(phone_numbers=["\u0665" * 10]), f"phone_numbers[0] {E164}"),
    (_create(phone_numbers=["2223334444", "+4971112345", "someone@example.com"]), None),
    (lambda linq: linq.contacts.create(first_name="A", phone_number="0711 123"), f"phone_number {E164}"),
    (lambda linq: linq.imessage.check("0711 123"), f"phone_number {E164}"),
    (lambda linq: linq.phone_numbers.update(1, forwarding_number="0711 123"), f"forwarding_number {E164}"),
    (
        lambda linq: linq.chats.find(phone_number="0711", phone_numbers=["+12025550101", "0711 123"]),
        f"phone_number, phone_numbers[1] {E164}",
    ),
    (lambda linq: linq.request("POST", "/x", json={"chat": {"phone_numbers": ["0711"]}}), f"phone_numbers[0] {E164}"),
    (lambda linq: linq.request("POST", "/x", json={"chat": {"phone_numbers": 5}, "text": "0711 123"}), None),
    (lambda linq: linq.messages.send(1, "0711 123"), None),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("number", range(len(NUMBERS)))
async def test_a_number_that_cannot_be_right_brings_a_hint(number: int, status: int) -> None:
    """Sent as it is; if it is refused, the hint names the argument and the form, and never the number."""
    act, hint = NUMBERS[number]
    error = await _refused_with(_entry(code="invalid"), act, status)
    assert error.hint == hint
    assert str(error).split(" (outcome")[0].endswith("invalid" if hint is None else f"; {hint}")
    assert not [part for part in ("0711", "328-4472", "517-", "+1" + "2" * 20) if part in f"{error} {error!r}"]


@pytest.mark.asyncio
async def test_a_wrong_number_goes_out_as_it_is() -> None:
    """What looks wrong may be right: it is sent unchanged, and a success says nothing of it."""
    async with Loopback() as server, client_of(server, retry=ONCE) as linq:
        await _create(phone_numbers=["(334) 328-4472"])(linq)
    assert b'"(334) 328-4472"' in server.seen[0].body


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500])
def test_other_refusals_bring_no_hint(status: int) -> None:
    """Only a 400 or 422 says that an argument is wrong."""
    assert refusal_of(_raw(status, {})).hint is None


NOON = 1_800_000_000.0


@pytest.mark.parametrize("ours", [NOON, NOON - 600, NOON + 600, 0.0])
@pytest.mark.parametrize(
    ("date", "seconds"),
    [(formatdate(NOON, usegmt=True), 4.0), (formatdate(NOON + 60, usegmt=True), 0.0), ("nonsense", None)],
)
def test_a_retry_after_date_is_read_by_the_clock_of_the_server(ours: float, date: str, seconds: float | None) -> None:
    """The answer's own Date counts, however wrong this machine's clock is; ours counts if it cannot be read."""
    raw = _raw(429, {}, Retry_After=formatdate(NOON + 4, usegmt=True), Date=date)
    assert refusal_of(raw, ours).retry_after == (max(NOON + 4 - ours, 0.0) if seconds is None else seconds)


@pytest.mark.parametrize("retry_after", ["4", "4.5"])
def test_seconds_need_no_clock(retry_after: str) -> None:
    """A Retry-After in seconds is what it says, whatever the dates."""
    raw = _raw(429, {}, Retry_After=retry_after, Date=formatdate(0, usegmt=True))
    assert refusal_of(raw, NOON).retry_after == float(retry_after)


@pytest.mark.parametrize("code", ["not_found", None, "my secret", "secret"])
def test_the_repr_of_a_detail_shows_no_sentence(code: str | None) -> None:
    """Title and detail are not printed, nor a code that may be an echo."""
    detail = ErrorDetail(404, code, "my secret title", "my secret detail")
    assert repr(detail) == f"ErrorDetail(status=404, code={'not_found' if code == 'not_found' else None!r})"


@pytest.mark.parametrize(
    "error",
    [
        APIError("text", status=422, errors=[ErrorDetail(422, "a", "b", SENTENCE)], body=b"+15550001111", headers={}),
        DecodeError("text", body=b"+15550001111"),
    ],
)
def test_what_a_server_echoed_is_not_listed(error: APIError | DecodeError) -> None:
    """``dir``, by which cgitb prints attributes, leaves out what may be an echo; it is there, and pickled."""
    assert not {"body", "headers", "errors"} & set(dir(error))
    assert {"message", "outcome", "status"} <= set(dir(error))
    printed = " ".join(repr(getattr(error, name)) for name in dir(error) if not name.startswith("_"))
    assert "+1555" not in printed
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (other.body, str(other)) == (b"+15550001111", "text")


def test_a_hint_survives_pickling() -> None:
    """A hint is plain data."""
    error = APIError("text", status=422, hint="phone_numbers[0] should be ...")
    assert pickle.loads(pickle.dumps(error)).hint == error.hint
