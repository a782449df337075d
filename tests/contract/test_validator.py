"""The validation bites: each kind of thing that can be wrong fails, and what is right passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .exchange import ContractError, Exchange
from .samples import (
    CHAT,
    CREATED,
    ERROR,
    FORM_TYPE,
    JSON_TYPE,
    META,
    NEW_CHAT,
    STANDARD_ERROR,
    SUBSCRIPTION,
    TOKEN,
    changed,
    created,
    read,
    sent,
    without,
    wrote,
)
from .validator import validator

TEXT = ("message[text]", "Hello!")
KEY = ("message[idempotency_key]", "order-1017")
FILE = ("message[attachments][]", b"%PDF")
URL = ("message[attachment_urls][]", "https://example.com/menu.pdf")
SENDER, PERSON = ("send_from", "+15175269229"), ("chat[phone_numbers][]", "+13343284472")
REACTION = {"type": "love", "operation": "add"}
PEOPLE = "/chats/find?phone_number=1&phone_numbers[]="
CHATS = "/chats?phone_number=%2B15175269229"

RIGHT = {
    "json": created(),
    "json, replaced by an error": created(answer=ERROR, status=400),
    "form": sent(TEXT, KEY, FILE, FILE, URL),
    "form, replayed": sent(TEXT, KEY, status=200),
    "query": read(f"{CHATS}&page=2&per_page=100", {"data": [CHAT], "meta": META}),
    "query with an array": read(f"{PEOPLE}2&phone_numbers%5B%5D=3", {"data": {"chat": CHAT}}),
    "a miss": read(f"{PEOPLE}2", {"data": {"chat": None, "messages": []}}),
    "a contact that is not there": read("/contacts/find?email=a%40example.com", {"contact": None}),
    "no body": read("/chats/45/mark_as_read", None, 204, method="PUT"),
    "a limit": read("/phone_numbers", None, 429),
    "standard error": read("/contacts/7", STANDARD_ERROR, 404),
    "request alone": replace(created(), status=None, response_body=b""),
}  # fmt: skip

WRONG: dict[str, tuple[Exchange, str, str]] = {
    # Requests in JSON
    "json: missing field": (created(without(NEW_CHAT, "message", "text")), "request.body", "text"),
    "json: missing object": (created(without(NEW_CHAT, "message")), "request.body", "message"),
    "json: wrong type": (created(changed(NEW_CHAT, 5, "message", "text")), "request.body", "string"),
    "json: a number for a list": (created(changed(NEW_CHAT, "+1", "chat", "phone_numbers")), "request.body", "array"),
    "json: nobody": (created(changed(NEW_CHAT, [], "chat", "phone_numbers")), "request.body", "[]"),
    "json: wrong name": (created(changed(NEW_CHAT, "x", "message", "body")), "request.body", "'body'"),
    "json: name outside its object": (created(changed(NEW_CHAT, "Hello!", "text")), "request.body", "'text'"),
    "json: null": (created(changed(NEW_CHAT, None, "chat", "display_name")), "request.body", "null"),
    "json: attachments": (created(changed(NEW_CHAT, [], "message", "attachments")), "request.body", "attachments"),
    "json: bad key": (created(changed(NEW_CHAT, "a b", "message", "idempotency_key")), "request.body", "a b"),
    "json: empty key": (created(changed(NEW_CHAT, "", "message", "idempotency_key")), "request.body", '""'),
    "json: a list": (wrote("POST", "/chats", [NEW_CHAT], CREATED), "request.body", "object"),
    "json: cut": (replace(created(), request_body=b'{"send_from": "+1'), "request.body", "not JSON"),
    "json: nothing": (replace(created(), request_body=b""), "request.body", "not JSON"),
    "json: not a number": (replace(created(), request_body=b'{"send_from": NaN}'), "request.body", "NaN"),
    "json: unknown enum": (
        wrote("POST", "/chat_messages/9/reactions", {**REACTION, "type": "hate"}, {}, 201), "request.body", "hate",
    ),
    "json: a contact without a name": (
        wrote("POST", "/contacts", {"contact": {"company": "Northlight"}}, {}, 201), "request.body", "anyOf",
    ),
    "json: unknown event": (
        wrote("POST", "/webhook_subscriptions", {"webhook_subscription": {**SUBSCRIPTION, "events": ["x"]}}, {}, 201),
        "request.body", "webhook_subscription/events/0",
    ),
    "json: another version": (
        wrote("POST", "/webhook_subscriptions", {"webhook_subscription": {**SUBSCRIPTION, "version": 1}}, {}, 201),
        "request.body", "version",
    ),
    "json: not wrapped": (
        wrote("POST", "/webhook_subscriptions", SUBSCRIPTION, {}, 201), "request.body", "webhook_url",
    ),
    "json: wrapped": (
        wrote("PUT", "/phone_numbers/11", {"phone_number": {"forwarding_number": ""}}, {}),
        "request.body", "phone_number",
    ),
    "json for a form": (
        wrote("POST", "/chats/45/chat_messages", {"message": {"text": "Hello!"}}, {}, 201), "request.type", "multipart",
    ),
    "urlencoded": (
        replace(created(), request_headers={**TOKEN, "Content-Type": "application/x-www-form-urlencoded"}),
        "request.type", "urlencoded",
    ),
    "no type": (replace(created(), request_headers=TOKEN), "request.type", "no Content-Type"),
    "an unexpected body": (
        read("/chats/45/mark_as_read", None, 204, method="PUT", body=b"{}"), "request.body", "no body",
    ),
    # Requests in multipart/form-data
    "form: wrong bracket name": (sent(TEXT, ("message[attachment][]", b"%PDF")), "request.body", "attachment"),
    "form: no brackets at its end": (sent(TEXT, ("message[attachments]", b"%PDF")), "request.body", "attachments"),
    "form: brackets at its end": (sent(("message[text][]", "Hello!")), "request.body", "message[text]"),
    "form: numbered": (sent(TEXT, ("message[attachments][0]", b"%PDF")), "request.body", "attachments"),
    "form: dotted": (sent(("message.text", "Hello!")), "request.body", "message.text"),
    "form: not wrapped": (sent(("text", "Hello!")), "request.body", "text"),
    "form: no text": (sent(KEY, FILE), "request.body", "message[text]"),
    "form: text twice": (sent(TEXT, TEXT), "request.body", "string"),
    "form: a file as text": (sent(TEXT, ("message[attachments][]", "%PDF")), "request.body", "attachments"),
    "form: text as a file": (sent(("message[text]", b"Hello!")), "request.body", "message[text]"),
    "form: bad key": (sent(TEXT, ("message[idempotency_key]", "a b")), "request.body", "a b"),
    "form: cut": (sent(raw=sent(TEXT, FILE).request_body[:-14]), "request.body", "boundary"),
    "form: another boundary": (
        replace(sent(TEXT), request_headers={**TOKEN, "Content-Type": "multipart/form-data; boundary=other"}),
        "request.body", "boundary",
    ),
    "form: JSON in its place": (
        replace(created(), url=sent(TEXT).url, request_headers={**TOKEN, **FORM_TYPE}), "request.body", "boundary",
    ),
    "form: not UTF-8": (sent(raw=sent(TEXT).request_body.replace(b"Hello!", b"\xff")), "request.body", "message[text]"),
    "form: chat, nobody": (sent(SENDER, TEXT, path="/chats", status=200), "request.body", "chat[phone_numbers][]"),
    "form: chat, flat": (
        sent(SENDER, ("phone_numbers[]", "+1"), TEXT, path="/chats", status=200), "request.body", "phone_numbers[]",
    ),
    "form: chat, not listed": (sent(SENDER, PERSON, TEXT, path="/chats", status=200), "request.type", "not listed"),
    # Routes, tokens and queries
    "route: unknown": (read("/chats/45/messages", {}), "request.route", "not an operation"),
    "route: method": (read("/chats/45/stop_typing", None, 204, method="POST"), "request.route", "not an operation"),
    "route: another version": (
        replace(created(), url="/api/partner/v3/chats"), "request.route", "not an operation",
    ),
    "route: id": (read("/chats/0a1b", {"data": CHAT}), "request.route", "not an id"),
    "token: missing": (replace(created(), request_headers=JSON_TYPE), "request.token", "missing"),
    "query: missing": (read("/chats?page=1", {"data": [], "meta": META}), "request.query", "phone_number is missing"),
    "query: unknown": (read(f"{CHATS}&limit=5", {"data": [], "meta": META}), "request.query", "'limit' is unknown"),
    "query: wrong type": (read(f"{CHATS}&page=two", {"data": [], "meta": META}), "request.query", "two"),
    "query: too large": (read(f"{CHATS}&per_page=101", {"data": [], "meta": META}), "request.query", "101"),
    "query: page 0": (read(f"{CHATS}&page=0", {"data": [], "meta": META}), "request.query", "0"),
    "query: twice": (read(f"{CHATS}&page=1&page=2", {"data": [], "meta": META}), "request.query", "page"),
    "query: unknown enum": (
        read("/chats/45/chat_messages?sort=up", {"data": [], "meta": META}), "request.query", "up",
    ),
    "query: no time": (
        read("/chats/45/chat_messages?before=noon", {"data": [], "meta": META}), "request.query", "date-time",
    ),
    "query: a plus sign that became a space": (
        read("/chats/45/chat_messages?before=2025-05-21T15:30:00+02:00", {"data": [], "meta": META}),
        "request.query", "date-time",
    ),
    "query: no brackets": (
        read("/chats/find?phone_number=1&phone_numbers=2", {"data": {"chat": CHAT}}), "request.query", "phone_numbers",
    ),
    # Answers
    "answer: undocumented status": (created(answer=ERROR, status=403), "answer.status", "403"),
    "answer: undocumented success": (created(status=201), "answer.status", "201"),
    "answer: wrong envelope": (created(answer={"chat": CREATED["data"]}), "answer.body", "data"),
    "answer: bare": (read("/chats/45", CHAT), "answer.body", "data"),
    "answer: the other paging": (
        read(CHATS, {"data": [], "meta": without(changed(META, 1, "current_page"), "page")}),
        "answer.body", "current_page",
    ),
    "answer: the other envelope": (
        read("/contacts", {"data": [], "meta": META}), "answer.body", "contacts",
    ),
    "answer: missing field": (created(answer=without(CREATED, "data", "service")), "answer.body", "service"),
    "answer: invented field": (
        created(answer=changed(CREATED, 1, "data", "message_count")), "answer.body", "message_count",
    ),
    "answer: wrong type": (created(answer=changed(CREATED, "45", "data", "id")), "answer.body", "integer"),
    "answer: unknown enum": (created(answer=changed(CREATED, "MMS", "data", "service")), "answer.body", "MMS"),
    "answer: delivery of another operation": (
        created(answer=changed(CREATED, "service_unavailable", "data", "chat_messages", "delivery_status")),
        "answer.body", "service_unavailable",
    ),
    "answer: several messages": (
        created(answer=changed(CREATED, [], "data", "chat_messages")), "answer.body", "object",
    ),
    "answer: a time without an offset": (
        created(answer=changed(CREATED, "2025-10-23 13:07:55", "data", "chat_messages", "sent_at")),
        "answer.body", "date-time",
    ),
    "answer: null": (created(answer=changed(CREATED, None, "data", "display_name")), "answer.body", "null"),
    "answer: not JSON": (replace(created(), response_body=b"<html>"), "answer.body", "not JSON"),
    "answer: empty": (replace(created(), response_body=b""), "answer.body", "not JSON"),
    "answer: wrong type of content": (
        replace(created(), response_headers={"Content-Type": "text/html"}), "answer.type", "text/html",
    ),
    "answer: a body with 204": (
        read("/chats/45/mark_as_read", {}, 204, method="PUT"), "answer.body", "but none is documented",
    ),
    "answer: header": (created(NEW_CHAT, CREATED, 200, **{"X-Cache": "hit"}), "answer.headers", "X-Cache"),
    "error: the other format": (created(answer=STANDARD_ERROR, status=400), "answer.body", "error_code"),
    "error: the other format, contacts": (read("/contacts/7", ERROR, 404), "answer.body", "error_code"),
    "error: a sentence": (created(answer={"error": "no"}, status=400), "answer.body", "errors"),
    "error: strings": (created(answer={"errors": ["no"]}, status=400), "answer.body", "object"),
    "error: none": (created(answer={"errors": []}, status=400), "answer.body", "[]"),
    "error: status as a word": (
        created(answer={"errors": [{**ERROR["errors"][0], "status": "400"}]}, status=400), "answer.body", "integer",
    ),
    "error: another status": (created(answer=ERROR, status=422), "answer.body", "another status"),
    "error: of a status that is not documented": (
        read("/chats/45/chat_messages", STANDARD_ERROR, 404), "answer.body", "error_code",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str) -> None:
    """Exchanges within the contract pass."""
    validator().check(RIGHT[name])


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_fails(name: str) -> None:
    """One thing that is wrong is found, in its place, and named."""
    exchange, where, said = WRONG[name]
    with pytest.raises(ContractError) as caught:
        validator().check(exchange)
    found = [str(one) for one in caught.value.violations if one.where == where]
    assert any(said in text for text in found), str(caught.value)


def test_an_undocumented_form_is_still_read() -> None:
    """The form that creates a chat is not listed, and its names are checked all the same."""
    with pytest.raises(ContractError, match=r"chat\[phones\]\[\]"):
        validator().check(sent(SENDER, PERSON, TEXT, ("chat[phones][]", "+1"), path="/chats", status=200))
