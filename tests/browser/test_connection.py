"""Pages that lose their connection, miss something, or are hidden: nothing is lost, and nothing shows twice."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, Page, expect

from linq_async.sandbox import Sandbox
from linq_async.sandbox.threaded import ThreadedSandbox

from .pages import MIRA, THEO, live, open_chat, view

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
TABS = 12
HIDES = """
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  window.hide = (value) => {
    hidden = value;
    document.dispatchEvent(new Event("visibilitychange"));
  };
"""


def free_port() -> int:
    """Return a port that a server can be started on twice."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def shows(page: Page, *texts: str) -> None:
    """Wait until a conversation has exactly these messages."""
    await expect(page.get_by_role("log").locator(".bubble")).to_have_text(list(texts))


@pytest.mark.parametrize("same", [True, False], ids=["with what it stored", "empty"])
async def test_a_restart(browser: Browser, same: bool) -> None:
    """After a restart the page goes on by itself: each message once, or none of those that are gone."""
    port = free_port()
    sandbox = ThreadedSandbox(port=port)
    context = await browser.new_context()
    page = await context.new_page()
    with sandbox:
        await sandbox.receive(from_=MIRA, text="Before")
        await page.goto(f"{sandbox.base_url}/")
        await live(page)
        talk = await open_chat(page, MIRA)
        await expect(talk).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("reconnecting")
    again = sandbox if same else ThreadedSandbox(port=port)
    with again:
        await again.receive(from_=MIRA, text="After")
        await live(page)
        await again.receive(from_=MIRA, text="Later")
        await shows(page, *["Before"][: int(same)], "After", "Later")
        await expect(page.get_by_role("list", name="Chats").get_by_role("listitem")).to_have_count(1)
        await context.close()


async def test_a_sandbox_that_is_gone(browser: Browser) -> None:
    """What one tries then says that the sandbox cannot be reached, until one looks at something else."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.clock.install()
    with ThreadedSandbox() as sandbox:
        await page.goto(f"{sandbox.base_url}/#/faults")
        await live(page)
    toast = page.get_by_role("alert")
    await page.get_by_role("button", name="Add fault").click()
    await expect(toast).to_have_text("The sandbox cannot be reached.")
    await view(page, "Chats")
    await expect(toast).to_be_hidden()
    await view(page, "Faults")
    await page.get_by_role("button", name="Add fault").click()
    await expect(toast).to_be_visible()
    await page.clock.run_for(5_000)
    await expect(toast).to_be_hidden()
    await context.close()


async def test_a_reset(page: Page, linq_sandbox: Sandbox) -> None:
    """A reset in the middle of changes empties the page, and what comes after it shows once."""
    await live(page)
    for number in range(20):
        await linq_sandbox.receive(from_=MIRA, text=f"Old {number}")
    await open_chat(page, MIRA)
    linq_sandbox.faults.answer(503)
    await linq_sandbox.receive(from_=MIRA, text="The last old one")
    linq_sandbox.reset()
    new = [f"New {number}" for number in range(20)]
    for text in new:
        await linq_sandbox.receive(from_=MIRA, text=text)
    await shows(page, *new)
    await expect(page.get_by_role("link", name="Chats", exact=False).first).to_have_text("Chats 1")
    await expect(page.get_by_role("link", name="Faults")).to_have_text("Faults")


async def test_many_tabs(browser: Browser, linq_sandbox: Sandbox) -> None:
    """Of twelve tabs, eleven are hidden and hold no connection. One that is shown again has missed nothing."""
    first = await linq_sandbox.receive(from_=MIRA, text="One")
    async with AsyncExitStack() as stack:
        context = await browser.new_context()
        stack.push_async_callback(context.close)
        await context.add_init_script(HIDES)
        tabs: list[Page] = []
        for _ in range(TABS):  # more than the six connections that a browser has to one host
            tab = await context.new_page()
            await tab.goto(f"{linq_sandbox.base_url}/#/chats/{first.chat_id}")
            await live(tab)
            tabs.append(tab)
            await tab.evaluate("hide(true)")
        await linq_sandbox.reply(first.chat_id, "Two")
        await linq_sandbox.receive(from_=THEO, text="Hello")
        await tabs[-1].evaluate("hide(false)")
        await live(tabs[-1])
        await shows(tabs[-1], "One", "Two")
        await shows(tabs[0], "One")
        await tabs[0].evaluate("hide(false)")
        await live(tabs[0])
        await linq_sandbox.reply(first.chat_id, "Three")
        for tab in (tabs[0], tabs[-1]):
            await shows(tab, "One", "Two", "Three")
            await expect(tab.get_by_role("list", name="Chats").get_by_role("listitem")).to_have_count(2)


async def test_the_token_opens_the_page_by_another_name(browser: Browser) -> None:
    """By a name that may be of another machine, the page asks for the token, again if it is wrong, and keeps it."""
    with ThreadedSandbox(allow_hosts=["rebound.example"], token="a-token-of-this-test") as sandbox:
        await sandbox.receive(from_=MIRA, text="Hello")
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(sandbox.base_url.replace("127.0.0.1", "rebound.example"))
        dialog = page.get_by_role("dialog", name="The token of the sandbox")
        for token in ("wrong", sandbox.token):
            await expect(page.get_by_role("status")).to_have_text("connecting")
            await dialog.get_by_label("Token").fill(token)
            await dialog.get_by_role("button", name="Continue").click()
        await live(page)
        await page.reload()
        await live(page)
        await expect(page.get_by_role("list", name="Chats").get_by_role("listitem")).to_have_count(1)
        assert sandbox.token not in page.url + await page.content()
        await context.close()
