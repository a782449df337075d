"""The page of the sandbox in a real browser: everything shows up while it happens, and everything can be done there."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, Page, Route, expect

from linq_async import LinqClient, Upload
from linq_async.sandbox import Conditions, Sandbox
from linq_async.testing import LinqBot
from linq_async.webhooks import Context, Dispatcher, MemoryInbox, MessageReceived

from .pages import LINE, MIRA, THEO, live, open_chat, view

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_message_shows_up(page: Page, linq: LinqClient) -> None:
    """A message appears as a bubble without a reload, and a later one in the open conversation."""
    await live(page)
    await expect(page.get_by_text("Nothing was sent yet.")).to_be_visible()
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
    talk = await open_chat(page, MIRA)
    await expect(talk.get_by_text("Hello!")).to_be_visible()
    await linq.messages.send(chat.id, text="Are you there?")
    await expect(talk.locator("li.mine")).to_have_count(2)
    await expect(talk.locator("li.mine").last).to_contain_text("Delivered")


async def test_answering_reaches_a_bot(page: Page, linq_bot: LinqBot, linq: LinqClient) -> None:
    """An answer on the page is delivered to a bot, signed, and the bot's reply appears by itself."""
    bot = Dispatcher[None](inbox=MemoryInbox())

    @bot.on(MessageReceived)
    async def echo(message: MessageReceived, context: Context[None]) -> None:
        await context.reply(f"You said: {message.data.text}")

    await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
    async with linq_bot(bot):
        await live(page)
        talk = await open_chat(page, MIRA)
        answer = page.get_by_role("textbox", name="Answer")
        await answer.fill("Hi, <b>who</b> is this?")
        await answer.press("Enter")
        await expect(talk.locator("li.theirs .bubble")).to_have_text("Hi, <b>who</b> is this?")
        await expect(talk.get_by_text("You said: Hi, <b>who</b> is this?")).to_be_visible()
        await expect(answer).to_have_value("")
        await view(page, "Webhooks")
        await expect(page.get_by_role("row", name="message.received")).to_contain_text("200")


