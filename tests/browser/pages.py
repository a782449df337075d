"""What the tests do with a page."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

LINE, MIRA, THEO = "+15175269229", "+12025550123", "+12025550124"
expect.set_options(timeout=10_000)


async def live(page: Page) -> None:
    """Wait until the page follows the changes."""
    await expect(page.get_by_role("status")).to_have_text("live")


async def view(page: Page, name: str) -> None:
    """Go to one of the views."""
    await page.get_by_role("navigation", name="Views").get_by_role("link", name=name).click()


async def open_chat(page: Page, name: str) -> Locator:
    """Open a chat from the list, and return the conversation."""
    await page.get_by_role("list", name="Chats").get_by_role("link", name=name).click()
    return page.get_by_role("log", name="Conversation")
