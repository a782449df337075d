"""The pytest plugin: its fixtures in both modes of pytest-asyncio, on every loop, and without it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import linq_async.sandbox  # each inner run would load it anew otherwise
import linq_async.testing

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]

CALL = """
    linq_sandbox.faults.answer(503)
    chat = await linq.chats.create(
        send_from=linq_sandbox.phone_numbers[0], phone_numbers=["+13343284472"], text="Hello!"
    )
    assert chat.attempts == 2
    assert [message.text for message in linq_sandbox.messages] == ["Hello!"]
"""
# The first lets the plugin be named though it be installed; the last keeps hypothesis from being loaded anew each time.
OPTIONS = ("-p", "no:linq_async", "-p", "linq_async.testing", "-W", "error", "-p", "no:hypothesispytest")
TEST = f"async def test_one(linq, linq_sandbox):{CALL}"


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> Run:
    """Run pytest on one file of tests, with the plugin, and with warnings as errors."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        scope = ("-o", "asyncio_default_fixture_loop_scope=function")
        return pytester.runpytest_inprocess(*OPTIONS, *scope, *arguments)

    return run


def test_strict_mode(run_pytest: Run) -> None:
    """In strict mode a marked test sends to the sandbox, over a refusal, and finds what it stored."""
    result = run_pytest(f"import pytest\n@pytest.mark.asyncio\n{TEST}", "--asyncio-mode=strict")
    result.assert_outcomes(passed=1)


def test_auto_mode(run_pytest: Run) -> None:
    """In auto mode the same test needs no mark."""
    run_pytest(TEST, "--asyncio-mode=auto").assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_every_scope_of_loops(pytester: pytest.Pytester, run_pytest: Run, scope: str) -> None:
    """The fixtures live on the test's own loop, whatever its scope, and start empty in each test."""
    indented = TEST.replace("\n", "\n    ").replace("(linq,", "(self, linq,")
    source = f"""
import pytest

@pytest.mark.asyncio(loop_scope="{scope}")
class TestOne:
    {indented}
    {indented.replace("test_one", "test_two")}
"""
    pytester.makepyfile(__init__="")  # pytest-asyncio once asked for a package where one is named
    run_pytest(source, "--asyncio-mode=strict").assert_outcomes(passed=2)


def test_the_default_scope_of_loops(run_pytest: Run) -> None:
    """The setting for all tests is heeded where a test names no scope."""
    result = run_pytest(TEST, "--asyncio-mode=auto", "-o", "asyncio_default_test_loop_scope=session")
    result.assert_outcomes(passed=1)


def test_only_the_sandbox(run_pytest: Run) -> None:
    """The sandbox may be asked for alone."""
    source = "async def test_one(linq_sandbox):\n    assert linq_sandbox.base_url and not linq_sandbox.messages"
    run_pytest(source, "--asyncio-mode=auto").assert_outcomes(passed=1)


def test_a_sandbox_of_ones_own(run_pytest: Run) -> None:
    """A test suite may override the sandbox, and the client follows."""
    source = f"""
import pytest_asyncio
from linq_async.sandbox import Sandbox

@pytest_asyncio.fixture
async def linq_sandbox():
    async with Sandbox(phone_numbers=["+12025550199"]) as sandbox:
        yield sandbox

{TEST}
    assert linq_sandbox.phone_numbers == ("+12025550199",)
"""
    run_pytest(source, "--asyncio-mode=auto").assert_outcomes(passed=1)


def test_a_test_that_is_not_asynchronous(run_pytest: Run) -> None:
    """A plain test is told why it cannot have the fixtures, for its server would never answer."""
    result = run_pytest("def test_one(linq): ...")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture linq lives on the test's event loop*"])


def test_without_pytest_asyncio(pytester: pytest.Pytester) -> None:
    """Without pytest-asyncio the fixtures say what to install."""
    pytester.makepyfile("def test_one(linq_sandbox): ...")
    result = pytester.runpytest_inprocess(*OPTIONS, "-p", "no:asyncio")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the fixture linq_sandbox needs pytest-asyncio: pip install pytest-asyncio"])


def test_listed_with_their_help(run_pytest: Run) -> None:
    """``pytest --fixtures`` shows the two fixtures, and none of their halves."""
    shown = run_pytest("", "--fixtures").stdout.str()
    assert "linq_sandbox -- " in shown
    assert "_linq" not in shown


def test_the_plugin_loads_nothing_itself() -> None:
    """At module level the plugin imports the standard library and pytest alone."""
    tree = ast.parse(Path(linq_async.testing.__file__).read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names} == {"pytest"}
