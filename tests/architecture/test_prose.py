"""The language of docstrings, comments, messages and documents.

Some words and turns of phrase mark prose that reads as translated. Each is right now and then, so they are counted.
Prose is every comment, every string of more than one word, and every document except its code blocks.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUDGET = 2.0
"""Marked words in 1,000."""
PARTS = ("linq_async", "tests", "benchmarks", "docs", "README.md", "CHANGELOG.md")
MARKS = re.compile(
    "|".join(
        [
            r"\btell(?:s|ing)?\b|\btold\b",
            r"\bstand(?:s|ing)?\b|\bstood\b",
            r"\bwhere\b",
            r"\b(?:is|are|was|were)\x20no\x20(?!longer|more than|need)\w+",
            r"(?<=[a-z)`]),\x20for\x20(?!example|instance)",
            r"\bmend(?:s|ed|ing)?\b",
            r"\banew\b",
            r"\bwhoever\b|\bthereby\b|\bhence\b|\bas\x20good\x20as\b",
            r"\bat\x20the\x20(?:least|most)\b|\bso\x20many\b",
        ]
    ),
    re.IGNORECASE,
)


def _prose(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        return
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    yield from (token.string for token in tokens if token.type == tokenize.COMMENT)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.value


def _counted(path: Path) -> tuple[int, int]:
    """Return how many words of prose a file has, and how many marks."""
    texts = list(_prose(path))
    return (
        sum(len(re.findall(r"[A-Za-z']+", text)) for text in texts),
        sum(len(MARKS.findall(text)) for text in texts),
    )


def _files(part: str) -> list[Path]:
    path = ROOT / part
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.suffix in {".py", ".md"})


@pytest.mark.parametrize("part", PARTS)
def test_prose_is_plain(part: str) -> None:
    """No part of the repository has more than two marked words in a thousand."""
    words: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    for path in _files(part):
        name = str(path.relative_to(ROOT))
        words[name], marks[name] = _counted(path)
    rate = 1000 * marks.total() / words.total()
    print(f"{part}: {rate:.1f} in 1,000 of {words.total()} words")
    assert rate <= BUDGET, marks.most_common(10)


def test_marks_are_found(tmp_path: Path) -> None:
    """Marks are counted in comments, docstrings and messages, but not in names, code blocks or plain words."""
    source = tmp_path / "sample.py"
    source.write_text(
        '"""Return it anew, for it tells nothing."""\n'
        "where = told = 'where'  # it stands here\n"
        "raise KeyError('no value where one is due')\n",
        encoding="utf-8",
    )
    document = tmp_path / "sample.md"
    document.write_text(
        "There is no such file.\n```\nwhere\n```\nFor example, it is no longer there.", encoding="utf-8"
    )
    assert _counted(source) == (16, 5)
    assert _counted(document) == (12, 1)
