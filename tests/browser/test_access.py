"""Everything can be done by keyboard, and axe finds no serious barrier in any view and either theme."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from playwright.async_api import Locator, Page, expect

from linq_async import LinqClient
from linq_async.sandbox import Sandbox

from .conftest import OpenPage
from .pages import LINE, MIRA, THEO, live

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e366"
    "0000000049454e44ae426082"
)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def barriers(page: Page) -> list[str]:
    """Return what axe finds that is serious, as rules and elements, in both themes."""
    axe: Any = Axe()
    found: list[str] = []
    for theme in THEMES:
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        results = await axe.run(page)
        for one in results.response["violations"]:
            if one["impact"] in ("serious", "critical"):
                found += [f"{theme}: {one['id']}: {node['html']}" for node in one["nodes"]]
    return found


async def test_no_view_has_a_serious_barrier(open_page: OpenPage, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """Axe finds nothing serious in the empty page, a conversation, a group, the tables, a detail, and the dialogs."""
    async with open_page() as page:
        await page.goto(f"{linq_sandbox.base_url}/")
        await live(page)
        assert await barriers(page) == []
        await fill(linq, linq_sandbox)
        await expect(page.get_by_role("list", name="Chats").get_by_role("listitem")).to_have_count(3)
        first, second = (chat.id for chat in linq_sandbox.chats[:2])
        for path, visible in (
            (f"chats/{first}", page.get_by_role("log")),
            (f"chats/{second}", page.get_by_label("Answer as")),
            ("requests/1", page.get_by_role("region", name="Request", exact=True)),
            ("webhooks/1", page.get_by_role("region", name="Delivery", exact=True)),
            ("faults", page.get_by_role("list", name="Faults to come")),
        ):
            await page.goto(f"{linq_sandbox.base_url}/#/{path}")
            await expect(visible).to_be_visible()
            for summary in await page.locator("details:not([open]) summary:visible").all():
                await summary.click()
            for button in (await page.get_by_role("button", name="React", exact=True).all())[:1]:
                await button.click()
            assert await barriers(page) == [], path
        await page.goto(f"{linq_sandbox.base_url}/#/chats")
        await page.get_by_role("button", name="New message").click()
        assert await barriers(page) == []


async def fill(linq: LinqClient, sandbox: Sandbox) -> None:
    """Send and receive something of everything."""
    sandbox.behave(THEO, service="SMS", delivery="paused")
    await sandbox.subscribe("http://127.0.0.1:9/hook")
    sandbox.faults.answer(503)
    chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!", idempotency_key="one")
    group = await linq.chats.create(send_from=LINE, phone_numbers=[THEO, MIRA], text="Lunch?")
    sandbox.faults.drop_after_storing()
    sent = await linq.messages.send(chat.id, "Again", idempotency_key="two")
    await sandbox.react(sent.id, "love")
    await linq.messages.edit(chat.id, chat.message.id, "Hello, Mira!")
    await sandbox.reply(chat.id, "Here", [("a.png", PNG), ("notes.txt", b"1"), "https://elsewhere.example/a.png"])
    gone = await linq.messages.send(chat.id, "Oops")
    await linq.messages.delete(chat.id, gone.id)
    await sandbox.reply(group.id, "Yes", from_=THEO)
    await sandbox.typing(chat.id)
    await sandbox.receive(from_="+12025550125", text="Is anybody there?")
    sandbox.faults.answer(503, phone_number=MIRA)


async def press(page: Page, *keys: str) -> None:
    """Press keys, one after the other."""
    for key in keys:
        await page.keyboard.press(key)


async def reach(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press a key until an element has the focus, as often as one would."""
    for _ in range(25):
        if await target.evaluate("(node) => node === document.activeElement"):
            return
        await page.keyboard.press(key)
    await expect(target).to_be_focused()


async def test_everything_by_keyboard(page: Page, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """One can search, open, answer, react, go from view to view, script a fault and write as a stranger."""
    page.set_default_timeout(3_000)
    for person, text in ((MIRA, "Hello!"), (THEO, "Good morning!")):
        await linq.chats.create(send_from=LINE, phone_numbers=[person], text=text)
    await live(page)
    await press(page, "Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused()
    await press(page, "/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("Good")
    chats = page.get_by_role("list", name="Chats").get_by_role("link")
    await expect(chats).to_have_count(1)
    await press(page, "Escape")
    await expect(chats).to_have_count(2)
    await press(page, "Escape", "j", "j", "k", "Enter")
    talk = page.get_by_role("log")
    await expect(talk.get_by_text("Good morning!")).to_be_visible()
    await press(page, "r")
    await page.keyboard.type("Good evening!")
    await press(page, "Enter")
    await expect(talk.locator("li.theirs")).to_contain_text("Good evening!")
    await reach(page, talk.locator("li.theirs").get_by_role("button", name="React", exact=True), "Shift+Tab")
    await press(page, "Enter", "Tab")
    await expect(talk.get_by_role("button", name="Love")).to_be_focused()
    await press(page, "Enter")
    await expect(talk.get_by_role("img", name=f"Love from {THEO}")).to_be_visible()
    await reach(page, page.get_by_role("link", name="Requests"), "Shift+Tab")
    await press(page, "Enter")
    await expect(page.get_by_role("region", name="Requests")).to_be_visible()
    await press(page, "j", "j", "Enter")
    detail = page.get_by_role("region", name="Request", exact=True)
    await expect(detail).to_contain_text("Hello!")
    await press(page, "Escape")
    await expect(detail).to_be_hidden()
    await reach(page, page.get_by_role("link", name="Faults"), "Shift+Tab")
    await press(page, "Enter")
    await reach(page, page.get_by_role("combobox", name="Fault", exact=True))
    await press(page, "ArrowDown", "Tab")
    await page.keyboard.type("2")
    await press(page, "Enter")
    await expect(page.get_by_role("list", name="Faults to come")).to_contain_text("500 Internal")
    await reach(page, page.get_by_role("link", name="Chats"), "Shift+Tab")
    await press(page, "Enter")
    await reach(page, page.get_by_role("button", name="New message"))
    await press(page, "Enter")
    await page.keyboard.type("Hi")
    await press(page, "Shift+Tab", "Shift+Tab")
    await page.keyboard.type("+12025550126")
    await press(page, "Tab", "Tab", "Tab", "Tab", "Enter")
    await expect(page.get_by_role("heading", name="+12025550126")).to_be_visible()
