"""The control calls under `/_sandbox`: each does what its member of `Sandbox` does."""

from __future__ import annotations

import asyncio
import base64
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from linq_async.sandbox import DEFAULT_TOKEN, Limits, Sandbox
from linq_async.sandbox.api.messages import REACTIONS
from linq_async.sandbox.control import calls
from linq_async.sandbox.control.table import CONTROL, control_table

from .calls import CHAT_FIELDS, LINE, MIRA, THEO, Api, form
from .control_calls import Control, controlling
from .receivers import receiving


@pytest_asyncio.fixture
async def control(sandbox: Sandbox) -> AsyncIterator[Control]:
    """Call the sandbox as its page does."""
    async with controlling(sandbox) as calls:
        yield calls


def test_the_documentation_lists_every_call() -> None:
    """docs/sandbox.md has the table that is made from the data, and the names that calls take."""
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert control_table() in text
    for name in (*calls.FAULTS, *calls.DELIVERY_FAULTS, *REACTIONS):
        assert f"`{name}`" in text


def test_every_call_is_a_member_of_the_sandbox() -> None:
    """Each call names a public member of `Sandbox` with a docstring, and each thing to do with a sandbox has a call."""
    public = {name for name, _ in inspect.getmembers(Sandbox) if not name.startswith("_")}
    attributes = {"phone_numbers", "faults", "requests", "deliveries", "changes"}
    members = {route.member for route in CONTROL}
    assert members <= public | attributes
    acts = {name for name in public if inspect.iscoroutinefunction(getattr(Sandbox, name))}
    assert acts - {"start", "close", "delivered"} <= members


@pytest.mark.asyncio
async def test_the_overview(control: Control, sandbox: Sandbox) -> None:
    """The overview shows the settings and lists, but neither the token nor a secret."""
    await sandbox.subscribe("http://127.0.0.1:9/hook", secret="s3cret", events=["message.received"])
    sandbox.faults.answer(503, times=2, phone_number=MIRA)
    reply = await control("GET", "/")
    assert reply.json["phone_numbers"] == [*sandbox.phone_numbers]
    assert reply.json["position"] == f"{sandbox.changes.epoch}-{sandbox.changes.number}"
    (fault,), (subscription,) = reply.json["faults"], reply.json["subscriptions"]
    assert (fault["fault"], fault["times"], fault["phone_number"]) == ("answer 503", 2, MIRA)
    assert (subscription["webhook_url"], subscription["signed"]) == ("http://127.0.0.1:9/hook", True)
    for shown in (reply, await control("GET", "/subscriptions")):
        assert DEFAULT_TOKEN.encode() not in shown.body
        assert b"s3cret" not in shown.body


@pytest.mark.asyncio
async def test_chats_and_messages(control: Control, sandbox: Sandbox, api: Api) -> None:
    """Chats are listed by their latest message, and messages from the latest one back."""
    first = (await api.create_chat("k-1")).json["data"]["id"]
    second = (await api.create_chat(phone_numbers=[THEO])).json["data"]["id"]
    for text in ("Two", "Three"):
        await sandbox.reply(first, text)
    listed = await control.data("GET", "/chats?limit=1")
    assert (listed["total"], [chat["id"] for chat in listed["chats"]]) == (2, [first])
    assert listed["chats"][0]["last"]["text"] == "Three"
    rest = await control.data("GET", "/chats?skip=1")
    assert [chat["id"] for chat in rest["chats"]] == [second]
    page = await control.data("GET", f"/chats/{first}/messages?limit=2")
    assert ([one["text"] for one in page["messages"]], page["more"]) == (["Two", "Three"], True)
    earlier = await control.data("GET", f"/chats/{first}/messages?before={page['messages'][0]['id']}")
    (message,) = earlier["messages"]
    assert (message["text"], message["idempotency_key"], message["status"]) == ("Hello", "k-1", "delivered")
    assert (message["from_me"], message["recipients"], earlier["more"]) == (True, [MIRA], False)


