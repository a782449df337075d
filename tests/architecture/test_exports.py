"""The public names of ``linq_async``, and what its import loads."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import linq_async
from linq_async.errors import LinqError

from .rooms import modules

SIDE_ROOMS = ("webhooks", "sandbox", "bulk", "integrations", "testing", "cli")


def _imported_names() -> set[str]:
    """Return the names that ``_public`` imports from the package's modules."""
    (public,) = [module for module in modules() if module.name == "_public"]
    imports = [node for node in ast.walk(public.tree) if isinstance(node, ast.ImportFrom)]
    nodes = [node for node in imports if (node.module or "").startswith("linq_async")]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


def test_the_names_are_sorted_and_there() -> None:
    """``__all__`` is sorted and unique, and each of its names can be imported."""
    assert linq_async.__all__ == sorted(set(linq_async.__all__))
    assert [name for name in linq_async.__all__ if not hasattr(linq_async, name)] == []


def test_the_names_are_what_is_imported() -> None:
    """``__all__`` holds exactly what ``_public`` imports from the package's modules."""
    assert set(linq_async.__all__) == _imported_names()


def test_every_error_is_public() -> None:
    """Every exception class can be imported from the package."""
    errors = [kind for _, kind in inspect.getmembers(sys.modules["linq_async.errors"], inspect.isclass)]
    missing = {kind.__name__ for kind in errors if issubclass(kind, LinqError)} - set(linq_async.__all__)
    assert missing == set()


def test_a_star_gives_the_same_names() -> None:
    """``from linq_async import *`` imports exactly ``__all__``."""
    found: dict[str, object] = {}
    exec("from linq_async import *", found)
    assert set(found) - {"__builtins__"} == set(linq_async.__all__)


def test_public_things_are_described() -> None:
    """Every public class, function and method has a docstring."""
    public = {name: getattr(linq_async, name) for name in linq_async.__all__ if name != "__version__"}
    assert [name for name, thing in public.items() if not thing.__doc__] == []
    methods = [
        (f"{name}.{word}", member)
        for name, thing in public.items()
        if inspect.isclass(thing)
        for word, member in vars(thing).items()
        if not word.startswith("_") and inspect.isroutine(member)
    ]
    assert [name for name, member in methods if not inspect.getdoc(member)] == []


def test_the_side_rooms_are_not_imported() -> None:
    """``import linq_async`` loads none of the side rooms and none of their dependencies."""
    names = [f"linq_async.{room}" for room in SIDE_ROOMS] + ["typer", "rich", "fastapi", "pytest"]
    code = f"import sys, linq_async; print([name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_client_has_loaded_all_that_a_call_may_need() -> None:
    """Modules that are imported late are loaded by the constructor of the client, before the first call."""
    code = (
        "import sys; from linq_async import LinqClient; late = {'cattrs', 'tenacity'}\n"
        "before = late & set(sys.modules); LinqClient('token'); print(sorted(before), sorted(late & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[] ['cattrs', 'tenacity']\n"


def test_the_plugin_loads_nothing() -> None:
    """The pytest plugin loads neither aiohttp nor attrs nor the client until a fixture is used."""
    code = "import sys, linq_async.testing; print(sorted({'aiohttp', 'attrs', 'linq_async.client'} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


TYPED = ["from linq_async import LinqClient, Outcome, __version__", "import linq_async; linq_async.UNSET"]
MISSPELLED = ["from linq_async import LinqClinet", "import linq_async; linq_async.LinqClinet"]


@pytest.mark.slow
@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright"]], ids=["mypy", "pyright"])
def test_type_checkers_know_the_names(tmp_path: Path, checker: list[str]) -> None:
    """A type checker accepts the public names and refuses each misspelled one."""
    (tmp_path / "pyrightconfig.json").write_text('{"reportUnusedExpression": false}')
    for number, line in enumerate([*TYPED, *MISSPELLED]):
        (tmp_path / f"case_{number}.py").write_text(line + "\n")
    python = ["--pythonpath", sys.executable] if checker == ["pyright"] else ["--python-executable", sys.executable]
    command = [sys.executable, "-m", *checker, *python, "."]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    refused = {int(number) for number in re.findall(r"case_(\d)\.py:\d+\S* ?-? error: ", found)}
    assert refused == {2, 3}, found


def test_the_names_are_listed() -> None:
    """``dir`` shows the public names, even before any of them is used."""
    code = "import linq_async; print(dir(linq_async) == linq_async.__all__)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'LinqClinet'"):
        _ = linq_async.LinqClinet  # type: ignore[attr-defined]
