"""How many private functions are called from one place only."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from .rooms import Module, modules

SHARE = 0.10
"""Of all functions: a helper with one caller must name a step, and most code reads better in its place."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _can_be_inlined(function: Function) -> bool:
    """Return whether a function is private and neither decorated nor a generator."""
    private = function.name.startswith("_") and not function.name.startswith("__")
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))
    return private and not function.decorator_list and not yields


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _called_once(source: tuple[Module, ...]) -> tuple[list[str], int]:
    """Return the functions whose only reference is one call, and the number of all functions.

    A callback is referenced without a call, and needs its name.
    """
    nodes = [node for module in source for node in ast.walk(module.tree)]
    references = Counter(map(_name, nodes))
    calls = Counter(_name(node.func) for node in nodes if isinstance(node, ast.Call))
    defined = [(module.name, function) for module in source for function in _functions(module)]
    once = [
        f"{name}: {function.name}"
        for name, function in defined
        if references[function.name] == calls[function.name] == 1 and _can_be_inlined(function)
    ]
    return once, len(defined)


def test_few_helpers_have_one_caller() -> None:
    """At most one function in ten is a private helper with a single call."""
    once, total = _called_once(modules())
    print(f"{len(once)} of {total} functions are private and called once: {len(once) / total:.1%}")
    assert len(once) <= SHARE * total, "\n".join(once)


def test_calls_are_counted() -> None:
    """A function or method called once is found, but not a callback, a generator, or one called twice."""
    text = (
        "def _once(): ...\ndef _twice(): ...\ndef public(): ...\ndef _callback(): ...\ndef _all():\n    yield\n"
        "@cache\ndef _cached(): ...\n"
        "class A:\n    def __len__(self): ...\n    def _method(self): ...\n"
        "_once(); _twice(); _twice(); public(); A()._method(); call(_callback); _all(); _cached()\n"
    )
    sample = Module("sample", modules()[0].path, ast.parse(text), 12)
    assert _called_once((sample,)) == (["sample: _once", "sample: _method"], 8)