@pytest.mark.asyncio
async def test_search(control: Control, sandbox: Sandbox) -> None:
    """A search finds chats by number, name and text, in any case."""
    chat = (await sandbox.receive(from_=MIRA, text="Is the TABLE free?")).chat_id
    other = (await sandbox.receive(from_=THEO, text="Hi")).chat_id
    for text, found in (("table", [chat]), (THEO[-5:], [other]), ("+1", [chat, other]), ("zzz", [])):
        assert (await control.data("GET", "/search", params={"q": text}))["chats"] == found


@pytest.mark.asyncio
async def test_files_are_shown_if_browsers_show_them_safely(control: Control, api: Api, sandbox: Sandbox) -> None:
    """An image has a relative URL and is shown; an SVG, HTML and a linked image are not."""
    files = (("a.png", "image/png", b"x"), ("b.svg", "image/svg+xml", b"<svg/>"), ("c.html", "text/html", b"<b>"))
    await api("POST", "/chats", data=form(*CHAT_FIELDS, files=files))
    await sandbox.reply(sandbox.chats[0].id, attachments=["https://example.com/d.png"])
    data = await control.data("GET", f"/chats/{sandbox.chats[0].id}/messages")
    shown = [one for message in data["messages"] for one in message["attachments"]]
    assert [one["image"] for one in shown] == [True, False, False, False]
    assert [one["url"].startswith("/files/") for one in shown] == [True, True, True, False]
    async with control.session.get(shown[0]["url"]) as response:
        assert (response.status, await response.read()) == (200, b"x")


@pytest.mark.asyncio
async def test_people_write(control: Control, sandbox: Sandbox) -> None:
    """A call writes, replies, reacts, types and reads as the recipient."""
    started = await control.data("POST", "/receive", {"from": MIRA, "to": LINE, "text": "Hi"})
    chat = started["chat_id"]
    content = {"filename": "a.txt", "base64": base64.b64encode(b"abc").decode()}
    replied = await control.data(
        "POST", f"/chats/{chat}/reply", {"text": "Look", "attachments": [content, "https://example.com/b"]}
    )
    assert [one["filename"] for one in replied["attachments"]] == ["a.txt", "b"]
    assert sandbox.messages[-1].attachments[0].read() == b"abc"
    reacted = await control.data("POST", f"/messages/{started['id']}/react", {"reaction": "love", "from": MIRA})
    assert reacted["reactions"] == [{"kind": "love", "from": MIRA, "from_me": False}]
    await control.data("POST", f"/chats/{chat}/typing")
    assert sandbox.chats[0].typing_recipients == {MIRA}
    await control.data("POST", f"/chats/{chat}/typing", {"display": False, "from": MIRA})
    assert sandbox.chats[0].typing_recipients == set()


@pytest.mark.asyncio
async def test_reading(control: Control, sandbox: Sandbox, api: Api) -> None:
    """The recipients read what was sent to them, not what they sent."""
    chat, _ = await api.new_message()
    await sandbox.reply(chat, "Thanks")
    await control.data("POST", f"/chats/{chat}/read")
    assert [message.is_read for message in sandbox.messages] == [True, False]
    with pytest.raises(LookupError):
        await sandbox.read(99)


@pytest.mark.asyncio
async def test_waiting_for_a_message(control: Control, sandbox: Sandbox, api: Api) -> None:
    """A call that waits answers as soon as a message matches, and one that does not wait lists those that do."""
    waiting = asyncio.create_task(control.data("GET", "/messages", params={"to": MIRA, "text": "ello", "wait": "5"}))
    await api.create_chat(phone_numbers=[THEO])
    await sandbox.receive(from_=MIRA, text="Hello from a recipient")
    assert not waiting.done()
    _, message = await api.new_message()
    assert [one["id"] for one in (await waiting)["messages"]] == [message]
    assert len((await control.data("GET", "/messages"))["messages"]) == 2
    assert [one["id"] for one in (await control.data("GET", "/messages", params={"to": MIRA}))["messages"]] == [message]
    later = {"to": MIRA, "after": str(message)}
    assert (await control.data("GET", "/messages", params=later))["messages"] == []


