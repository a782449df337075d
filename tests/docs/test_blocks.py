"""Every code block of the documents is run, parsed, or a file that other tests run."""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import typer.main

from linq_async import LinqClient
from linq_async.cli.app import app
from linq_async.sandbox import Sandbox
from tests.examples.processes import SECRET, environment

from .blocks import BLOCKS, ROOT, Block, of_kind
from .given import GIVEN, nothing

SHELL = {"cd", "curl", "export", "pip", "pytest", "python", "taskiq", "uvicorn", "zensical"}
"""Programs of which no options are checked."""
PARSED_ELSEWHERE = {"inbox.md:1", "inbox.md:2", "replies.md:2"}
"""The tests of the inboxes run the statements; the text is the formula of the keys."""


def _named(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.name)


def _compare(printed: str, wanted: str | None) -> None:
    """Compare what was printed with the documented output, in which ``...`` matches anything."""
    if wanted is not None:
        assert doctest.OutputChecker().check_output(wanted, printed, doctest.ELLIPSIS), printed


def test_every_block_is_checked() -> None:
    """Every block has a kind that a test below checks, except for those that other tests read."""
    checked = of_kind("script", "part", "tests", "file", "console", "json")
    assert {block.name for block in BLOCKS} - {block.name for block in checked} == PARSED_ELSEWHERE


@pytest.fixture
def settings(linq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Set the environment that the quickstart sets, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINQ_BASE_URL", linq_sandbox.base_url)
    monkeypatch.setenv("LINQ_INTEGRATION_TOKEN", linq_sandbox.token)
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    return linq_sandbox


@_named(of_kind("script"))
def test_script(block: Block, settings: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A script runs unchanged against a sandbox, prints what the page says, and has no phone number in a key."""
    exec(compile(block.code, block.name, "exec"), {"__name__": "__main__"})
    _compare(capsys.readouterr().out, block.output)
    keys = [request.idempotency_key or "" for request in settings.requests]
    own = [key for key in keys if not re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}", key)]  # neither random nor a hash
    assert [key for key in own if re.search(r"(\D?\d){7}", key)] == []


@_named(of_kind("part"))
def test_part(block: Block, settings: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A part of a program runs, given a client, a sandbox, and the names that its page speaks of."""

    async def run() -> None:
        async with (
            Sandbox() as sandbox,
            LinqClient(sandbox.token, base_url=sandbox.base_url) as linq,
            GIVEN.get(block.page, nothing)(linq, sandbox) as given,
        ):
            names = {"__name__": block.name.partition(".")[0], "linq": linq, "sandbox": sandbox, **given}
            code = compile(block.code, block.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if code.co_flags & inspect.CO_COROUTINE:
                await cast("Coroutine[Any, Any, None]", types.FunctionType(code, names)())
            else:
                exec(code, names)

    asyncio.run(run())
    _compare(capsys.readouterr().out, block.output)


@pytest.mark.slow
@_named(of_kind("tests"))
def test_tests(block: Block, tmp_path: Path) -> None:
    """Tests pass, with the fixtures of the package and strict settings."""
    (tmp_path / "test_block.py").write_text(block.code, encoding="utf-8")
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "linq_async.testing", str(tmp_path)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{block.code.count('def test_')} passed" in done.stdout


@_named(of_kind("file"))
def test_included_file(block: Block) -> None:
    """A file that is shown exists, in the folder whose files are run by tests/examples."""
    assert block.included is not None
    assert block.included.startswith("docs/examples/")
    assert (ROOT / block.included).is_file()


def _words(line: str) -> list[str]:
    """Return the words of a command, without those behind a pipe or a redirection."""
    words = shlex.split(line, comments=True)
    ends = [words.index(end) for end in ("|", ">", "&&") if end in words]
    return words[: min(ends, default=len(words))]


@_named(of_kind("console"))
def test_commands(block: Block) -> None:
    """Each command exists, with each of its options."""
    for line in filter(None, map(_words, block.code.replace("\\\n", " ").splitlines())):
        program, *arguments = line
        if program != "linq-async":
            assert program in SHELL, line
            continue
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
            command = command.commands[arguments.pop(0)]
        command.make_parser(command.context_class(command)).parse_args(arguments)


@_named(of_kind("json"))
def test_json(block: Block) -> None:
    """JSON is valid."""
    json.loads(block.code)


@pytest.mark.slow
def test_types(tmp_path: Path) -> None:
    """Scripts and tests of the documents pass mypy's strict checks."""
    for number, block in enumerate(of_kind("script", "tests")):
        (tmp_path / f"block_{number}.py").write_text(block.code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", *map(str, tmp_path.glob("*.py"))]
    path = {"MYPYPATH": str(ROOT / "docs/examples")}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
