"""No public name and no option of a command changes without the changelog."""

from __future__ import annotations

import re
from datetime import date

from linq_async import __version__

from .public import ROOT, Entry, in_code, listed, parsed

FIRST = 1127
"""The number of names of the first release: none of them is ever taken from the list."""
HELP = "run `python -m tests.architecture.public`, and name what it adds in CHANGELOG.md"


def _sections(text: str) -> dict[str, str]:
    """Return the text of each version in a changelog, the newest first."""
    parts = re.split(r"^## \[([^]]+)\]", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


SECTIONS = _sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def _unnamed(entries: dict[str, Entry], sections: dict[str, str]) -> list[str]:
    """Return the changes that the section of their version does not name."""
    newest = next(version for version in sections if version != "Unreleased")
    text = {**sections, "Unreleased": sections["Unreleased"] + sections[newest]}
    changes = [(one.name, version) for one in entries.values() for version in (one.added, one.removed) if version]
    return [name for name, version in changes if not _is_named(name, text.get(version, ""))]


def _is_named(name: str, text: str) -> bool:
    """Return whether code in a text has the last word of a name: a method, an option."""
    word = re.split(r"[. ]", name)[-1]
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", code) for code in re.findall(r"`([^`]+)`", text))


def test_the_list_is_what_the_code_has() -> None:
    """The list has every name, and no other that is not marked as removed."""
    kept = {name for name, entry in listed().items() if not entry.removed}
    found = in_code()
    assert (found - kept, kept - found) == (set(), set()), HELP


def test_each_change_is_in_the_changelog() -> None:
    """The changelog names what was added to the first release or removed from it, in the section of the version."""
    assert _unnamed(listed(), SECTIONS) == [], HELP


def test_names_of_the_first_release_stay_in_the_list() -> None:
    """A new name cannot be listed as one of the first release, nor can one of those be dropped from the list."""
    assert len([entry for entry in listed().values() if not entry.added]) == FIRST


def test_the_sections_have_dates_and_the_version() -> None:
    """The first section is Unreleased; the next is that of the package's version, and each has its date."""
    assert [*SECTIONS][:2] == ["Unreleased", __version__]
    dates = [text.partition("\n")[0].removeprefix(" - ") for text in [*SECTIONS.values()][1:]]
    assert dates == sorted(dates, reverse=True)
    assert [date.fromisoformat(one).isoformat() for one in dates] == dates


def test_unnamed_changes_are_found() -> None:
    """A name or an option that was added or removed is found if the section of its version does not name it."""
    lines = [
        "a.Old",
        "a.B.method  0.3.0",
        "a.B.other  0.3.0",
        "tool run --fast  Unreleased",
        "a.C  - 0.3.0",
        "a.D  - 0.4.0",
    ]
    sections = _sections(
        "## [Unreleased]\n## [0.3.0] - 2027-01-01\n- `B.method()` and `tool run --faster`\n- No `C`.\n"
    )
    entries = parsed(lines)
    assert [str(entry) for entry in entries.values()] == lines
    assert _unnamed(entries, sections) == ["a.B.other", "tool run --fast", "a.D"]
