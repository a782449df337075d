"""Chats: creating, finding, listing, and the calls without a body."""

import re

import pytest

from linq_async.sandbox import Sandbox

from .calls import CHAT_FIELDS, LINE, MIRA, PAGE_BODY, THEO, Api, form, new_chat

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-05:00")


@pytest.mark.asyncio
async def test_the_curl_example_of_the_page_answers_as_the_page_says(api: Api, sandbox: Sandbox) -> None:
    """The documented call answers 200 with exactly the documented members, and stores one message."""
    reply = await api("POST", "/chats", data=PAGE_BODY, headers={"Content-Type": "application/json"})
    data = reply.json["data"]
    assert reply.status == 200
    assert reply.json.keys() == {"data"}
    assert data.keys() == {"id", "display_name", "service", "group", "chat_handles", "chat_messages"}
    assert (data["display_name"], data["service"], data["group"]) == ("Sample Chat", "iMessage", True)
    assert [handle["phone_number"] for handle in data["chat_handles"]] == [MIRA, THEO]
    assert all(h.keys() == {"id", "phone_number", "service", "joined_at"} for h in data["chat_handles"])
    message = data["chat_messages"]
    assert message == {
        "id": message["id"],
        "text": "Hello! This is a sample message from Linq API v2.",
        "sent_at": message["sent_at"],
        "delivered_at": None,
        "delivery_status": "pending",
        "is_read": False,
        "attachments": [],
    }
    assert ISO.fullmatch(message["sent_at"])
    (stored,) = sandbox.messages
    assert stored.recipients == (MIRA, THEO)
    assert stored.idempotency_key == "msg-2024_01-23_abc123"


@pytest.mark.asyncio
async def test_a_missing_sender_is_the_documented_400(api: Api) -> None:
    """Without send_from the answer is the 400 of the page, word for word."""
    body = new_chat()
    del body["send_from"]
    reply = await api("POST", "/chats", body)
    assert reply.status == 400
    assert reply.json == {
        "errors": [
            {
                "status": 400,
                "code": "missing_phone",
                "title": "Missing Phone",
                "detail": "Missing required parameter: send_from",
            }
        ]
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("chat", [{}, {"phone_numbers": None}, {"phone_numbers": []}, {"phone_numbers": [LINE]}])
async def test_a_chat_without_people_is_the_documented_422(api: Api, chat: object) -> None:
    """Without a recipient the answer is the 422 of the page, word for word."""
    reply = await api("POST", "/chats", {**new_chat(), "chat": chat})
    assert reply.status == 422
    assert reply.error == {
        "status": 422,
        "code": "invalid_params",
        "title": "Invalid Params",
        "detail": "Phone number is required",
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"send_from": ""}, 400),
        ({"send_from": 15175269229}, 400),
        ({"send_from": "+12025550199"}, 422),
        ({"send_from": "555-123-4567"}, 422),
        ({"chat": None}, 400),
        ({"chat": "x"}, 400),
        ({"chat": {"phone_numbers": MIRA}}, 400),
        ({"chat": {"phone_numbers": [13343284472]}}, 400),
        ({"chat": {"phone_numbers": ["555-123-4567"]}}, 422),
        ({"chat": {"phone_numbers": ["(555) 123-4567"]}}, 422),
        ({"chat": {"phone_numbers": [MIRA], "display_name": 7}}, 400),
        ({"message": None}, 400),
        ({"message": []}, 400),
        ({"message": {}}, 400),
        ({"message": {"text": 7}}, 400),
        ({"message": {"text": ""}}, 422),
        ({"message": {"text": " \n"}}, 422),
        ({"message": {"text": "x", "idempotency_key": ""}}, 422),
        ({"message": {"text": "x", "idempotency_key": "a b"}}, 422),
        ({"message": {"text": "x", "idempotency_key": "key\n"}}, 422),
        ({"message": {"text": "x", "idempotency_key": 7}}, 400),
        ({"message": {"text": "x", "attachments": ["file.pdf"]}}, 400),
        ({"message": {"text": "x", "attachment_urls": "https://example.com/a.pdf"}}, 400),
        ({"message": {"text": "x", "attachment_urls": ["ftp://example.com/a.pdf"]}}, 422),
        ({"message": {"text": "x", "attachment_urls": ["https:///a.pdf"]}}, 422),
        ({"message": {"text": "x", "attachment_urls": ["http://[bad/a.pdf"]}}, 422),
    ],
)
async def test_wrong_bodies_are_refused_and_store_nothing(
    api: Api, sandbox: Sandbox, change: dict[str, object], status: int
) -> None:
    """What is missing or of the wrong type is a 400, what breaks a rule a 422, and nothing is stored."""
    reply = await api("POST", "/chats", {**new_chat(), **change})
    assert (reply.status, reply.error["status"]) == (status, status)
    assert (sandbox.messages, sandbox.chats) == ([], [])


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}"])
async def test_malformed_json_is_a_400(api: Api, body: bytes) -> None:
    """A body that is not JSON is refused with 400."""
    reply = await api("POST", "/chats", data=body, headers={"Content-Type": "application/json"})
    assert (reply.status, reply.error["code"]) == (400, "bad_request")


