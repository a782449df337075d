"""The source of the package, parsed and not run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import linq_async

ROOT = Path(linq_async.__file__).parent


@dataclass(frozen=True)
class Module:
    """A module of the package."""

    name: str
    """Relative to the package: ``wire.body``; empty for the package itself."""
    path: Path
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        """The package at which its relative imports start."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


@cache
def modules() -> tuple[Module, ...]:
    """Read every module of the package."""
    return tuple(_read(path) for path in sorted(ROOT.rglob("*.py")))


def _read(path: Path) -> Module:
    text = path.read_text()
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    return Module(name, path, ast.parse(text), len(text.splitlines()))


def imports(module: Module) -> Iterator[str]:
    """Yield the full names that a module imports anywhere in it: ``linq_async.wire.body.Body``."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = ["linq_async", *module.package.split(".")] if module.package else ["linq_async"]
    kept = base[: len(base) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def own_imports(module: Module) -> Iterator[str]:
    """Yield the modules of this package that a module imports, relative to the package."""
    known = {other.name for other in modules()}
    for name in imports(module):
        parts = name.split(".")
        if parts[0] == "linq_async":
            tried = [".".join(parts[1:end]) for end in range(len(parts), 0, -1)]
            yield next(one for one in tried if one in known)
