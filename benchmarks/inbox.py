"""How soon the sandbox's page shows 2,000 chats with 20,000 messages: ``python -m benchmarks.inbox``.

Everything is measured in Chromium, up to the frame that shows it.
"""

from __future__ import annotations

import asyncio
import shutil
from statistics import median

import attrs
from playwright.async_api import Browser, Page, async_playwright

from linq_async.sandbox import Sandbox
from linq_async.sandbox.threaded import ThreadedSandbox

CHATS = 2_000
MESSAGES = 20_000
LIVE_MESSAGES = 20
BURST = 500
# `shown` resolves with the time after the frame in which something is in the document for the first time.
WATCH = """
  window.shown = (root, found) => new Promise((resolve) => {
    const look = () => {
      if (!found()) return false;
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
      observer.disconnect();
      return true;
    };
    const observer = new MutationObserver(look);
    if (!look()) observer.observe(root, { childList: true, subtree: true });
  });
  const rows = () => document.querySelectorAll("#list li").length;
  window.firstRows = window.shown(document, () => rows() > 0);
  window.allRows = window.shown(document, () => rows() === CHATS);
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.longTasks.push(task.duration);
  }).observe({ type: "longtask" });
"""
OPENS = """async () => {
  const started = performance.now();
  document.querySelectorAll("#list a")[5].click();
  return await shown(document.getElementById("bubbles"), () => document.querySelector("#bubbles .bubble")) - started;
}"""
RECEIVES = """async (text) => {
  const started = performance.now();
  const chat = location.hash.split("/")[2];
  const headers = { "Content-Type": "application/json" };
  fetch(`/_sandbox/chats/${chat}/reply`, { method: "POST", headers, body: JSON.stringify({ text }) });
  const last = () => document.querySelector("#bubbles li:last-child .bubble").textContent === text;
  return await shown(document.getElementById("bubbles"), last) - started;
}"""
CATCHES_UP = """async (number) => {
  const last = () => document.querySelector("#list .name").textContent === number;
  await shown(document.getElementById("list"), last);
  return Math.max(0, ...longTasks);
}"""


@attrs.frozen
class Times:
    """Milliseconds."""

    first_rows: float
    """From the request of the page to the frame with the first chats."""
    all_rows: float
    """From the request of the page to the frame with all chats in the list."""
    conversation: float
    """From a click on a chat to the frame with its messages."""
    live: float
    """From the request that stores a message to the frame with its bubble; the median of 20."""
    slowest_live: float
    """The slowest of them."""
    longest_task: float
    """The longest task of the page during 500 messages to 500 chats; 0 if none took 50."""


async def fill(sandbox: Sandbox) -> None:
    """Store chats with messages."""
    for number in range(CHATS):
        first = await sandbox.receive(from_=f"+1303555{number:04}", text=f"Hello from number {number}")
        for turn in range(MESSAGES // CHATS - 1):
            await sandbox.reply(first.chat_id, f"Message {turn} of chat {number}, which says a few words more")


async def measure(browser: Browser) -> Times:
    """Fill a sandbox, and measure its page."""
    with ThreadedSandbox() as sandbox:
        await fill(sandbox)
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        await context.add_init_script(WATCH.replace("CHATS", str(CHATS)))
        page = await context.new_page()
        times = await _of_page(page, sandbox)
        await context.close()
    return times


async def _of_page(page: Page, sandbox: Sandbox) -> Times:
    await page.goto(f"{sandbox.base_url}/")
    first_rows, all_rows = [await page.evaluate(f"window.{name}") for name in ("firstRows", "allRows")]
    conversation = await page.evaluate(OPENS)
    live = [await page.evaluate(RECEIVES, f"Live {number}") for number in range(LIVE_MESSAGES)]
    await page.evaluate("longTasks.length = 0")
    for number in range(BURST):
        await sandbox.receive(from_=f"+1303555{number:04}", text="One of many")
    longest = await page.evaluate(CATCHES_UP, f"+1303555{BURST - 1:04}")
    return Times(first_rows, all_rows, conversation, median(live), max(live), longest)


async def main() -> None:
    """Print what is measured."""
    async with async_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        times = await measure(browser)
        await browser.close()
    print(f"{CHATS:,} chats with {MESSAGES:,} messages, in Chromium, in milliseconds:")
    for field in attrs.fields(Times):
        print(f"{getattr(times, field.name):8.0f}  {field.name.replace('_', ' ')}")


if __name__ == "__main__":
    asyncio.run(main())
