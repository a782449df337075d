"""The public names of ``linq_async.webhooks``, and what its import loads."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from linq_async import webhooks

NAMES: list[str] = dir(webhooks)


def _declared() -> set[tuple[str, str]]:
    """Return the modules and names that type checkers see."""
    tree = ast.parse(Path(webhooks.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {(str(node.module), str(alias.asname)) for node in imports for alias in node.names}


def test_type_checkers_see_what_is_there() -> None:
    """The names of type checkers are those that can be imported, each from the module that defines it."""
    assert {name for _, name in _declared()} == {*NAMES} == {*webhooks.__dict__["__all__"]}
    for module, name in _declared():
        assert getattr(webhooks, name) is getattr(importlib.import_module(module), name)


def test_no_name_is_that_of_a_module() -> None:
    """The import of a module sets an attribute of the package, which would replace a function of the same name."""
    assert {module.name for module in pkgutil.iter_modules(webhooks.__path__)} & {*NAMES} == set()


def test_public_things_are_described() -> None:
    """Every public class and function, and every public member of a class, has a docstring."""
    found: dict[str, object] = {name: getattr(webhooks, name) for name in NAMES if name != "WebhookEvent"}
    members: dict[str, object] = {
        f"{name}.{word}": member
        for name, thing in found.items()
        if inspect.isclass(thing)
        for word, member in vars(thing).items()
        if not word.startswith("_") and (inspect.isroutine(member) or isinstance(member, property))
    }
    assert [name for name, thing in (found | members).items() if not inspect.getdoc(thing)] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'unwarp'"):
        _ = webhooks.unwarp  # type: ignore[attr-defined]


def test_unwrap_loads_little() -> None:
    """The package loads none of its modules, and ``unwrap`` neither a database nor aiohttp nor the client."""
    code = (
        "import sys, linq_async.webhooks; before = [name for name in sys.modules if 'linq_async.webhooks.' in name]\n"
        "from linq_async.webhooks import unwrap; late = {'sqlite3', 'aiohttp', 'linq_async.client'}\n"
        "print(before, sorted(late & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[] []\n"
