"""The page on a phone: the list or one conversation, nothing wider than the screen."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from linq_async import LinqClient
from linq_async.sandbox import Sandbox

from .conftest import OpenPage
from .pages import LINE, MIRA, THEO, live, view

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def fits(page: Page) -> bool:
    """Return whether the page is as wide as the screen, and no part of the content is cut at its right edge."""
    found: bool = await page.evaluate(
        """() => {
          const cut = [...document.querySelectorAll("main *, header *")].filter((node) => {
            const box = node.getBoundingClientRect();
            const wide = node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX !== "hidden";
            return node.clientWidth && (box.right > 390.5 || wide) && !node.closest("pre");
          });
          return document.documentElement.scrollWidth === 390 && cut.length === 0;
        }"""
    )
    return found


async def test_a_phone_shows_the_list_or_one_conversation(
    open_page: OpenPage, linq: LinqClient, linq_sandbox: Sandbox
) -> None:
    """At 390 pixels nothing is cut off, and there is a way back from each conversation, request and delivery."""
    long_one = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="A long message. " * 30)
    await linq_sandbox.receive(from_=THEO, text="https://example.com/" + "long" * 60)
    await linq_sandbox.subscribe("http://127.0.0.1:9/" + "hooks/" * 20)
    linq_sandbox.faults.answer(503, times=3)
    await linq.messages.send(long_one.id, "Again " * 20, idempotency_key="k" * 60)
    linq_sandbox.faults.answer(503, phone_number=MIRA)
    await linq_sandbox.reply(long_one.id, "Yes", [("a-file-with-a-name-that-does-not-end" * 3 + ".pdf", b"1")])
    async with open_page(**PHONE) as page:
        await page.goto(f"{linq_sandbox.base_url}/")
        await live(page)
        chats, talk = page.get_by_role("list", name="Chats"), page.get_by_role("log")
        assert await fits(page)
        for person in (MIRA, THEO):
            await chats.get_by_role("link", name=person).tap()
            await expect(talk).to_be_visible()
            await expect(chats).to_be_hidden()
            assert await fits(page)
            await page.get_by_role("link", name="Back to the chats").tap()
            await expect(talk).to_be_hidden()
        for name in ("Requests", "Webhooks"):
            await view(page, name)
            assert await fits(page)
            await page.get_by_role("region", name=name).locator("tbody a").first.tap()
            back = page.get_by_role("link", name=f"Back to the {name.lower()}")
            await expect(back).to_be_visible()
            assert await fits(page)
            await back.tap()
            await expect(page.get_by_role("heading", name=name if name == "Requests" else "Deliveries")).to_be_visible()
        await view(page, "Faults")
        await page.get_by_text("Numbers of fixed behaviour").tap()
        assert await fits(page)


async def test_four_attempts_beside_the_table(open_page: OpenPage, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """On a small laptop the attempts wrap: none is cut off, however many there are."""
    linq_sandbox.faults.answer(503, times=2)
    linq_sandbox.faults.drop_after_storing()
    await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
    async with open_page(viewport={"width": 1200, "height": 700}) as page:
        await page.goto(f"{linq_sandbox.base_url}/#/requests/1")
        attempts = page.get_by_role("list", name="Attempts")
        await expect(attempts.get_by_role("link")).to_have_count(4)
        assert await attempts.evaluate("(node) => node.scrollWidth <= node.clientWidth")
