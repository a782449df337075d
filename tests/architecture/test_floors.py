"""The lowest versions of dependencies: documented, and never resolved by an unsupported Python."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
REQUIREMENT = re.compile(r"([A-Za-z0-9_-]+)(?:\[[a-z,]+\])?(?:(?:>=|==)([0-9.b]+))?(?:; (.+))?")


def _requirements() -> dict[str, list[str]]:
    """Return the requirements by the heading that documents them."""
    return {
        "Core": PROJECT["dependencies"],
        **PROJECT["optional-dependencies"],
        "Building": PYPROJECT["build-system"]["requires"],
    }


def _parsed(requirement: str) -> tuple[str, str, str | None]:
    """Return the name, the floor and the marker of a requirement."""
    match = REQUIREMENT.fullmatch(requirement)
    assert match is not None, requirement
    return match[1], match[2] or "any", match[3]


def _documented() -> dict[str, dict[str, str]]:
    """Return the floors of each table, by heading and package; each row has a reason."""
    tables: dict[str, dict[str, str]] = {}
    for section in (ROOT / "docs" / "floors.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        rows = re.findall(r"^\| (?!package)([\w-]+) \| ([\w.]+) \| (.+) \|$", section, flags=re.MULTILINE)
        assert all(len(reason) > len("as for") for _, _, reason in rows)
        tables[section.partition("\n")[0]] = {name: floor for name, floor, _ in rows}
    return tables


def test_each_floor_has_a_reason() -> None:
    """The tables in docs/floors.md name exactly the requirements and the floors of pyproject.toml."""
    floors = {
        heading: {name: floor for name, floor, _ in map(_parsed, requirements)}
        for heading, requirements in _requirements().items()
    }
    assert _documented() == floors


def test_an_old_interpreter_has_nothing_to_resolve() -> None:
    """Every requirement has the marker of requires-python, so that an old pip refuses the package in seconds."""
    marker = f"python_version {PROJECT['requires-python'][:2]} '{PROJECT['requires-python'][2:]}'"
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert [one for group in groups for one in group if _parsed(one)[2] != marker] == []


def test_floors_against_known_attacks() -> None:
    """The floors exclude releases of parsers with known vulnerabilities."""
    floors = {name: tuple(map(int, floor.split("."))) for name, floor, _ in map(_parsed, PROJECT["dependencies"])}
    assert floors["aiohttp"] >= (3, 14, 3)
    assert floors["orjson"] >= (3, 11, 6)