@pytest.mark.asyncio
async def test_waiting_for_too_long(control: Control, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that ends without a message is an empty answer, and a TimeoutError in Python."""
    monkeypatch.setattr(calls, "LONGEST_WAIT", 0.02)
    assert await control.data("GET", "/messages?wait=99") == {"messages": []}
    with pytest.raises(TimeoutError):
        await sandbox.wait_for_message(timeout=0.01)
    with pytest.raises(ValueError, match="not a phone number"):
        await sandbox.wait_for_message(to="nobody")
    with pytest.raises(ValueError, match="not a phone number"):
        sandbox.messages_to("nobody")


@pytest.mark.asyncio
async def test_faults(control: Control, sandbox: Sandbox, api: Api) -> None:
    """Each fault can be scripted by a call, is listed until it is used up, and can be cleared."""
    for body, name in (
        ({"fault": "answer", "status": 429, "retry_after": 1.5, "phone_number": MIRA}, "answer 429"),
        ({"fault": "delay", "seconds": 0.5, "times": 3, "method": "post", "path": "/chats"}, "delay 0.5"),
        ({"fault": "drop_before_storing"}, "drop_before_storing"),
        ({"fault": "drop_after_storing"}, "drop_after_storing"),
        ({"fault": "cut_body", "phone_number": None}, "cut_body"),
    ):
        data = await control.data("POST", "/faults", body)
        assert data["faults"][-1]["fault"] == name
    assert [one["times"] for one in data["faults"]] == [1, 3, 1, 1, 1]
    reply = await api.create_chat()
    assert (reply.status, reply.headers["Retry-After"]) == (429, "1.5")
    assert len((await control.data("GET", "/faults"))["faults"]) == 4
    assert await control.data("DELETE", "/faults") == {"faults": []}
    assert sandbox.faults.pending == 0


@pytest.mark.asyncio
async def test_requests(control: Control, sandbox: Sandbox, api: Api) -> None:
    """Requests are listed with their attempts, and each with its headers and bodies, but never the token."""
    sandbox.faults.answer(503)
    sandbox.faults.drop_after_storing()
    assert (await api.create_chat("k-1")).status == 503
    with pytest.raises(aiohttp.ClientOSError):
        await api.create_chat("k-1")
    assert (await api.create_chat("k-1")).status == 200
    await api("GET", "/phone_numbers?x=1")
    listed = await control.data("GET", "/requests")
    assert listed["total"] == 4
    attempts = await control.data("GET", "/requests?key=k-1")
    shown = [(one["status"], one["attempt"], one["replayed"], one["fault"]) for one in attempts["requests"]]
    assert shown == [
        (503, 1, False, "answer 503"),
        (None, 2, False, "drop_after_storing"),
        (200, 3, True, None),
    ]
    assert [one.status for one in sandbox.requests.by_key()["k-1"]] == [503, None, 200]
    reply = await control("GET", f"/requests/{attempts['requests'][-1]['number']}")
    assert '"text": "Hello"' in reply.json["body"]
    assert '"delivery_status": "pending"' in reply.json["response"]
    assert reply.json["headers"]["X-LINQ-INTEGRATION-TOKEN"] == "***"
    assert reply.json["seconds"] >= 0
    assert DEFAULT_TOKEN.encode() not in reply.body
    assert (await control.data("GET", "/requests/4"))["query"] == "x=1"
    assert DEFAULT_TOKEN not in repr(sandbox.requests)


@pytest.mark.asyncio
async def test_of_bodies_only_the_beginning_is_kept(api: Api, sandbox: Sandbox, control: Control) -> None:
    """A body is kept up to 16 KiB, nothing of a stranger's, and details of the latest requests only.

    A call says if a body is exactly what was sent.
    """
    await api.create_chat(text="x" * 20_000)
    await api("GET", "/phone_numbers", headers={"X-LINQ-INTEGRATION-TOKEN": "wrong", "X-Mark": "m"})
    entry, stranger = sandbox.requests
    assert len(entry.body) == 16 << 10
    assert len(entry.response) < 16 << 10 or entry.response.endswith(b"x")
    assert (stranger.body, stranger.headers) == (b"", {})
    await api.create_chat()
    await api("POST", "/chats", data=form(*CHAT_FIELDS, files=(("a.png", "image/png", b"\xff"),)))
    exact = [(await control.data("GET", f"/requests/{number}"))["body_exact"] for number in (1, 3, 4)]
    assert exact == [False, True, False]
    for _ in range(1000):
        sandbox.requests.add(entry)
    assert (sandbox.requests[0].body, sandbox.requests[0].headers) == (b"", {})


@pytest.mark.asyncio
async def test_old_requests_are_found_as_long_as_they_are_kept() -> None:
    """A request is found by its number, unless it is no longer kept or never existed."""
    async with Sandbox(limits=Limits(logged_requests=2)) as sandbox, controlling(sandbox) as control:
        for _ in range(3):
            await control.session.get("/api/partner/v2/phone_numbers")
        statuses = [(await control("GET", f"/requests/{number}")).status for number in range(5)]
    assert statuses == [404, 404, 200, 200, 404]


@pytest.mark.asyncio
async def test_nothing_grows_without_end(control: Control, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted faults, numbers for which something is set, and the clock have limits; calls beyond them get 422."""
    monkeypatch.setattr("linq_async.sandbox.faults.MAX_FAULTS", 3)
    monkeypatch.setattr("linq_async.sandbox.controls.MAX_NUMBERS", 2)
    faults = [(await control("POST", "/faults", {"fault": "cut_body", "times": 10**18})).status for _ in range(5)]
    assert (faults, len(list(sandbox.faults))) == ([200] * 3 + [422] * 2, 3)
    numbers = [(await control("PUT", f"/numbers/+1202555012{n}", {"delivery": n})).status for n in (0, 1, 2, 1)]
    assert numbers == [200, 200, 422, 200]
    advances = [(await control("POST", "/clock/advance", {"seconds": 999_999_999})).status for _ in range(12)]
    assert advances == [200] * 10 + [422] * 2
    assert (await control.data("GET", "/"))["now"].startswith("23")


@pytest.mark.asyncio
async def test_webhooks(control: Control, sandbox: Sandbox) -> None:
    """A call subscribes, shows each delivery and its body, delivers again, and unsubscribes."""
    async with receiving() as receiver:
        created = await control.data("POST", "/subscriptions", {"url": receiver.url, "events": ["message.received"]})
        other = await control.data("POST", "/subscriptions", {"url": receiver.url})
        assert (created["events"], len(other["events"])) == (["message.received"], 14)
        left = await control.data("DELETE", f"/subscriptions/{other['id']}")
        assert [one["id"] for one in left["subscriptions"]] == [created["id"]]
        await sandbox.receive(from_=MIRA, text="Hi")
        await control.data("POST", "/deliveries/1/again")
        listed = await control.data("GET", "/deliveries")
        assert [(one["number"], one["status"]) for one in listed["deliveries"]] == [(1, 200), (2, 200)]
        bodies = [(await control.data("GET", f"/deliveries/{number}"))["body"] for number in (1, 2)]
    assert [one.body.decode() for one in receiver.received] == bodies
    assert bodies[0] == bodies[1]


@pytest.mark.asyncio
async def test_faults_of_delivery(control: Control, sandbox: Sandbox) -> None:
    """A call holds and releases deliveries, and scripts their faults."""
    async with receiving() as receiver:
        await sandbox.subscribe(receiver.url)
        assert await control.data("POST", "/deliveries/faults", {"fault": "hold"}) == {"held": True}
        await control.data("POST", "/deliveries/faults", {"fault": "twice"})
        await sandbox.receive(from_=MIRA, text="Hi")
        assert (await control.data("GET", "/"))["deliveries_held"]
        assert receiver.received == []
        assert await control.data("POST", "/deliveries/faults", {"fault": "release"}) == {"held": False}
        await sandbox.delivered()
    assert receiver.types == ["message.received"] * 2


@pytest.mark.asyncio
async def test_the_clock_and_a_reset(control: Control, api: Api, sandbox: Sandbox) -> None:
    """A call moves the clock, which delivers a message, and another one drops everything."""
    sandbox.deliver_after = 60
    chat, _ = await api.new_message()
    path = f"/chats/{chat}/messages"
    assert (await control.data("GET", path))["messages"][0]["status"] == "pending"
    await control.data("POST", "/clock/advance", {"seconds": 60})
    assert (await control.data("GET", path))["messages"][0]["status"] == "delivered"
    await control.data("POST", "/reset")
    assert (sandbox.messages, len(sandbox.requests)) == ([], 0)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("PATCH", "/chats", None, 404),
        ("GET", "/chats/8999/messages", None, 404),
        ("GET", "/chats/x/messages", None, 404),
        ("GET", "/search", None, 400),
        ("GET", "/messages?to=nobody", None, 422),
        ("GET", "/messages?x[", None, 200),
        ("GET", "/requests/7", None, 404),
        ("GET", "/deliveries/7", None, 404),
        ("POST", "/deliveries/7/again", None, 404),
        ("POST", "/deliveries/faults", {"fault": "clear"}, 422),
        ("POST", "/chats/8999/reply", {"text": "Hi"}, 404),
        ("POST", "/chats/8999/read", None, 404),
        ("POST", "/messages/900001/react", {"reaction": "love"}, 404),
        ("POST", "/receive", {"text": "Hi"}, 400),
        ("POST", "/receive", {"from": 7, "text": "Hi"}, 400),
        ("POST", "/receive", {"from": MIRA}, 422),
        ("POST", "/receive", {"from": MIRA, "attachments": [7]}, 422),
        ("POST", "/receive", {"from": MIRA, "attachments": [{"filename": "a", "base64": "?"}]}, 422),
        ("POST", "/receive", {"from": MIRA, "attachments": ["ftp://x"]}, 422),
        ("POST", "/clock/advance", None, 400),
        ("POST", "/clock/advance", {"seconds": True}, 422),
        ("POST", "/clock/advance", {"seconds": "1"}, 422),
        ("POST", "/clock/advance", {"seconds": -1}, 422),
        ("POST", "/clock/advance", {"seconds": 1e300}, 422),
        ("POST", "/clock/advance", {"seconds": 10**400}, 422),
        ("POST", "/clock/advance", {"seconds": -(10**400)}, 422),
        ("PUT", f"/numbers/{MIRA}", {"delivery": 10**400}, 422),
        ("PUT", f"/numbers/{MIRA}", {"delivery": -1}, 422),
        ("PUT", f"/numbers/{MIRA}", {"service": "Fax"}, 422),
        ("PUT", "/numbers/nobody", {"delivery": 1}, 422),
        ("POST", "/faults", {"fault": "answer", "status": 503, "retry_after": 10**400}, 422),
        ("POST", "/faults", {"fault": "delay", "seconds": 10**400}, 422),
        ("PUT", "/conditions", {"latency": 10**400}, 422),
        ("PUT", "/conditions", {"rate_limit": 10**400}, 422),
        ("POST", "/faults", {"fault": "explode"}, 422),
        ("POST", "/faults", {"fault": "answer"}, 422),
        ("POST", "/faults", {"fault": "answer", "status": 99}, 422),
        ("POST", "/faults", {"fault": "cut_body", "times": 0}, 422),
        ("POST", "/faults", {"fault": "cut_body", "phone_number": "x"}, 422),
        ("POST", "/subscriptions", {"url": "ftp://x"}, 422),
        ("POST", "/subscriptions", {"url": "http://127.0.0.1:1/x", "events": ["x"]}, 422),
        ("DELETE", "/subscriptions/7", None, 404),
    ],
)
async def test_impossible_arguments_are_refused(
    control: Control, sandbox: Sandbox, method: str, path: str, body: Any, status: int
) -> None:
    """A call with a wrong path or value gets a status and a reason, and changes nothing."""
    reply = await control(method, path, body)
    assert reply.status == status
    if status != 200:
        assert reply.error["detail"]
    assert (sandbox.changes.number, len(sandbox.requests)) == (0, 0)


@pytest.mark.asyncio
async def test_a_full_sandbox_says_so() -> None:
    """A call that would store more than the limits allow gets 507, and too large a body 413."""
    limits = Limits(memory_bytes=4096, text_bytes=8192)
    async with Sandbox(limits=limits) as sandbox, controlling(sandbox) as control:
        assert (await control("POST", "/receive", {"from": MIRA, "text": "x" * 5000})).status == 507
        assert (await control("POST", "/receive", {"from": MIRA, "text": "x" * 9000})).status == 413
        assert (await control("POST", "/receive", {"from": MIRA, "text": "Hi"})).status == 200
