"""How many private functions are used in one place only."""

from __future__ import annotations

import ast
from collections import Counter

from .rooms import Module, modules

SHARE = 0.10
"""Of all functions: a helper used once must name a step, and most code reads better in its place."""


def _functions(module: Module) -> list[str]:
    return [node.name for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _references(module: Module) -> Counter[str]:
    """Count the uses of each name, as a name or as an attribute."""
    found: Counter[str] = Counter()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name):
            found[node.id] += 1
        elif isinstance(node, ast.Attribute):
            found[node.attr] += 1
    return found


def _used_once(source: tuple[Module, ...]) -> tuple[list[str], int]:
    """Return the private functions with one reference, and the number of all functions."""
    references: Counter[str] = Counter()
    for module in source:
        references.update(_references(module))
    defined = [(module.name, name) for module in source for name in _functions(module)]
    private = [(module, name) for module, name in defined if name.startswith("_") and not name.startswith("__")]
    return [f"{module}: {name}" for module, name in private if references[name] == 1], len(defined)


def test_few_helpers_are_used_once() -> None:
    """At most one function in ten is private and referenced once."""
    once, total = _used_once(modules())
    print(f"{len(once)} of {total} functions are private and used once: {len(once) / total:.1%}")
    assert len(once) <= SHARE * total, "\n".join(once)


def test_references_are_counted() -> None:
    """A private function or method used once is found, but not one used twice, nor a public or special one."""
    text = (
        "def _once(): ...\ndef _twice(): ...\ndef public(): ...\n"
        "class A:\n    def __len__(self): ...\n    def _method(self): ...\n"
        "_once(); _twice(); call(_twice); public(); A()._method()\n"
    )
    sample = Module("sample", modules()[0].path, ast.parse(text), 7)
    assert _used_once((sample,)) == (["sample: _once", "sample: _method"], 5)
