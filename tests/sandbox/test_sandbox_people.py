"""What people write to the organisation: stored, shown by the API, and delivered as events."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest

from linq_async.sandbox import Limits, Sandbox
from linq_async.sandbox import events as happened
from linq_async.sandbox.limits import StorageFullError

from .calls import HEADERS, LINE, MIRA, THEO, Api
from .receivers import Received, expected_signature, receiving, subscribed
from .replay import apply, empty_view, view_of

ALL_EVENTS = (
    "message.sent",
    "message.received",
    "message.read",
    "reaction.sent",
    "reaction.received",
    "typing_indicator.received",
    "typing_indicator.removed",
    "chat.created",
    "contact.created",
    "contact.updated",
    "contact.deleted",
)
HANDLES = [
    {"identifier": MIRA, "display_name": MIRA, "is_me": False},
    {"identifier": LINE, "display_name": LINE, "is_me": True},
]
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-05:00")
SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d -0500")


def _data(received: Received) -> dict[str, Any]:
    """Return the payload of an event, after a check of its envelope."""
    event = received.event
    assert list(event) == ["api_version", "created_at", "data", "event_id", "event_type"]
    assert event["api_version"] == "v2"
    assert ISO.fullmatch(event["created_at"])
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-Webhook-Signature"] == expected_signature(received.body)
    data: dict[str, Any] = event["data"]
    return data


@pytest.mark.asyncio
async def test_a_stranger_starts_a_chat(api: Api, sandbox: Sandbox) -> None:
    """A message from a stranger is stored in a new chat, which the API lists, and delivered once."""
    async with receiving() as receiver:
        await subscribed(sandbox, receiver.url, "message.received", "chat.created")
        message = await sandbox.receive(from_=MIRA, text="Ünï 🧁")
        again = await sandbox.receive(from_=MIRA, to=LINE, text="Two")
    assert (message.send_from, message.recipients, message.from_me) == (MIRA, (LINE,), False)
    assert (again.chat_id, receiver.types) == (message.chat_id, ["message.received"] * 2)
    data = _data(receiver.received[0])
    assert SPACED.fullmatch(data.pop("sent_at"))
    assert data == {
        "id": str(message.id),
        "chat_id": str(message.chat_id),
        "text": "Ünï 🧁",
        "is_read": False,
        "from_phone": MIRA,
        "service": "iMessage",
        "reaction_id": None,
        "chat_handles": HANDLES,
        "attachments": [],
    }
    (chat,) = (await api("GET", "/chats", params={"phone_number": MIRA})).json["data"]
    shown = (await api("GET", f"/chats/{message.chat_id}/chat_messages/{message.id}")).json["data"]
    assert (chat["id"], chat["message_count"]) == (message.chat_id, 2)
    assert (shown["sent_from"], shown["chat_handle_id"]) == (MIRA, chat["chat_handles"][0]["id"])
    assert (shown["delivery_status"], shown["delivered_at"]) == ("delivered", shown["sent_at"])


@pytest.mark.asyncio
async def test_a_conversation_is_delivered_and_replayed(api: Api, sandbox: Sandbox) -> None:
    """Each action of either side is one documented event, and the changes alone rebuild what the sandbox stores."""
    async with receiving() as receiver:
        await subscribed(sandbox, receiver.url, *ALL_EVENTS)
        chat_id, message_id = await api.new_message()
        await api("POST", f"/chats/{chat_id}/start_typing")
        await sandbox.typing(chat_id)
        await sandbox.typing(chat_id)
        reply = await sandbox.reply(chat_id, "Hi", [("a.jpg", b"jpeg"), "https://example.org/menu.pdf"])
        await sandbox.typing(chat_id, display=False)
        await sandbox.react(message_id, "love")
        await sandbox.react(message_id, "like")
        await api("POST", f"/chat_messages/{reply.id}/reactions", {"type": "laugh", "operation": "add"})
        await api("PUT", f"/chats/{chat_id}/mark_as_read")
        await api("POST", "/contacts", {"contact": {"first_name": "Mira"}})
        await api("PATCH", "/contacts/7001", {"contact": {"email": "mira@example.org"}})
        await api("DELETE", "/contacts/7001")
        await sandbox.delivered()
    of_chat = [one for one in receiver.received if "contact." not in one.event["event_type"]]
    assert [one.event["event_type"] for one in of_chat] == [
        "chat.created",
        "message.sent",
        "typing_indicator.received",
        "message.received",
        "typing_indicator.removed",
        "reaction.received",
        "reaction.received",
        "reaction.sent",
        "message.read",
        "message.read",
    ]
    by_type = {one.event["event_type"]: _data(one) for one in receiver.received}
    assert set(by_type) == set(ALL_EVENTS)
    assert by_type["contact.deleted"] == {"id": 7001}
    assert by_type["contact.updated"]["email"] == "mira@example.org"
    assert ISO.fullmatch(by_type["contact.updated"]["created_at"])
    assert by_type["message.read"].keys() == {"id", "chat_id", "read_at"}
    assert by_type["chat.created"]["chat_handles"] == HANDLES
    assert (by_type["typing_indicator.removed"]["display"], by_type["message.sent"]["from_phone"]) == (False, LINE)
    files = by_type["message.received"]["attachments"]
    assert [(one["filename"], one["mime_type"]) for one in files] == [
        ("a.jpg", "image/jpeg"),
        ("menu.pdf", "application/pdf"),
    ]
    assert [one.keys() for one in files] == [{"id", "url", "filename", "mime_type"}] * 2
    async with aiohttp.request("GET", files[0]["url"]) as response:
        assert await response.read() == b"jpeg"
    shown = (await api("GET", f"/chats/{chat_id}/chat_messages/{message_id}")).json["data"]["reactions"]
    assert [(one["reaction"], one["is_from_me"], one["from_phone"]) for one in shown] == [("like", False, MIRA)]
    view = empty_view()
    view["phone_numbers"] = view_of(sandbox)["phone_numbers"]
    for change in sandbox.changes.since(0):
        apply(view, change.event)
    assert view == view_of(sandbox)


@pytest.mark.asyncio
async def test_the_payload_of_a_reaction(api: Api, sandbox: Sandbox) -> None:
    """A reaction names who reacted, and the message."""
    async with receiving() as receiver:
        await subscribed(sandbox, receiver.url, "reaction.sent", "reaction.received")
        chat_id, message_id = await api.new_message()
        reaction = await sandbox.react(message_id, "love")
    data = _data(receiver.received[0])
    times = [data.pop("sent_at"), data.pop("created_at"), data["associated_message"].pop("sent_at")]
    assert all(map(SPACED.fullmatch, times))
    assert data == {
        "id": str(reaction.id),
        "chat_message_id": str(message_id),
        "chat_id": str(chat_id),
        "reaction": "love",
        "is_from_me": False,
        "chat_handle": {"id": str(sandbox.chats[0].handles[0].id), "identifier": MIRA},
        "chat_handles": HANDLES,
        "associated_message": {"id": str(message_id), "text": "Hello"},
    }


@pytest.mark.asyncio
async def test_anybody_in_a_group_may_act(api: Api, sandbox: Sandbox) -> None:
    """In a group, `from_` names who writes, reacts or types; the first one does by default."""
    await api.create_chat(phone_numbers=(MIRA, THEO))
    (chat,) = sandbox.chats
    first = await sandbox.reply(chat.id, "One")
    second = await sandbox.reply(chat.id, "Two", from_=THEO)
    await sandbox.typing(chat.id, from_=THEO)
    reactions = [await sandbox.react(second.id, "like", from_=person) for person in (MIRA, THEO)]
    assert [(one.send_from, one.recipients) for one in (first, second)] == [
        (MIRA, (LINE, THEO)),
        (THEO, (LINE, MIRA)),
    ]
    assert chat.typing_recipients == {THEO}
    assert list(second.reactions.values()) == reactions


@pytest.mark.asyncio
async def test_what_people_cannot_do(sandbox: Sandbox) -> None:
    """Whatever does not exist or cannot be stored is refused, and nothing is stored."""
    mistakes: list[dict[str, Any]] = [
        {"from_": "mira", "text": "Hi"},
        {"from_": LINE, "text": "Hi"},
        {"from_": MIRA, "to": THEO, "text": "Hi"},
        {"from_": MIRA, "to": "x", "text": "Hi"},
        {"from_": MIRA},
        {"from_": MIRA, "attachments": ["ftp://example.org/a"]},
        {"from_": MIRA, "attachments": "https://example.org/a"},
    ]
    for mistake in mistakes:
        with pytest.raises(ValueError, match=r"from_|to must|needs a text|attachments"):
            await sandbox.receive(**mistake)
    assert (sandbox.chats, sandbox.messages) == ([], [])
    message = await sandbox.receive(from_=MIRA, text="Hi")
    sandbox._state.delete_message(message)
    for act in (sandbox.reply(1, "Hi"), sandbox.react(1, "love"), sandbox.react(message.id, "love")):
        with pytest.raises(LookupError, match=r"has no (chat|message)"):
            await act
    kept = await sandbox.reply(message.chat_id, attachments=["https://example.org/a.png"])
    for wrong in (sandbox.reply(kept.chat_id, "Hi", from_=THEO), sandbox.react(kept.id, "salute")):
        with pytest.raises(ValueError, match="must be"):
            await wrong


@pytest.mark.asyncio
async def test_a_full_sandbox_receives_nothing() -> None:
    """What does not fit is refused, and the room for a file that did not fit is given back."""
    async with Sandbox(limits=Limits(memory_bytes=20_000)) as sandbox:
        with pytest.raises(StorageFullError):
            await sandbox.receive(from_=MIRA, text="x" * 30_000)
        used = sandbox._state.storage.memory.used
        with pytest.raises(StorageFullError):
            await sandbox.receive(from_=MIRA, attachments=[("a.bin", b"x" * 30_000)])
        assert sandbox._state.storage.memory.used == used == 0
        assert sandbox.messages == []


@pytest.mark.asyncio
async def test_a_sandbox_that_does_not_run() -> None:
    """Nobody can write to a sandbox before it starts."""
    with pytest.raises(RuntimeError, match="not running"):
        await Sandbox().receive(from_=MIRA, text="Hi")


@pytest.mark.asyncio
async def test_received_messages_are_delivered_whatever_the_setting() -> None:
    """`deliver_after` is about what the organisation sends."""
    async with Sandbox(deliver_after=None) as sandbox:
        message = await sandbox.receive(from_=MIRA, text="Hi")
        sandbox.deliver_after = None
        assert sandbox._state.delivery_status.delivered_at(message) == message.sent_at
        changes = [type(change.event) for change in sandbox.changes.since(0)]
    assert changes == [happened.ChatCreated, happened.MessageStored]


@pytest.mark.asyncio
async def test_half_a_surrogate_pair(sandbox: Sandbox) -> None:
    """A text that UTF-8 cannot encode is delivered with a question mark in its place."""
    async with receiving() as receiver, aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        await subscribed(sandbox, receiver.url, "message.sent")
        body = json.dumps({"send_from": LINE, "chat": {"phone_numbers": [MIRA]}, "message": {"text": "a\ud83d"}})
        async with session.post(
            "/api/partner/v2/chats", data=body, headers={"Content-Type": "application/json"}
        ) as response:
            status = response.status
        await sandbox.delivered()
    assert (status, receiver.texts) == (200, ["a?"])
