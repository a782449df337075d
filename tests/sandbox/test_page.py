"""The files of the page: small, complete, and without an outside address."""

from __future__ import annotations

import re

import aiohttp
import pytest
from yarl import URL

from linq_async.sandbox import Sandbox
from linq_async.sandbox.pages import page_files
from linq_async.sandbox.threaded import ThreadedSandbox

MOST_BYTES = 60_000
UNSAFE = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|\bstyle=|\bon\w+=\"")
NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.mark.asyncio
async def test_browsers_get_the_page(sandbox: Sandbox) -> None:
    """A browser gets the page, with all its files, and with headers that let it run nothing else."""
    async with aiohttp.ClientSession(sandbox.base_url) as session:
        async with session.get("/", headers={"Accept": "text/html,*/*;q=0.8"}) as response:
            page = await response.text()
            headers = response.headers
        found = re.findall(r'(?:href|src)="(/[^"]+)"', page)
        assert "/_sandbox/page/app.js" in found
        for path in found:
            async with session.get(path) as file:
                assert (file.status, file.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert (response.status, response.content_type) == (200, "text/html")
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert headers["Cross-Origin-Resource-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["nothing.js", "..%2Fserver.py", "%2e%2e%2fserver.py", "index.html%00", "__init__.py"])
async def test_only_files_of_the_page_are_served(sandbox: Sandbox, name: str) -> None:
    """No other file can be read by any name."""
    url = URL(f"{sandbox.base_url}/_sandbox/page/{name}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 404


def test_the_page_is_small() -> None:
    """All files together are under 60 KB."""
    sizes = {name: len(content) for name, content in page_files().items()}
    print(sizes, sum(sizes.values()))
    assert sum(sizes.values()) < MOST_BYTES


def test_the_page_is_complete_and_names_no_outside_address() -> None:
    """Every module and file that is named exists, and no file names another server."""
    files = {name: content.decode() for name, content in page_files().items()}
    assert {"index.html", "style.css", "icon.svg", "app.js"} <= files.keys()
    for name, text in files.items():
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", text))
        assert addresses - {NAMESPACE} - {"http://127.0.0.1:8000/webhooks"} == set(), name
        assert set(re.findall(r'from "\./([\w.]+)"', text)) <= files.keys(), name
        assert not UNSAFE.search(text), name


def test_the_page_costs_a_fixture_nothing() -> None:
    """Its files are read when they are requested first, not when a sandbox starts."""
    page_files.cache_clear()
    with ThreadedSandbox():
        pass
    assert page_files.cache_info().currsize == 0