@pytest.mark.asyncio
@pytest.mark.parametrize("token", [None, "", "wrong", "sandbox-tokén", "sandbox-token2"])
async def test_a_wrong_token_is_refused(api: Api, sandbox: Sandbox, token: str | None) -> None:
    """Without the right token nothing is done; the error has the common format."""
    headers = {"X-LINQ-INTEGRATION-TOKEN": token or ""}
    reply = await api("POST", "/chats", new_chat(), headers=headers)
    assert (reply.status, reply.error["status"], sandbox.messages) == (401, 401, [])


@pytest.mark.asyncio
async def test_the_same_people_share_one_chat_in_any_order_and_spelling(api: Api, sandbox: Sandbox) -> None:
    """Order, repetition and the ten-digit spelling of the numbers make no other chat."""
    first = await api.create_chat(phone_numbers=[MIRA, THEO])
    again = await api.create_chat(phone_numbers=["3344713465", MIRA, THEO], send_from="5175269229")
    assert first.json["data"]["id"] == again.json["data"]["id"]
    assert (len(sandbox.chats), len(sandbox.messages)) == (1, 2)


@pytest.mark.asyncio
async def test_other_people_or_another_line_make_another_chat(api: Api, sandbox: Sandbox) -> None:
    """A subset of the people, and the same people on another line, are chats of their own."""
    await api.create_chat(phone_numbers=[MIRA, THEO])
    await api.create_chat(phone_numbers=[MIRA])
    await api.create_chat(phone_numbers=[MIRA], send_from=sandbox.phone_numbers[1])
    await api.create_chat(phone_numbers=["Theo@Example.org"])
    assert [chat.recipients for chat in sandbox.chats] == [(MIRA, THEO), (MIRA,), (MIRA,), ("theo@example.org",)]


@pytest.mark.asyncio
async def test_a_key_stores_one_message(api: Api, sandbox: Sandbox) -> None:
    """A repeat with the same key is answered alike, even with other people in it, and stores nothing."""
    first = await api.create_chat("order-1017")
    again = await api.create_chat("order-1017")
    other = await api.create_chat("order-1017", phone_numbers=[THEO], text="Other")
    assert first.body == again.body == other.body
    assert (first.status, again.status) == (200, 200)
    assert (len(sandbox.messages), len(sandbox.chats)) == (1, 1)
    entries = sandbox.requests.by_key()["order-1017"]
    assert [(entry.attempt, entry.replayed) for entry in entries] == [(1, False), (2, True), (3, True)]


@pytest.mark.asyncio
async def test_a_key_stores_one_message_in_multipart_too(api: Api, sandbox: Sandbox) -> None:
    """The bracketed key is the same key as the one in JSON."""
    fields = (*CHAT_FIELDS, ("message[idempotency_key]", "crew-1"))
    first = await api("POST", "/chats", data=form(*fields))
    again = await api("POST", "/chats", data=form(*fields))
    in_json = await api.create_chat("crew-1")
    assert first.status == 200
    assert first.body == again.body == in_json.body
    assert len(sandbox.messages) == 1
    assert sandbox.requests[0].content_type.startswith("multipart/form-data")


@pytest.mark.asyncio
async def test_messages_without_a_key_are_all_stored(api: Api, sandbox: Sandbox) -> None:
    """Equal messages without a key, or with null for one, are two messages."""
    await api.create_chat()
    await api.create_chat(idempotency_key=None)
    assert len(sandbox.messages) == 2


@pytest.mark.asyncio
async def test_a_chat_is_read_back_with_its_count(api: Api) -> None:
    """Reading a chat gives its members with message_count, and without the message."""
    chat_id, _ = await api.new_message()
    reply = await api("GET", f"/chats/{chat_id}")
    data = reply.json["data"]
    assert (reply.status, data["id"], data["message_count"], data["group"]) == (200, chat_id, 1, False)
    assert data["display_name"] == MIRA
    assert "chat_messages" not in data


