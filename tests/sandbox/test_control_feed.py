"""The feed of live changes: the latest state of what changed, from any position, for any number of readers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from linq_async.sandbox import Changes, Sandbox, events
from linq_async.sandbox.control import feed, serve
from linq_async.sandbox.threaded import ThreadedSandbox

from .calls import HEADERS, MIRA, THEO, Api
from .control_calls import Control, FeedEvent, controlling, following
from .receivers import receiving


@pytest.mark.asyncio
async def test_everything_that_happens_is_sent(sandbox: Sandbox, api: Api) -> None:
    """Chats, messages, requests, faults, subscriptions and deliveries are sent as they are then."""
    async with receiving() as receiver, controlling(sandbox) as control:
        position = (await control.data("GET", "/"))["position"]
        async with following(control, position) as stream:
            await sandbox.subscribe(receiver.url)
            seen: dict[str, Any] = {}
            sandbox.faults.answer(503)
            assert (await api.create_chat("k-1")).status == 503
            chat, message = await api.new_message()
            await sandbox.react(message, "love")
            await sandbox.typing(chat)
            while not {"chats", "messages", "requests", "faults", "subscriptions", "deliveries"} <= seen.keys():
                seen |= (await anext(stream)).data
    assert seen["faults"] == []
    (shown,) = seen["messages"]
    assert (shown["id"], shown["reactions"][0]["kind"]) == (message, "love")
    assert all(one["status"] == 200 for one in seen["deliveries"])


@pytest.mark.asyncio
async def test_changes_conflate(sandbox: Sandbox) -> None:
    """A reader that comes back gets one row for each thing that changed, in its latest state."""
    async with controlling(sandbox) as control:
        first = await sandbox.receive(from_=MIRA, text="One")
        position = (await control.data("GET", "/"))["position"]
        for text in ("Two", "Three"):
            await sandbox.receive(from_=MIRA, text=text)
        for _ in range(5):
            await sandbox.typing(first.chat_id)
            await sandbox.typing(first.chat_id, display=False)
        async with following(control, position) as stream:
            event = await anext(stream)
        (chat,) = event.data["chats"]
        assert (chat["count"], chat["last"]["text"], chat["typing_recipients"]) == (3, "Three", [])
        assert [one["text"] for one in event.data["messages"]] == ["Two", "Three"]
        assert event.id == (await control.data("GET", "/"))["position"]
        headers = {"Last-Event-ID": event.id}
        async with control.session.get("/_sandbox/events?since=x", headers=headers) as response:
            await sandbox.receive(from_=MIRA, text="Four")
            text = (await response.content.readuntil(b"}\n\n")).decode()
        assert "Four" in text
        assert "restart" not in text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "since", ["", "x", "x-1", "{epoch}", "{epoch}-", "{epoch}-x", "{epoch}-99", "{epoch}-" + "9" * 50]
)
async def test_an_unknown_position_starts_again(sandbox: Sandbox, since: str) -> None:
    """A position of another sandbox, or one that never was, asks the reader to load everything again."""
    await sandbox.receive(from_=MIRA, text="One")
    async with controlling(sandbox) as control, following(control, since.format(epoch=sandbox.changes.epoch)) as stream:
        event = await anext(stream)
    assert event == FeedEvent("restart", f"{sandbox.changes.epoch}-{sandbox.changes.number}", {})


@pytest.mark.asyncio
async def test_a_reset_starts_again(sandbox: Sandbox) -> None:
    """After a reset, a reader loads everything again, whether it listens or comes back later."""
    async with controlling(sandbox) as control:
        await sandbox.receive(from_=MIRA, text="One")
        position = (await control.data("GET", "/"))["position"]
        async with following(control, position) as stream:
            sandbox.reset()
            restart = await anext(stream)
            await sandbox.receive(from_=THEO, text="Two")
            event = await anext(stream)
        assert restart.name == "restart"
        assert [one["text"] for one in event.data["messages"]] == ["Two"]
        async with following(control, position) as stream:
            assert (await anext(stream)).name == "restart"


@pytest.mark.asyncio
async def test_what_is_not_shown_is_not_sent(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the address book sends nothing, and a silent feed sends a comment now and then."""
    monkeypatch.setattr(feed, "KEEP_ALIVE", 0.02)
    async with controlling(sandbox) as control:
        position = (await control.data("GET", "/"))["position"]
        async with control.session.get("/_sandbox/events", params={"since": position}) as response:
            assert await response.content.readuntil(b"\n\n") == b"retry: 500\n\n"
            sandbox._state.add_contact({}, sandbox._state.users[0])
            assert await response.content.readuntil(b"\n\n") == b": still here\n\n"


def test_a_log_that_is_gone_is_left_out() -> None:
    """A request or a delivery that is no longer kept is not sent."""
    sandbox = Sandbox()
    assert feed.news(sandbox, sandbox._state, {("requests", 1), ("deliveries", 1)}) == {}
    assert feed.touched([]) == set()
    assert Changes().epoch != Changes().epoch
    assert events.SandboxReset() == events.SandboxReset()


async def left(control: Control) -> None:
    """Wait until the one reader that is allowed has left."""
    async with asyncio.timeout(5):
        while True:
            async with control.session.get("/_sandbox/events") as response:
                if response.status == 200:
                    return


@pytest.mark.asyncio
async def test_the_number_of_readers_is_limited(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reader too many gets 503, until another one has left."""
    monkeypatch.setattr(serve, "MAX_READERS", 1)
    monkeypatch.setattr(feed, "KEEP_ALIVE", 0.01)
    async with controlling(sandbox) as control:
        async with following(control, ""):
            assert (await control("GET", "/events")).status == 503
        await left(control)


@pytest.mark.asyncio
async def test_a_reader_that_takes_nothing_is_given_up(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stops reading is disconnected, and holds up nobody."""
    monkeypatch.setattr(serve, "WRITE_SECONDS", 0.05)
    monkeypatch.setattr(serve, "MAX_READERS", 1)
    async with controlling(sandbox) as control:
        chat = (await sandbox.receive(from_=MIRA, text="x")).chat_id
        position = (await control.data("GET", "/"))["position"]
        host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(f"GET /_sandbox/events?since={position} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"retry: 500\n\n")
        for _ in range(8):
            await sandbox.reply(chat, "x" * 2_000_000)
        await left(control)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.asyncio
async def test_closing_ends_the_feed() -> None:
    """A sandbox with readers closes at once."""
    sandbox = Sandbox()
    await sandbox.start()
    async with controlling(sandbox) as control, following(control, "") as stream:
        await anext(stream)
        async with asyncio.timeout(2):
            await sandbox.close()


@pytest.mark.asyncio
async def test_a_sandbox_in_a_thread() -> None:
    """The control calls of a sandbox in a thread work, and its messages can be waited for in the test's loop."""
    with ThreadedSandbox() as sandbox:
        async with controlling(sandbox) as control:
            await control.data("POST", "/receive", {"from": MIRA, "text": "Hi"})
            await control.data("POST", "/subscriptions", {"url": "http://127.0.0.1:9/x", "events": ["chat.created"]})
            waiting = asyncio.create_task(sandbox.wait_for_message(to=MIRA))
            control.session.headers.update(HEADERS)
            await Api(control.session).create_chat()
            assert (await waiting).text == "Hello"
        assert [message.text for message in sandbox.messages_to(MIRA)] == ["Hello"]
        assert len(sandbox.subscriptions) == 1
