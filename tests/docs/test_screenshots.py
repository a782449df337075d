"""The pictures of the page: those of the documents exist, and their script writes them, each time the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.conftest import browser_path

from .blocks import DOCS, ROOT, pages
from .tools import tool

MOST_BYTES = 150_000
IMAGES = DOCS / "images"


def test_pictures_in_the_documents_exist() -> None:
    """Each picture that the README or a page shows is there, and no other one is, and none is large."""
    shown: set[Path] = set()
    for path in (ROOT / "README.md", *pages()):
        found = re.findall(r'(?:!\[[^]]*\]\(|src="|srcset=")([\w./-]+\.png)', path.read_text(encoding="utf-8"))
        shown.update((path.parent / name).resolve() for name in found)
    assert {IMAGES / name for name in ("chats-light.png", "chats-dark.png", "chats-phone.png")} <= shown
    assert shown == set(IMAGES.iterdir())
    assert [path.name for path in IMAGES.iterdir() if path.stat().st_size >= MOST_BYTES] == []


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_two_runs_write_the_same_pictures(tmp_path: Path) -> None:
    """The script writes all pictures of docs/images, and the second run writes the same bytes."""
    screenshots = tool("screenshots")
    runs: list[dict[str, bytes]] = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        await screenshots.main(folder, browser_path())
        runs.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert runs[0] == runs[1]
    assert runs[0].keys() == {path.name for path in IMAGES.iterdir()}