@pytest.mark.asyncio
@pytest.mark.parametrize("chat_id", ["1", "0", "-1", "x", "9" * 5000, "1.0", "%00", "%2e%2e%2f", "\uff18101"])
@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("PUT", "/mark_as_read"),
        ("POST", "/start_typing"),
        ("DELETE", "/stop_typing"),
        ("POST", "/share_contact"),
        ("GET", "/chat_messages"),
        ("POST", "/chat_messages"),
        ("GET", "/chat_messages/1"),
    ],
)
async def test_an_unknown_chat_is_a_404(api: Api, method: str, rest: str, chat_id: str) -> None:
    """Whatever the id in the path is, the answer is the documented 404."""
    reply = await api(method, f"/chats/{chat_id}{rest}")
    assert (reply.status, reply.error["code"], reply.error["title"]) == (404, "not_found", "Not Found")


@pytest.mark.asyncio
async def test_calls_without_a_body_answer_empty(api: Api, sandbox: Sandbox) -> None:
    """Typing, sharing and marking as read answer 201 or 204 without a body, and take effect."""
    chat_id, _ = await api.new_message()
    (chat,) = sandbox.chats
    started = await api("POST", f"/chats/{chat_id}/start_typing")
    assert chat.typing
    stopped = await api("DELETE", f"/chats/{chat_id}/stop_typing")
    assert not chat.typing
    shared = await api("POST", f"/chats/{chat_id}/share_contact")
    read = await api("PUT", f"/chats/{chat_id}/mark_as_read")
    assert [reply.status for reply in (started, stopped, shared, read)] == [201, 204, 201, 204]
    assert {reply.body for reply in (started, stopped, shared, read)} == {b""}
    assert (chat.contact_shared, sandbox.messages[0].is_read) == (1, True)


@pytest.mark.asyncio
async def test_a_message_ends_typing(api: Api, sandbox: Sandbox) -> None:
    """Sending ends the typing indicator."""
    chat_id, _ = await api.new_message()
    await api("POST", f"/chats/{chat_id}/start_typing")
    await api.create_chat()
    assert not sandbox.chats[0].typing


@pytest.mark.asyncio
async def test_chats_of_a_number_are_listed_in_pages(api: Api) -> None:
    """A list has `data` and `meta`, finds a number on either side, and ends sizes at 100."""
    for digit in range(5):
        await api.create_chat(phone_numbers=[MIRA, f"+1334471000{digit}"])
    await api.create_chat(phone_numbers=[THEO])
    query = {"phone_number": MIRA, "page": "2", "per_page": "2"}
    reply = await api("GET", "/chats", params=query)
    assert reply.json["meta"] == {"page": 2, "total_pages": 3, "total_count": 5, "per_page": 2}
    assert [chat["id"] for chat in reply.json["data"]] == [8103, 8104]
    whole = await api("GET", "/chats", params={"phone_number": LINE[1:], "per_page": "1000"})
    assert whole.json["meta"] == {"page": 1, "total_pages": 1, "total_count": 6, "per_page": 100}
    empty = await api("GET", "/chats", params={"phone_number": "+12025550177", "page": "x", "per_page": "-1"})
    assert empty.json == {
        "data": [],
        "meta": {"page": 1, "total_pages": 0, "total_count": 0, "per_page": 25},
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("phone_number=", 400), ("phone_number=+13343284472", 422), ("phone_number=x", 422)],
)
async def test_listing_needs_a_number(api: Api, query: str, status: int) -> None:
    """A missing number is a 400; a bad one, such as one whose plus sign was not encoded, is a 422."""
    async with api.session.get(f"/api/partner/v2/chats?{query}") as response:
        assert response.status == status


@pytest.mark.asyncio
async def test_a_chat_is_found_by_exactly_its_people(api: Api) -> None:
    """Find gives `data.chat`, and null with 200 for another set of people."""
    created = await api.create_chat(phone_numbers=[MIRA, THEO])
    query = [("phone_number", LINE), ("phone_numbers[]", THEO), ("phone_numbers[]", MIRA)]
    hit = await api("GET", "/chats/find", params=query)
    miss = await api("GET", "/chats/find", params=query[:2])
    assert hit.json["data"]["chat"]["id"] == created.json["data"]["id"]
    assert hit.json["data"].keys() == {"chat"}
    assert (miss.status, miss.json) == (200, {"data": {"chat": None, "messages": []}})


@pytest.mark.asyncio
async def test_find_needs_both_parameters(api: Api) -> None:
    """Without the line find answers 400, without people 422."""
    no_line = await api("GET", "/chats/find", params={"phone_numbers[]": MIRA})
    no_people = await api("GET", "/chats/find", params={"phone_number": LINE})
    assert (no_line.status, no_people.status) == (400, 422)


@pytest.mark.asyncio
async def test_people_without_imessage_get_sms(api: Api, sandbox: Sandbox) -> None:
    """A chat with somebody who has no iMessage is an SMS chat."""
    sandbox.without_imessage.add(MIRA)
    data = (await api.create_chat()).json["data"]
    assert (data["service"], data["chat_handles"][0]["service"]) == ("SMS", "SMS")
