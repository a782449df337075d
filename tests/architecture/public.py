"""The public names and the options of the command line, as the code has them and as ``public.txt`` lists them.

``python -m tests.architecture.public`` brings the list up to date; what has changed is Unreleased there.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import typer.main

from linq_async.cli.app import app

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("public.txt")
HEAD = """\
# Every public name and every option of a command. Those of the first release have no version; behind the others is the
# version that added them. "- 0.3.0" is the one that removed a name. The changelog of a version names what it changed.
"""


@attrs.frozen
class Entry:
    """A line of the list."""

    name: str
    """``linq_async.LinqClient.with_options``, or ``linq-async send --text``."""
    added: str = ""
    """The version, or ``Unreleased``; empty for the first release."""
    removed: str = ""

    def __str__(self) -> str:
        versions = f"{self.added} {self.removed and f'- {self.removed}'}".strip()
        return f"{self.name}  {versions}".rstrip()


def documented() -> list[str]:
    """Return the names on the pages of the reference, which another test compares with each ``__all__``."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "reference").glob("*.md"))]
    return sorted(name for text in texts for name in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))


def _members(name: str) -> Iterator[str]:
    """Yield a name, and if it is a class of this package, its public members."""
    module, _, attribute = name.rpartition(".")
    thing = getattr(importlib.import_module(module), attribute)
    yield name
    if inspect.isclass(thing):
        bases = [base for base in thing.__mro__ if base.__module__.startswith("linq_async")]
        members = {member for base in bases for member in (*vars(base), *inspect.get_annotations(base))}
        yield from (f"{name}.{member}" for member in members if not member.startswith("_"))


def _commands(command: Any, name: str) -> Iterator[str]:
    """Yield a command, its options and arguments, and those of the commands below it."""
    yield name
    for parameter in command.params:
        written = [option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
        yield from (f"{name} {option}" for option in written or [parameter.name.upper()])
    for below, one in getattr(command, "commands", {}).items():
        yield from _commands(one, f"{name} {below}")


def in_code() -> set[str]:
    """Return all names that the code has."""
    command = typer.main.get_command(app)
    return {one for name in documented() for one in _members(name)} | set(_commands(command, "linq-async"))


def parsed(lines: list[str]) -> dict[str, Entry]:
    """Return the entries of some lines of the list, by their names."""
    entries: dict[str, Entry] = {}
    for line in lines:
        name, _, versions = line.partition("  ")
        added, _, removed = versions.partition("- ")
        entries[name] = Entry(name, added.strip(), removed)
    return entries


def listed() -> dict[str, Entry]:
    """Return the entries of the list."""
    return parsed([line for line in LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")])


def main() -> None:
    """Add new names to the list, and note which were removed."""
    entries, found = listed(), in_code()
    for name in found - set(entries):
        entries[name] = Entry(name, "Unreleased")
    for name in set(entries) - found:
        if not entries[name].removed:
            entries[name] = attrs.evolve(entries[name], removed="Unreleased")
    rows = [str(entries[name]) for name in sorted(entries)]
    LIST.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
