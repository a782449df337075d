"""Take the pictures of the sandbox's page in docs/images: ``python docs/tools/screenshots.py``.

Two runs on one machine write the same bytes, because the time, the keys and all durations are fixed.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, ViewportSize, async_playwright, expect

from linq_async import LinqClient, RetryPolicy, Upload
from linq_async.sandbox import LoggedRequest, Sandbox

IMAGES = Path(__file__).parents[1] / "images"
LINE = "+15175269229"
MIRA, JONAS, PRIYA, LENA, STRANGER = (f"+1202555010{digit}" for digit in "34567")
TODAY = datetime(2026, 6, 12, tzinfo=UTC)
WIDE = ViewportSize(width=1100, height=740)
PHONE = ViewportSize(width=390, height=760)
PICTURES = (
    ("chats-light", "/chats/8106", "light", WIDE),
    ("chats-dark", "/chats/8106", "dark", WIDE),
    ("chats-phone", "/chats/8106", "light", PHONE),
    ("requests", "/requests/6", "light", WIDE),
)
"""The name of each picture, what it shows, its colours and its size."""
CAKE = """<body style="margin:0"><svg width="280" height="180" viewBox="0 0 280 180" style="display:block">
<rect width="280" height="180" fill="#fbe3d6"/><ellipse cx="140" cy="156" rx="104" ry="12" fill="#ecc4ae"/>
<rect x="54" y="144" width="172" height="14" rx="7" fill="#fff"/>
<rect x="69" y="90" width="142" height="56" rx="8" fill="#9c5a3c"/>
<path fill="#fff6f0" d="M67 94a14 14 0 0 1 14-14h116a14 14 0 0 1 14 14v6c0 16-18 16-18 0 0 24-18 24-18 0
0 14-18 14-18 0 0 20-18 20-18 0 0 14-18 14-18 0 0 24-18 24-18 0 0 16-18 16-18 0 0 14-18 14-18 0z"/>
<g fill="#e0435a"><circle cx="92" cy="76" r="8"/><circle cx="140" cy="76" r="8"/><circle cx="188" cy="76" r="8"/></g>
<path stroke="#5b8def" stroke-width="6" stroke-linecap="round" d="M116 49v30m48-30v30"/>
<path fill="#ffb52e" d="M116 24c7 9 7 18 0 18s-7-9 0-18zm48 0c7 9 7 18 0 18s-7-9 0-18z"/></svg>"""


class Clock:
    """The time of the sandbox, which moves when a request was answered."""

    def __init__(self) -> None:
        self.now = TODAY

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def set(self, hour: int, minute: int, *, days: int = 0) -> None:
        """Set the time of day."""
        self.now = TODAY + timedelta(days=days, hours=hour, minutes=minute)

    def tick(self, entry: LoggedRequest) -> None:
        """Give a request a duration, and let the time pass until the next one."""
        entry.seconds = 0.014 + 0.003 * (entry.number % 5)
        self.now += timedelta(seconds=0.37 * entry.attempt)


async def bakery(sandbox: Sandbox, clock: Clock, cake: bytes) -> None:
    """Let a bakery write to its customers."""
    keys = (f"order-{number}" for number in itertools.count(1042))
    for number, service in ((JONAS, "SMS"), (PRIYA, "RCS")):
        sandbox.behave(number, service=service)
    sandbox.behave(LENA, delivery="paused")
    retry = RetryPolicy(initial_delay=0.02, max_delay=0.02)
    async with LinqClient(sandbox.token, base_url=sandbox.base_url, retry=retry) as linq:

        async def write(name: str, text: str, *people: str) -> int:
            created = await linq.chats.create(
                send_from=LINE, phone_numbers=people, text=text, display_name=name, idempotency_key=next(keys)
            )
            return created.id

        clock.set(16, 20, days=-1)
        await write("Lena Fischer", "Your order could not be baked yesterday.", LENA)
        clock.set(8, 5)
        team = await write("Saturday market", "Who takes the stall at 7?", JONAS, PRIYA, LENA)
        await sandbox.reply(team, "I do, if somebody brings coffee.", from_=PRIYA)
        clock.set(9, 12)
        await write("Jonas Weber", "Your two loaves of rye are ready.", JONAS)
        clock.set(10, 30)
        await sandbox.receive(from_=STRANGER, text="Do you have a cake without nuts?")
        clock.set(11, 47)
        priya = await write("Priya Raman", "Shall we deliver at 3 pm?", PRIYA)
        await sandbox.reply(priya, "Yes, please. The door code is the same.")
        sandbox.faults.answer(503, times=2)
        clock.set(14, 2)
        mira = await write("Mira Okafor", "Hi Mira, your cake is ready.", MIRA)
        clock.set(14, 4)
        sandbox.faults.drop_after_storing()
        file = Upload.from_bytes(cake, filename="cake.png")
        photo = await linq.messages.send(mira, "Here it is!", attachments=[file], idempotency_key=next(keys))
        await sandbox.react(photo.id, "love")
        clock.set(14, 6)
        await sandbox.reply(mira, "It looks wonderful. Can I pick it up at 5?")
        clock.set(14, 7)
        await linq.messages.send(mira, "Of course. Ask for Theo at the counter.", idempotency_key=next(keys))
        await sandbox.read(mira)
        await sandbox.typing(mira)


async def drawn(browser: Browser, html: str) -> bytes:
    """Draw a picture to send."""
    page = await browser.new_page(viewport=ViewportSize(width=280, height=180), device_scale_factor=2)
    await page.set_content(html)
    picture = await page.screenshot()
    await page.close()
    return picture


async def take(browser: Browser, base_url: str, name: str, path: str, theme: str, size: ViewportSize) -> bytes:
    """Open the page, and take a picture of it."""
    context = await browser.new_context(
        viewport=size,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        device_scale_factor=1.25 if size is WIDE else 2,
        locale="en-US",
        timezone_id="UTC",
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(TODAY + timedelta(hours=14, minutes=8))
    await page.goto(f"{base_url}/#{path}")
    await expect(page.get_by_role("status")).to_have_text("live")
    await expect(page.get_by_role("log" if "chats" in name else "region").last).to_be_visible()
    for image in await page.locator("img").all():
        await image.evaluate("(image) => image.decode()")
    picture = await page.screenshot(animations="disabled", caret="hide")
    await context.close()
    return picture


async def main(folder: Path, browser_path: str) -> None:
    """Write all pictures into a folder."""
    clock = Clock()
    sandbox = Sandbox(clock=clock, on_request=clock.tick)
    async with async_playwright() as playwright, sandbox:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        await bakery(sandbox, clock, await drawn(browser, CAKE))
        for name, path, theme, size in PICTURES:
            picture = await take(browser, sandbox.base_url, name, path, theme, size)
            (folder / f"{name}.png").write_bytes(picture)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(IMAGES, shutil.which("chromium") or "google-chrome"))
