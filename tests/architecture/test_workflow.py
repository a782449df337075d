"""The workflows: pinned actions, no stored credentials, and one job that may publish."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FILES = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))


def _jobs(path: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs by their names."""
    jobs: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


def _steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in _jobs(path).values() for step in job.get("steps", [])]


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


def test_no_secret_is_used() -> None:
    """No workflow reads a stored secret, or puts an expression into a shell command."""
    assert [path.name for path in FILES if "secrets." in path.read_text(encoding="utf-8")] == []
    assert [step for path in FILES for step in _steps(path) if "${{" in step.get("run", "")] == []


def test_one_job_may_publish() -> None:
    """Only the last job of a release gets more rights. It waits for the checks, and runs nothing of the repository."""
    rights = {
        (path.stem, name): job["permissions"]
        for path in FILES
        for name, job in _jobs(path).items()
        if "permissions" in job
    }
    assert rights == {("release", "publish"): {"attestations": "write", "id-token": "write"}}
    jobs = _jobs(FILES[0].with_name("release.yml"))
    assert (jobs["publish"]["needs"], jobs["build"]["needs"], jobs["check"]["uses"]) == (
        "build",
        "check",
        "./.github/workflows/ci.yml",
    )
    assert jobs["publish"]["environment"] == "release"
    steps = jobs["publish"]["steps"]
    assert [step for step in steps if step.get("uses", "").startswith("actions/checkout@")] == []
    commands = [step["run"] for step in steps if "run" in step]
    installed = [word for command in commands if command.startswith("pip install ") for word in command.split()[2:]]
    assert installed
    assert [word for word in installed if "==" not in word] == []
