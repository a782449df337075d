"""Which modules may import which."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .rooms import Module, imports, modules, own_imports

A, B, C, D, E = 8, 9, 10, 11, 12
ROOMS = {
    "_unset": 0,
    "_version": 0,
    "errors": 0,
    "attempts": 0,
    "calls": 0,
    "timing": 0,
    "config": 1,
    "arguments": 1,
    "uploads": 1,
    "models": 1,
    "wire": 2,
    "key_memory": 2,
    "retry": 3,
    "transport": 3,
    "pipeline": 4,
    "resources": 5,
    "client": 6,
    "_public": 7,
    "": 7,
    "webhooks": A,
    "sandbox": B,
    "bulk": C,
    "integrations": D,
    "testing": D,
    "cli": E,
    "__main__": E,
}
"""The room of each module, by the first part of its name. No room from 0 to 7 imports rooms A to E."""
TYPED_WITH_AIOHTTP = {"client", "arguments"}
"""Modules that use classes of aiohttp in signatures only."""
READ_THE_ENVIRONMENT = {"arguments", "cli", "sandbox", "testing", "__main__"}
IMPURE = {"asyncio", "time", "os", "random", "secrets", "socket", "threading", "pathlib", "io", "tempfile"}


def _top(module: Module | str) -> str:
    return (module if isinstance(module, str) else module.name).split(".")[0]


def _offenders(rule: Callable[[Module], object]) -> dict[str, object]:
    """Return, for each module that breaks a rule, what breaks it."""
    found = {module.name or "linq_async": rule(module) for module in modules()}
    return {name: offence for name, offence in found.items() if offence}


def _nodes(module: Module, *kinds: type[ast.AST]) -> list[Any]:
    return [node for node in ast.walk(module.tree) if isinstance(node, kinds)]


def test_every_module_has_a_room() -> None:
    """Every module belongs to a known room."""
    assert _offenders(lambda module: _top(module) not in ROOMS) == {}


def test_the_documentation_names_each_room() -> None:
    """docs/layout.md lists every room that exists, with its number or letter."""
    text = (Path(__file__).parents[2] / "docs" / "layout.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d|[A-E]) \| (`.+?`) \| .+ \|$", text, flags=re.MULTILINE)
    letters = dict(zip("ABCDE", (A, B, C, D, E), strict=True))
    documented = {
        name.strip("`"): letters[room] if room in letters else int(room)
        for room, names in rows
        for name in names.split(", ")
    }
    assert documented == {name: ROOMS[name] for name in {_top(module) for module in modules()} if name}


def test_imports_go_down() -> None:
    """A module imports its own room, or one with a lower number."""

    def upward(module: Module) -> list[str]:
        return [other for other in own_imports(module) if ROOMS[_top(other)] > ROOMS[_top(module)]]

    assert _offenders(upward) == {}


def test_nothing_leans_on_a_side_room() -> None:
    """Webhooks, sandbox, bulk, integrations, testing and the command line are imported by no room from 0 to 7."""

    def leaning(module: Module) -> list[str]:
        side = [other for other in own_imports(module) if ROOMS[_top(other)] >= A]
        return side if ROOMS[_top(module)] < A else []

    assert _offenders(leaning) == {}


def test_side_rooms_send_through_the_client() -> None:
    """The command line, webhooks, bulk and integrations import neither the pipeline nor the transport."""
    senders = {"cli", "__main__", "webhooks", "bulk", "integrations"}

    def bypassing(module: Module) -> set[str]:
        found = {_top(other) for other in own_imports(module)} & {"pipeline", "transport", "retry"}
        return found if _top(module) in senders else set()

    assert _offenders(bypassing) == {}


def test_the_sandbox_knows_nothing_of_the_client() -> None:
    """The sandbox imports nothing else of the package, so that no mistake can be on both sides."""

    def foreign(module: Module) -> set[str]:
        return {_top(other) for other in own_imports(module)} - {"sandbox"} if _top(module) == "sandbox" else set()

    assert _offenders(foreign) == {}


def test_one_room_knows_aiohttp() -> None:
    """Only the transport, the sandbox and the integrations import aiohttp."""
    allowed = {"transport", "sandbox", "integrations"} | TYPED_WITH_AIOHTTP

    def importing(module: Module) -> list[str]:
        found = [name for name in imports(module) if name.split(".")[0] == "aiohttp"]
        return [] if _top(module) in allowed else found

    assert _offenders(importing) == {}


def test_aiohttp_is_only_used_in_annotations() -> None:
    """Modules that import aiohttp for its types use it only in annotations."""

    def using(module: Module) -> list[int]:
        parts = [
            part
            for node in ast.walk(module.tree)
            for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
            if part is not None
        ]
        annotated = {inner for part in parts for inner in ast.walk(part)}
        named = [node for node in _nodes(module, ast.Name) if node.id == "aiohttp" and node not in annotated]
        return [node.lineno for node in named] if _top(module) in TYPED_WITH_AIOHTTP else []

    assert _offenders(using) == {}


def _impurities(module: Module) -> list[str]:
    waits = _nodes(module, ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    words = {node.attr for node in _nodes(module, ast.Attribute)}
    words &= {"now", "utcnow", "today", "environ", "getenv", "monotonic", "perf_counter"}
    drawn = {name.split(".")[0] for name in imports(module)} & IMPURE
    return [*[f"awaits in line {node.lineno}" for node in waits], *words, *drawn]


def test_the_wire_is_pure() -> None:
    """Nothing in wire/ or retry awaits, or can read a clock, the environment, a file or random numbers."""
    assert _offenders(lambda module: _impurities(module) if _top(module) in {"wire", "retry"} else []) == {}


def test_one_module_reads_the_environment() -> None:
    """Only ``arguments`` and the programs read the environment."""

    def reading(module: Module) -> set[str]:
        words = {node.attr for node in _nodes(module, ast.Attribute)}
        words |= {name.rpartition(".")[2] for name in imports(module)}
        found = words & {"environ", "getenv", "getproxies", "proxy_bypass"}
        return set() if _top(module) in READ_THE_ENVIRONMENT else found

    assert _offenders(reading) == {}


def test_nothing_prints() -> None:
    """Only the command line and the programs print."""

    def printing(module: Module) -> list[int]:
        calls = [node for node in _nodes(module, ast.Call) if isinstance(node.func, ast.Name)]
        lines = [node.lineno for node in calls if node.func.id == "print"]
        return [] if _top(module) in {"cli", "__main__", "sandbox"} else lines

    assert _offenders(printing) == {}


def test_the_reader_of_imports_works() -> None:
    """The reader finds imports anywhere in a module, relative ones too."""
    (pipeline,) = [module for module in modules() if module.name == "pipeline"]
    assert {"retry", "wire.body", "transport.session"} <= set(own_imports(pipeline))
    tree = ast.parse("def f():\n    from ..transport import session\n    import aiohttp.web")
    sample = Module("wire.sample", pipeline.path, tree, 3)
    assert list(imports(sample)) == ["linq_async.transport.session", "aiohttp.web"]
    assert list(own_imports(sample)) == ["transport.session"]
