"""Messages: sending, reading, editing, deleting, reactions and delivery."""

from datetime import UTC, datetime

import aiohttp
import pytest

from linq_async.sandbox import Sandbox
from tests.support.clock import Clock

from .calls import HEADERS, LINE, Api, form

START = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)


def text_form(text: str, key: str | None = None) -> aiohttp.FormData:
    """Make the form that sends a text."""
    fields = [("message[text]", text)]
    if key is not None:
        fields.append(("message[idempotency_key]", key))
    return form(*fields)


@pytest.mark.asyncio
async def test_sending_answers_201_and_a_repeat_200(api: Api, sandbox: Sandbox) -> None:
    """A new message is 201 with all members; the same key again is 200 with the same body."""
    chat_id, _ = await api.new_message()
    path = f"/chats/{chat_id}/chat_messages"
    first = await api("POST", path, data=text_form("Running late.", "late-1"))
    again = await api("POST", path, data=text_form("Running late.", "late-1"))
    data = first.json["data"]
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    assert data == {
        "id": data["id"],
        "text": "Running late.",
        "sent_at": data["sent_at"],
        "delivered_at": None,
        "delivery_status": "pending",
        "edited_at": None,
        "is_read": False,
        "sent_from": LINE,
        "chat_handle_id": data["chat_handle_id"],
        "attachments": [],
        "reactions": [],
    }
    assert len(sandbox.messages) == 2


@pytest.mark.asyncio
async def test_keys_count_across_operations(api: Api, sandbox: Sandbox) -> None:
    """A key that created a chat answers 200 with that message when it is sent into a chat."""
    created = (await api.create_chat("one")).json["data"]
    reply = await api("POST", f"/chats/{created['id']}/chat_messages", data=text_form("Other", "one"))
    assert (reply.status, reply.json["data"]["id"]) == (200, created["chat_messages"]["id"])
    assert len(sandbox.messages) == 1
    assert [entry.replayed for entry in sandbox.requests] == [False, True]


@pytest.mark.asyncio
async def test_json_may_send_too(api: Api) -> None:
    """The wrapped JSON spelling is read like the form."""
    chat_id, _ = await api.new_message()
    reply = await api("POST", f"/chats/{chat_id}/chat_messages", {"message": {"text": "Hi"}})
    assert (reply.status, reply.json["data"]["text"]) == (201, "Hi")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 400),
        ([("text", "not wrapped")], 400),
        ([("message[text]", "")], 422),
        ([("message[text][]", "x")], 400),
        ([("message", "x")], 400),
        ([("message", "x"), ("message[text]", "x")], 400),
        ([("message[text]", "x"), ("message[idempotency_key]", "ä")], 422),
        ([("message[text]", "x"), ("message[attachments][]", "no file")], 400),
        ([("message[text]", "x"), ("message[attachment_urls][]", "file:///etc/passwd")], 422),
    ],
)
async def test_wrong_forms_are_refused(api: Api, fields: list[tuple[str, str]], status: int) -> None:
    """Forms that lack something are a 400, those that break a rule a 422."""
    chat_id, _ = await api.new_message()
    data = form(*fields) if fields else form(("x", "y"))
    reply = await api("POST", f"/chats/{chat_id}/chat_messages", data=data)
    assert (reply.status, reply.error["status"]) == (status, status)


@pytest.mark.asyncio
async def test_messages_are_listed_in_pages_and_either_order(api: Api) -> None:
    """A list has `data` and `meta`, the oldest first unless `sort=desc`."""
    chat_id, first = await api.new_message()
    for number in range(4):
        await api("POST", f"/chats/{chat_id}/chat_messages", data=text_form(str(number)))
    path = f"/chats/{chat_id}/chat_messages"
    page = await api("GET", path, params={"page": "2", "per_page": "2"})
    last = await api("GET", path, params={"per_page": "1", "sort": "desc"})
    assert [message["id"] for message in page.json["data"]] == [first + 2, first + 3]
    assert page.json["meta"] == {"page": 2, "total_pages": 3, "total_count": 5, "per_page": 2}
    assert last.json["data"][0]["id"] == first + 4


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "query", [{"sort": "up"}, {"sort": ""}, {"before": "yesterday"}, {"after": "2026-01-02T03:04:05 05:00"}]
)
async def test_wrong_filters_are_refused(api: Api, query: dict[str, str]) -> None:
    """An unknown order or a malformed moment is a 422."""
    chat_id, _ = await api.new_message()
    assert (await api("GET", f"/chats/{chat_id}/chat_messages", params=query)).status == 422


