"""Write docs/llms.txt, the list of the pages for language models: ``python docs/tools/llms.py``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[1]


def navigation() -> list[Any]:
    """Return the ``nav`` of mkdocs.yml."""
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    nav: list[Any] = yaml.safe_load(text)["nav"]
    return nav


def summary(text: str) -> tuple[str, str]:
    """Return the title of a page and the first sentence below it, without links."""
    title, _, rest = text.removeprefix("# ").partition("\n")
    paragraph = next((part for part in rest.split("\n\n") if re.match(r"\n*[\w`*]", part)), "")
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(paragraph.replace("**", "").split()))
    return title, re.split(r"(?<=\.)\s", plain)[0]


def _lines(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if entry == "index.md":
            continue  # its first sentence is at the top
        if isinstance(entry, str):
            title, sentence = summary((DOCS / entry).read_text(encoding="utf-8"))
            yield f"- [{title}](./{entry.removesuffix('.md')}/): {sentence}"
        else:
            for heading, inner in entry.items():
                yield f"\n## {heading}\n"
                yield from _lines(inner)


def text() -> str:
    """Return the whole file."""
    title, sentence = summary((DOCS / "index.md").read_text(encoding="utf-8"))
    return "\n".join([f"# {title}\n", f"> {sentence}", *_lines(navigation())]) + "\n"


if __name__ == "__main__":
    (DOCS / "llms.txt").write_text(text(), encoding="utf-8")
