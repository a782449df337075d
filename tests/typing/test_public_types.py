"""The types of the public names, as mypy and pyright see them from outside the package."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linq_async import LinqClient

SAMPLES = Path(__file__).parent
MARK = re.compile(r"# refused: (?P<mypy>[a-z -]+), (?P<pyright>\w+)$")
Found = dict[tuple[str, int], set[str]]


def _expected(checker: str) -> Found:
    """Return the rules under which a checker must refuse lines of the samples."""
    lines = enumerate((SAMPLES / "refused.py").read_text(encoding="utf-8").splitlines(), start=1)
    marks = [(number, mark) for number, line in lines if (mark := MARK.search(line))]
    return {("refused.py", number): set(mark[checker].split()) for number, mark in marks}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Copy the samples to a folder outside the source tree, without its settings."""
    for name in ("accepted.py", "refused.py"):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    return tmp_path


def _output(folder: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def _collected(errors: Iterator[tuple[str, int, str]]) -> Found:
    found: Found = {}
    for path, line, rule in errors:
        found.setdefault((Path(path).name, line), set()).add(rule)
    return found


@pytest.mark.slow
def test_mypy_sees_the_public_types(outside: Path) -> None:
    """In its strict mode mypy accepts every documented use, and refuses each mistake on its line by its rule."""
    output = _output(outside, "mypy", "--strict", "--output", "json", "--config-file", "", "accepted.py", "refused.py")
    errors = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert _collected((e["file"], e["line"], e["code"]) for e in errors if e["severity"] == "error") == _expected(
        "mypy"
    )


@pytest.mark.slow
def test_pyright_sees_the_public_types(outside: Path) -> None:
    """In its standard mode pyright accepts every documented use, and refuses each mistake on its line by its rule."""
    (outside / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', encoding="utf-8")
    output = _output(outside, "pyright", "--outputjson", "--pythonpath", sys.executable)
    errors = json.loads(output)["generalDiagnostics"]
    found = _collected((error["file"], error["range"]["start"]["line"] + 1, error["rule"]) for error in errors)
    assert found == _expected("pyright")


def _methods() -> set[str]:
    """Return the public methods of a client and of its resources, as they are called."""
    linq = LinqClient("token", base_url="http://127.0.0.1")
    owners: dict[str, type[object]] = {
        f"linq.{name}": type(value) for name, value in vars(linq).items() if not name.startswith("_")
    }
    owners["linq"] = LinqClient
    return {
        f"{path}.{name}"
        for path, kind in owners.items()
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_the_samples_call_every_method() -> None:
    """The accepted samples call each public method of the client and of its resources."""
    tree = ast.parse((SAMPLES / "accepted.py").read_text(encoding="utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert _methods() - called - {"linq.aclose"} == set()
    assert {"derived.aclose", "linq.chats.typing"} <= called
    assert len(_methods()) > 30


def test_each_mark_names_two_rules() -> None:
    """Every mark in the refused samples is understood, so that none is silently passed over."""
    text = (SAMPLES / "refused.py").read_text(encoding="utf-8")
    assert len(_expected("mypy")) == len(_expected("pyright")) == text.count("# refused:") > 25