async def test_a_conversation_that_loads_slowly(page: Page, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """What is answered, and what arrives, before a conversation has loaded is stored and shown as any other."""
    for person in (THEO, MIRA):
        await linq.chats.create(send_from=LINE, phone_numbers=[person], text="Hello!")
    await live(page)
    await open_chat(page, THEO)
    await expect(page.get_by_placeholder(THEO)).to_be_visible()
    loaded = asyncio.Event()

    async def respond_late(route: Route) -> None:
        response = await route.fetch()
        await loaded.wait()
        await route.fulfill(response=response)

    await page.route("**/messages?limit=100", respond_late)
    async with page.expect_request("**/messages?limit=100"):
        talk = await open_chat(page, MIRA)
    async with page.expect_response("**/reply"):
        await page.get_by_role("textbox", name="Answer").fill("Hi!")
        await page.get_by_role("textbox", name="Answer").press("Enter")
    await linq_sandbox.receive(from_=MIRA, text="Are you there?")
    await expect(page.get_by_role("list", name="Chats").get_by_role("link").first).to_contain_text("Are you there?")
    loaded.set()
    await expect(talk.locator(".bubble")).to_have_text(["Hello!", "Hi!", "Are you there?"])
    assert linq_sandbox.messages[-2].send_from == MIRA


async def test_everything_about_a_message_is_live(page: Page, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """Delivery, reactions, edits, deletions, reading and typing change the bubble while one watches."""
    linq_sandbox.deliver_after = 60
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Helo")
    message = chat.message.id
    talk = await open_chat(page, MIRA)
    bubble = talk.locator("li.mine")
    await expect(bubble).to_contain_text("Sending…")
    linq_sandbox.advance(60)
    await expect(bubble).to_contain_text("Delivered")
    await linq.messages.edit(chat.id, message, "Hello")
    await expect(bubble).to_contain_text("Edited")
    await expect(bubble.get_by_text("Hello")).to_be_visible()
    await bubble.hover()
    await bubble.get_by_role("button", name="React", exact=True).click()
    await bubble.get_by_role("button", name="Love").click()
    await expect(bubble.get_by_role("img", name=f"Love from {MIRA}")).to_be_visible()
    await page.get_by_role("button", name="Read").click()
    await expect(bubble).to_contain_text("Read")
    await page.get_by_role("button", name="Typing").click()
    await expect(talk.get_by_text(f"{MIRA} is typing")).to_be_visible()
    assert linq_sandbox.chats[0].typing_recipients == {MIRA}
    await page.get_by_role("button", name="Typing").click()
    await expect(talk.get_by_text("is typing")).to_be_hidden()
    await linq.chats.start_typing(chat.id)
    await expect(talk.get_by_text(f"{LINE} is typing")).to_be_visible()
    await linq.messages.delete(chat.id, message)
    await expect(bubble).to_contain_text("Deleted")


async def test_a_stranger_writes(page: Page, linq_sandbox: Sandbox) -> None:
    """A message from a number starts a chat, which opens: from the empty page only its text has to be typed."""
    await live(page)
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Write as a recipient").click()
    await expect(dialog.get_by_label("Message")).to_be_focused()
    await page.keyboard.type("Is anybody there?")
    await dialog.get_by_role("button", name="Send").click()
    talk = page.get_by_role("log")
    await expect(talk.get_by_text("Is anybody there?")).to_be_visible()
    await page.get_by_role("button", name="New message").click()
    await dialog.get_by_label("From").fill(THEO)
    await dialog.get_by_label("Message").fill("And here?")
    await dialog.get_by_role("button", name="Send").click()
    await expect(talk.get_by_text("And here?")).to_be_visible()
    await expect(page.get_by_role("button", name="Write as a recipient")).to_be_hidden()
    assert [message.send_from for message in linq_sandbox.messages] == [MIRA, THEO]


async def test_the_list_shows_what_failed(page: Page, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """A chat whose last message ends as paused says so in its row, until a later one is delivered."""
    await live(page)
    linq_sandbox.behave(MIRA, delivery="paused")
    await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
    last = page.get_by_role("list", name="Chats").locator(".last")
    await expect(last).to_have_text("Paused · You: Hello!")
    linq_sandbox.behave(MIRA)
    await expect(last).to_have_text("You: Hello!")


async def test_attempts_of_one_key(page: Page, linq: LinqClient) -> None:
    """Faults of the form give a send three attempts, which the page shows side by side."""
    await live(page)
    await view(page, "Faults")
    await page.get_by_label("Times").fill("2")
    await page.get_by_role("button", name="Add fault").click()
    await expect(page.get_by_role("list", name="Faults to come")).to_contain_text("503 Service Unavailable")
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!", idempotency_key="three")
    assert chat.attempts == 3
    await expect(page.get_by_text("No fault is scripted.")).to_be_visible()
    await page.get_by_role("region", name="Faults").get_by_role("combobox").first.select_option("reset after storing")
    await page.get_by_label("Times").fill("1")
    await page.get_by_role("button", name="Add fault").click()
    await expect(page.get_by_role("list", name="Faults to come")).to_contain_text("reset after storing")
    await linq.messages.send(chat.id, text="Again", idempotency_key="two")
    await view(page, "Requests")
    for key, chips in (("three", ["503", "503", "200"]), ("two", ["lost", "200 replayed"])):
        row = page.get_by_role("row", name=key)
        await expect(row.locator(".chip")).to_have_text(chips)
    await page.get_by_role("row", name="three").get_by_role("link").click()
    detail = page.get_by_role("region", name="Request")
    await expect(detail.get_by_role("list", name="Attempts").locator(".chip")).to_have_text(["503", "503", "200"])
    await expect(detail.get_by_label("Headers")).to_contain_text("X-LINQ-INTEGRATION-TOKEN: ***")
    await view(page, "Chats")
    talk = await open_chat(page, MIRA)
    await expect(talk.get_by_role("link", name="3 attempts").locator(".chip")).to_have_text(["503", "503", "200"])


async def test_conditions_of_all_requests(page: Page, linq_sandbox: Sandbox) -> None:
    """The faults name the conditions that all requests meet, those from the start and those that are set later."""
    faults = page.get_by_role("region", name="Faults")
    linq_sandbox.conditions = Conditions(latency=(0.05, 0.3), fail=0.3, rate_limit=3)
    await page.reload()
    await live(page)
    await view(page, "Faults")
    await expect(faults).to_contain_text("0.05 to 0.3 s later, 30 % fail, at most 3 in a second.")
    async with ClientSession(linq_sandbox.base_url) as session:
        for given, shown in (
            ({"latency": 1, "fail": 0}, "Conditions of all requests: 1 s later, at most 3 in a second."),
            ({"latency": 0, "rate_limit": None}, "Conditions of all requests: none."),
        ):
            async with session.put("/_sandbox/conditions", json=given) as response:
                assert response.status == 200
            await expect(faults).to_contain_text(shown)


async def test_copy_as_curl(page: Page, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """A shell reads the body of a copied command as it was sent, and a body that is not text is left to a file."""
    text = """It's "$HOME", `ls`, \\ and 'done' # \n!"""
    await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text=text)
    image = Upload.from_bytes(b"\x89PNG\r\n\xff", filename="a.png")
    await linq.chats.create(send_from=LINE, phone_numbers=[THEO], text="Look", attachments=[image])
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copied: list[list[str]] = []
    for number in (1, 2):
        await page.goto(f"{linq_sandbox.base_url}/#/requests/{number}")
        await expect(page.get_by_role("region", name="Request", exact=True)).to_contain_text(
            (text[:2], "Look")[number - 1]
        )
        await page.get_by_role("button", name="Copy as cURL").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        command: str = await page.evaluate("navigator.clipboard.readText()")
        assert "\ufffd" not in command
        copied.append(shlex.split(command.replace(" \\\n", " ")))
    option, body = copied[0][-2:]
    assert (option, json.loads(body)["message"]["text"]) == ("--data-raw", text)
    assert copied[1][-2:] == ["--data-binary", "@body"]
    await expect(page.get_by_role("alert")).to_contain_text("Copied without the body")


async def test_a_delivery_again(page: Page, linq_sandbox: Sandbox) -> None:
    """A webhook is subscribed, held, released and delivered again on the page."""
    events: list[Any] = []
    async with receiver(events) as url:
        await live(page)
        await view(page, "Webhooks")
        await page.get_by_label("URL").fill(url)
        await page.get_by_role("button", name="Subscribe").click()
        await expect(page.get_by_role("list", name="Subscriptions")).to_contain_text(url)
        await page.get_by_role("button", name="Hold deliveries").click()
        await expect(page.get_by_role("button", name="Release deliveries")).to_be_visible()
        await linq_sandbox.receive(from_=MIRA, text="Hi")
        assert events == []
        await page.get_by_role("button", name="Release deliveries").click()
        row = page.get_by_role("row", name="message.received")
        await expect(row.locator(".chip")).to_have_text(["200"])
        await row.get_by_role("button", name="Deliver again").click()
        await expect(row.locator(".chip")).to_have_text(["200", "200"])
        times = page.locator("#delivery-rows time")
        await row.get_by_role("link").click()
        attempts = page.get_by_role("list", name="Attempts").get_by_role("listitem")
        await expect(attempts).to_contain_text(["Attempt 1200", "Attempt 2, again200"])
        linq_sandbox.advance(3600)
        await linq_sandbox.receive(from_=THEO, text="Later")
        await expect(times).to_have_count(2)
        await row.last.get_by_role("button", name="Deliver again").click()
        await expect(attempts).to_contain_text(["Attempt 1", "Attempt 2, again", "Attempt 3, again"])
        shown = [await one.get_attribute("datetime") or "" for one in await times.all()]
        assert shown == sorted(shown, reverse=True)
    assert events[0] == events[1]


@asynccontextmanager
async def receiver(events: list[Any]) -> AsyncGenerator[str]:
    """Run a receiver of webhooks that keeps the events."""

    async def take(request: web.Request) -> web.Response:
        events.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def test_pages_of_other_sites(browser: Browser, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """A page of another origin reads nothing, frames nothing and changes nothing, by fetch, form, image or script."""
    await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Only for Mira")
    linq_sandbox.faults.answer(503)
    base = linq_sandbox.base_url
    async with foreign_site() as site:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(site)
        for options in ({}, {"mode": "no-cors"}, {"method": "POST", "body": "{}", "mode": "no-cors"}):
            for path in ("/_sandbox/", "/_sandbox/chats", "/_sandbox/events", "/_sandbox/reset"):
                script = "([url, options]) => fetch(url, options).then((r) => r.text(), () => 'refused')"
                assert await page.evaluate(script, [base + path, options]) in ("refused", "")
        assert await page.evaluate(SENDS_FORM, f"{base}/_sandbox/reset") in (403, 0)
        for tag in ("script", "img", "iframe"):
            await page.evaluate(LOADS, [tag, f"{base}/_sandbox/chats"])
        assert [frame for frame in page.frames if "Only for Mira" in await frame.content()] == []
        await context.close()
    assert (linq_sandbox.faults.pending, len(linq_sandbox.messages)) == (1, 1)


SENDS_FORM = """(action) => new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.name = "target";
  document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, { action, method: "post", enctype: "text/plain", target: "target" });
  document.body.append(form);
  frame.onload = () => resolve(0);
  form.submit();
})"""
LOADS = """([tag, src]) => new Promise((resolve) => {
  const node = document.createElement(tag);
  node.onload = node.onerror = resolve;
  node.src = src;
  document.body.append(node);
})"""


@asynccontextmanager
async def foreign_site() -> AsyncGenerator[str]:
    """Serve an empty page on another port."""

    async def empty(request: web.Request) -> web.Response:
        del request
        return web.Response(text="<!doctype html><title>Elsewhere</title><body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", empty)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