@pytest.mark.asyncio
async def test_before_and_after_leave_out_the_moment_itself() -> None:
    """Both filters are exclusive, to the millisecond that the answers show."""
    clock = Clock(start=START.timestamp())
    async with (
        Sandbox(clock=clock.moment) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        api = Api(session)
        chat_id, first = await api.new_message()
        sent_at = sandbox.messages[0].sent_at
        clock.advance(10)
        await api.create_chat()
        path = f"/chats/{chat_id}/chat_messages"
        after = await api("GET", path, params={"after": sent_at.isoformat()})
        before = await api("GET", path, params={"before": clock.moment().isoformat()})
        neither = await api("GET", path, params={"before": sent_at.isoformat()})
    assert [message["id"] for message in after.json["data"]] == [first + 1]
    assert [message["id"] for message in before.json["data"]] == [first, first + 1]
    assert neither.json["data"] == []


@pytest.mark.asyncio
async def test_a_message_is_delivered_when_its_time_has_come() -> None:
    """A message stays pending for `deliver_after` seconds, or always if that is None, and then has a delivery time."""
    clock = Clock(start=START.timestamp())
    async with (
        Sandbox(clock=clock.moment, deliver_after=5) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        api = Api(session)
        chat_id, message_id = await api.new_message()
        path = f"/chats/{chat_id}/chat_messages/{message_id}"
        pending = (await api("GET", path)).json["data"]
        clock.advance(5)
        delivered = (await api("GET", path)).json["data"]
        sandbox.deliver_after = None
        never = (await api("GET", path)).json["data"]
    assert (pending["delivery_status"], pending["delivered_at"]) == ("pending", None)
    assert delivered["delivery_status"] == "delivered"
    assert delivered["delivered_at"] == "2026-01-01T22:04:10.678-05:00"
    assert never["delivery_status"] == "pending"


@pytest.mark.asyncio
async def test_by_default_the_first_read_shows_it_delivered(api: Api) -> None:
    """The answer to sending says pending, the next read delivered."""
    chat_id, message_id = await api.new_message()
    data = (await api("GET", f"/chats/{chat_id}/chat_messages/{message_id}")).json["data"]
    assert data["delivery_status"] == "delivered"
    assert data["delivered_at"] is not None


@pytest.mark.asyncio
async def test_a_message_belongs_to_its_chat(api: Api) -> None:
    """A message read through another chat is a 404."""
    _, message_id = await api.new_message()
    other = (await api.create_chat(phone_numbers=["+12025550111"])).json["data"]["id"]
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/edit")):
        reply = await api(method, f"/chats/{other}/chat_messages/{message_id}{rest}")
        assert (reply.status, reply.error["code"]) == (404, "not_found")


@pytest.mark.asyncio
async def test_editing_changes_the_text(api: Api) -> None:
    """Editing answers a notice with id and text, and shows afterwards."""
    chat_id, message_id = await api.new_message()
    path = f"/chats/{chat_id}/chat_messages/{message_id}"
    reply = await api("POST", f"{path}/edit", {"text": "Ten minutes."})
    data = (await api("GET", path)).json["data"]
    assert reply.status == 200
    assert reply.json.keys() == {"message", "data"}
    assert reply.json["data"] == {"id": message_id, "text": "Ten minutes."}
    assert data["text"] == "Ten minutes."
    assert data["edited_at"] is not None
    assert [(await api("POST", f"{path}/edit", body)).status for body in ({}, {"text": ""}, {"text": 1})] == [
        400,
        422,
        400,
    ]


@pytest.mark.asyncio
async def test_a_deleted_message_is_gone_but_its_key_is_not(api: Api, sandbox: Sandbox) -> None:
    """Deleting answers 200 with a notice; the message is a 404 then, and its key still sends nothing."""
    data = (await api.create_chat("gone")).json["data"]
    path = f"/chats/{data['id']}/chat_messages/{data['chat_messages']['id']}"
    reply = await api("DELETE", path)
    assert (reply.status, list(reply.json)) == (200, ["message"])
    assert (await api("GET", path)).status == 404
    assert (await api("DELETE", path)).status == 404
    assert (await api("GET", f"/chats/{data['id']}")).json["data"]["message_count"] == 0
    await api.create_chat("gone")
    assert [message.deleted for message in sandbox.messages] == [True]


@pytest.mark.asyncio
async def test_reactions_come_and_go(api: Api) -> None:
    """A reaction is added, read, replaced by another kind, and removed."""
    chat_id, message_id = await api.new_message()
    path = f"/chat_messages/{message_id}/reactions"
    added = await api("POST", path, {"type": "laugh", "operation": "add"})
    data = added.json["data"]
    assert added.status == 201
    assert (data["chat_message_id"], data["reaction"], data["from_phone"]) == (message_id, "laugh", LINE)
    assert (await api("GET", f"/chat_message_reactions/{data['id']}")).json == added.json
    again = await api("POST", path, {"type": "laugh", "operation": "add"})
    assert again.json == added.json
    replaced = (await api("POST", path, {"type": "love", "operation": "add"})).json["data"]
    message = (await api("GET", f"/chats/{chat_id}/chat_messages/{message_id}")).json["data"]
    assert message["reactions"] == [replaced]
    assert (await api("GET", f"/chat_message_reactions/{data['id']}")).status == 404
    removed = await api("POST", path, {"type": "love", "operation": "remove"})
    assert (removed.status, removed.json["data"]) == (201, replaced)
    assert (await api("POST", path, {"type": "love", "operation": "remove"})).status == 404
    assert (await api("GET", f"/chat_message_reactions/{replaced['id']}")).status == 404


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "love"}, 400),
        ({"operation": "add"}, 400),
        ({"type": "hate", "operation": "add"}, 422),
        ({"type": "love", "operation": "toggle"}, 422),
        ({"type": ["love"], "operation": "add"}, 400),
    ],
)
async def test_wrong_reactions_are_refused(api: Api, body: dict[str, object], status: int) -> None:
    """A reaction needs a known type and a known operation."""
    _, message_id = await api.new_message()
    assert (await api("POST", f"/chat_messages/{message_id}/reactions", body)).status == status


@pytest.mark.asyncio
async def test_reacting_to_nothing_is_a_404(api: Api) -> None:
    """An unknown message or reaction is a 404."""
    body = {"type": "love", "operation": "add"}
    assert (await api("POST", "/chat_messages/1/reactions", body)).status == 404
    assert (await api("GET", "/chat_message_reactions/1")).status == 404
