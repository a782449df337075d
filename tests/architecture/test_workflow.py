"""The workflow of continuous integration: pinned actions and no stored credentials."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FILES = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))


def _steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_actions_are_pinned_by_commit() -> None:
    """Every action is pinned by commit, not by a tag that can be moved."""
    used = [step["uses"] for path in FILES for step in _steps(path) if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", one)] == []


def test_a_checkout_keeps_no_credentials() -> None:
    """The checkout does not keep the token of the repository."""
    checkouts = [
        step for path in FILES for step in _steps(path) if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


def test_the_token_may_only_read() -> None:
    """The token of a run may only read the repository."""
    for path in FILES:
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}
