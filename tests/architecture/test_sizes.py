"""The sizes of functions and modules."""

from __future__ import annotations

import ast
import statistics

from .rooms import Module, modules

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _lines(node: Function) -> int:
    """Return the lines of a function without decorators and docstring."""
    assert node.end_lineno is not None
    total = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        assert first.end_lineno is not None
        total -= first.end_lineno - first.lineno + 1
    return total


def _sizes() -> dict[str, int]:
    """Return the lines of every function, including nested ones, by module, line and name."""
    return {
        f"{module.name}:{node.lineno} {node.name}": _lines(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, Function)
    }


def test_functions_are_short() -> None:
    """Half of all functions have at most 10 lines, nine in ten at most 30, and none more than 60."""
    sizes = _sizes()
    ordered = sorted(sizes.values())
    longest = max(sizes, key=lambda name: sizes[name])
    p90 = ordered[int(len(ordered) * 0.9)]
    print(f"{len(ordered)} functions: median {statistics.median(ordered):g}, p90 {p90}, longest {sizes[longest]}")
    assert statistics.median(ordered) <= 10
    assert p90 <= 30
    assert {name: size for name, size in sizes.items() if size > 60} == {}, longest


def test_modules_are_short() -> None:
    """No module has more than 400 lines."""
    longest: Module = max(modules(), key=lambda module: module.lines)
    print(f"{len(modules())} modules: longest {longest.name} with {longest.lines}")
    assert {module.name: module.lines for module in modules() if module.lines > 400} == {}
