"""Whatever strangers and programs send is shown as text. It runs nothing, loads nothing and changes no title."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Error, Page, Route, expect

from linq_async import LinqClient, Upload
from linq_async.sandbox import Sandbox
from linq_async.sandbox.pages import page_files

from .conftest import OpenPage
from .pages import LINE, MIRA, live, open_chat, view

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
HOSTILE = """<img src=x onerror="document.title = 'owned'"><script>document.title = "owned"</script>"""
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" onload="document.title = 'owned'"><script>alert(1)</script></svg>"""
HTML = b"<!doctype html><title>owned</title><script>opener.document.title = document.title = 'owned'</script>"
TITLE = "Linq sandbox"
APPENDS = "node.append(...children.flat(2)"
INSERTS = """for (const child of children.flat(2)) {
		if (typeof child === "string") node.innerHTML += child;
	}
	node.append(...children.flat(2).filter((child) => typeof child !== "string")"""


async def fill(linq: LinqClient, sandbox: Sandbox) -> None:
    """Send and receive what is hostile, in every place that the page shows."""
    attached = [Upload.from_bytes(b"1", filename="<img src=x onerror=alert(1)>.png", content_type="image/png")]
    sent = await linq.chats.create(
        send_from=LINE, phone_numbers=[MIRA], text=HOSTILE, display_name=HOSTILE, attachments=attached
    )
    files: list[tuple[str, bytes] | str] = [(f"{HOSTILE}.txt", b"1"), ("a.svg", SVG), ("a.html", HTML)]
    await sandbox.subscribe("http://127.0.0.1:9/?<script>alert(1)</script>")
    await sandbox.reply(sent.id, HOSTILE, [*files, "https://elsewhere.example/<img>.png"])
    async with ClientSession(sandbox.base_url, headers={"X-LINQ-INTEGRATION-TOKEN": sandbox.token}) as session:
        message = {"text": HOSTILE, "idempotency_key": HOSTILE}
        path = f"/api/partner/v2/chats/{sent.id}/chat_messages"
        async with session.post(path, json={"message": message}, headers={"X-Hostile": HOSTILE}) as response:
            assert response.status == 422


async def check(page: Page, sandbox: Sandbox, milliseconds: float = 10_000) -> None:
    """Look at everything, and fail if anything is not shown as text."""
    await page.goto(f"{sandbox.base_url}/")
    await expect(page.get_by_role("status")).to_have_text("live", timeout=milliseconds)
    talk = await open_chat(page, HOSTILE)
    await expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    await expect(talk.locator("p", has_text=HOSTILE)).to_have_count(2)
    await expect(talk.get_by_text(f"{HOSTILE}.txt")).to_be_visible()
    await expect(talk.get_by_role("link", name="a.svg")).to_have_attribute("download", "a.svg")
    await view(page, "Requests")
    await page.get_by_role("row", name=HOSTILE).get_by_role("link").click()
    await expect(page.get_by_role("region", name="Request").get_by_text(HOSTILE).first).to_be_visible()
    await view(page, "Webhooks")
    await expect(page.get_by_role("list", name="Subscriptions")).to_contain_text("<script>alert(1)</script>")
    await page.get_by_role("row", name="message.received").get_by_role("link").click()
    await expect(page.get_by_label("Body", exact=True)).to_contain_text("onerror")
    assert await page.locator("img[src=x], script:not([src]), [onerror], [onload]").count() == 0
    assert await page.title() == TITLE


async def test_hostile_content_is_shown_as_text(page: Page, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """Names, texts, keys, headers, file names and URLs are text, whether they come before or while one looks."""
    await live(page)
    await fill(linq, linq_sandbox)
    await open_chat(page, HOSTILE)
    await check(page, linq_sandbox)


@pytest.mark.parametrize("without_policy", [False, True], ids=["with the policy", "without the policy"])
async def test_the_check_would_notice(
    open_page: OpenPage, linq: LinqClient, linq_sandbox: Sandbox, without_policy: bool
) -> None:
    """If texts were inserted as HTML, the check would fail, whether or not the browser's policy prevents the worst."""
    source = page_files()["dom.js"].decode()
    assert source.count(APPENDS) == 1
    await fill(linq, linq_sandbox)

    async def replace(route: Route) -> None:
        await route.fulfill(body=source.replace(APPENDS, INSERTS), content_type="text/javascript")

    titles: list[str] = []

    async def check_changed_page() -> None:
        async with open_page(bypass_csp=without_policy) as page:
            page.set_default_timeout(1_000)
            await page.route("**/dom.js", replace)
            try:
                await check(page, linq_sandbox, 1_000)
            finally:
                titles.append(await page.title())

    with pytest.raises((AssertionError, Error)):
        await check_changed_page()
    assert titles == ["owned" if without_policy else TITLE]


@pytest.mark.parametrize("name", ["a.svg", "a.html"])
async def test_documents_are_downloaded(page: Page, linq: LinqClient, linq_sandbox: Sandbox, name: str) -> None:
    """An SVG or HTML file is saved when one clicks it, and never opened as a page of the sandbox."""
    await fill(linq, linq_sandbox)
    talk = await open_chat(page, HOSTILE)
    async with page.expect_download() as started:
        await talk.get_by_role("link", name=name).click()
    assert (await started.value).suggested_filename == name
    assert len(page.context.pages) == 1
    assert await page.title() == TITLE


async def test_a_rebound_name(browser: Browser, linq: LinqClient, linq_sandbox: Sandbox) -> None:
    """A page whose name points to this machine reads and changes nothing, though it has the sandbox's origin."""
    await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Only for Mira")
    base = linq_sandbox.base_url.replace("127.0.0.1", "rebound.example")
    script = """async ([path, method]) => {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch(path, { method, headers, body: method === "POST" ? "{}" : undefined });
      return [response.status, await response.text()];
    }"""
    context = await browser.new_context()
    page = await context.new_page()
    response = await page.goto(f"{base}/")
    assert response is not None
    assert response.status == 421
    for path, method in (("/chats", "GET"), ("/requests", "GET"), ("/events", "GET"), ("/reset", "POST")):
        status, text = await page.evaluate(script, [f"/_sandbox{path}", method])
        assert (status, "Mira" in text) == (421, False)
    await context.close()
    assert len(linq_sandbox.messages) == 1
