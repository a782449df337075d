"""The site builds without a warning, has every page in its navigation, and loads nothing from elsewhere."""

from __future__ import annotations

import functools
import html
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Request

from tests.browser.conftest import OpenPage, browser, open_page

from .blocks import DOCS, ROOT, pages
from .tools import tool

__all__ = ["browser", "open_page"]  # fixtures


LLMS = tool("llms")


def _listed(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values():
                yield from _listed(inner)


def test_every_page_is_in_the_navigation_once() -> None:
    """The navigation names each page once, and nothing else."""
    assert sorted(_listed(LLMS.navigation())) == sorted(str(path.relative_to(DOCS)) for path in pages())


def test_llms_txt_is_current() -> None:
    """docs/llms.txt is what docs/tools/llms.py writes, and each page has a first sentence."""
    assert (DOCS / "llms.txt").read_text(encoding="utf-8") == LLMS.text()
    assert [path.name for path in pages() if not LLMS.summary(path.read_text(encoding="utf-8"))[1]] == []


class _Quiet(SimpleHTTPRequestHandler):
    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Build the site in strict mode from a copy, and serve it: its URL and its folder."""
    if importlib.util.find_spec("zensical") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)('zensical is missing: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "linq_async"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder / "site")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder / "site"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_no_page_loads_anything_from_elsewhere(site: tuple[str, Path], open_page: OpenPage) -> None:
    """In a browser, each page requests only files of the site, all of which exist, and logs no error."""
    url, folder = site
    built = sorted(folder.rglob("*.html"))
    assert len(built) > len(pages())
    requested: set[str] = set()

    def note(request: Request) -> None:
        requested.add(request.url)

    async with open_page() as page:
        page.on("request", note)
        for path in built:
            await page.goto(url + str(path.relative_to(folder)))
            await page.emulate_media(color_scheme="dark")
    assert {urlsplit(one).netloc for one in requested if not one.startswith("data:")} == {urlsplit(url).netloc}


MODULES = ("linq_async", "linq_async.webhooks", "linq_async.bulk", "linq_async.sandbox")


def test_the_reference_has_every_public_name() -> None:
    """The reference has each public name of the modules that list theirs, once, and all others exist, too."""
    texts = [path.read_text(encoding="utf-8") for path in pages() if path.parent.name == "reference"]
    shown = [name for text in texts for name in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)]
    assert len(shown) == len(set(shown))
    public = {f"{name}.{one}" for name in MODULES for one in importlib.import_module(name).__all__}
    assert public - set(shown) == {"linq_async.__version__", "linq_async.webhooks.WebhookVerificationError"}
    for name in shown:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.slow
def test_constructors_are_shown_whole(site: tuple[str, Path]) -> None:
    """The reference shows the constructor of an attrs class with inherited, keyword-only and default parameters."""
    page = (site[1] / "reference/messages/index.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    signature = re.search(r"^NewChat\((.+?)^\)", text, re.MULTILINE | re.DOTALL)
    assert signature is not None
    assert [line.strip(" ,") for line in signature[1].split("\n") if line.strip()] == [
        "*",
        "text: str",
        "attachments: Sequence[Attachable] = ()",
        "attachment_urls: Sequence[str] = ()",
        "idempotency_key: str | None = None",
        "send_from: str",
        "phone_numbers: Sequence[str]",
        "display_name: str | None = None",
    ]
