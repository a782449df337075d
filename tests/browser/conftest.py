"""A real browser, and a page of it for each test. What it complains about, and requests to others, fail the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright

from linq_async.sandbox import Sandbox

if not (Path(__file__).parents[2] / "benchmarks" / "__main__.py").exists():
    collect_ignore = ["test_load.py"]  # an installed wheel is tested without the benchmarks

TIMEOUT = 10_000.0
"""Milliseconds that an action or an expectation may take on a busy machine."""
OpenPage: TypeAlias = Callable[..., AbstractAsyncContextManager[Page]]


def browser_path() -> str:
    """Find Debian's Chromium, or Chrome. Without them a test is skipped, except in continuous integration."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no chromium: apt-get install chromium")
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run a browser for all tests. To it, `rebound.example` is a name of this machine."""
    rules = "--host-resolver-rules=MAP rebound.example 127.0.0.1"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox", rules])
        yield running
        await running.close()


@pytest.fixture
def open_page(browser: Browser) -> OpenPage:
    """Return a function that opens a page in a context of its own, with the options of `Browser.new_context`."""

    @asynccontextmanager
    async def opened(**options: object) -> AsyncGenerator[Page]:
        complaints: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        def fail(error: Error) -> None:
            complaints.append(str(error))

        def follow(request: Request) -> None:
            if urlsplit(request.url).hostname not in (None, "127.0.0.1", "rebound.example"):
                complaints.append(f"requested {request.url}")

        context = await browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(TIMEOUT)
        context.on("request", follow)
        page = await context.new_page()
        page.on("console", note)
        page.on("pageerror", fail)
        try:
            yield page
        finally:
            await context.close()
        assert complaints == []

    return opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage, linq_sandbox: Sandbox) -> AsyncIterator[Page]:
    """Open the page of the sandbox. It closes before the sandbox, whose end it would complain about."""
    async with open_page() as opened:
        await opened.goto(f"{linq_sandbox.base_url}/")
        yield opened
