"""The tasks of noxfile.py, which continuous integration runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_continuous_integration_runs_each_task() -> None:
    """.ci/run calls every session of noxfile.py, and none that does not exist."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    called = re.findall(r'"\$bin/nox" -s (\w+)', (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert {node.name for node in functions} == set(called)
    assert {"lint", "types", "tests", "docs", "bench", "dist"} <= set(called)


def test_no_failure_is_ignored() -> None:
    """.ci/run ends with the first command that fails, and no line continues after a failure."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    ignored = [line for line in lines if re.search(r"\|\| (true|:)", line)]
    assert ignored == [
        '  for found in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do'
    ]
