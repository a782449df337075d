"""The code blocks of the README and the documents, and how each kind is checked."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(r"\n+```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INCLUDED = re.compile(r"--8<-- \"([\w/.]+)\"\n")


@attrs.frozen
class Block:
    """A code block of a page."""

    page: str
    number: int
    """Its number among the blocks of the page, from 1."""
    language: str
    code: str = attrs.field(repr=False)
    output: str | None = attrs.field(repr=False)
    """The text block that follows immediately: what the code prints."""

    @property
    def name(self) -> str:
        """How tests call it."""
        return f"{self.page}:{self.number}"

    @property
    def included(self) -> str | None:
        """The path of the file that the block shows, or None if it has code of its own."""
        match = _INCLUDED.fullmatch(self.code)
        return match[1] if match else None

    @property
    def kind(self) -> str:
        """What is done with a block of Python: it is a script, tests, or a part of a program."""
        if self.language != "python":
            return self.language
        if self.included is not None:
            return "file"
        if "asyncio.run(main())" in self.code:
            return "script"
        return "tests" if re.search(r"^(async )?def test_", self.code, re.MULTILINE) else "part"


def _blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    blocks: list[Block] = []
    end = -1  # of the last output
    for match in _BLOCK.finditer(text):
        if match.start() < end:
            continue
        output = _OUTPUT.match(text, match.end()) if match[1] in {"python", "console"} else None
        end = output.end() if output else match.end()
        blocks.append(Block(path.name, len(blocks) + 1, match[1], match[2], output[1] if output else None))
    return blocks


def pages() -> list[Path]:
    """Return the sources of the site."""
    return sorted(DOCS.rglob("*.md"))


BLOCKS = [block for path in (README, *pages()) for block in _blocks(path)]


def of_kind(*kinds: str) -> list[Block]:
    """Return the blocks of these kinds."""
    return [block for block in BLOCKS if block.kind in kinds]
