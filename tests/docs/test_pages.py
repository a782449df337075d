"""What the README and single pages say: tables compared with the code, pictures, and commands that are run."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from linq_async import errors
from linq_async.sandbox import Sandbox
from linq_async.wire.request import RawResponse
from linq_async.wire.response import error_class
from tests.examples.processes import EXAMPLES, SECRET, environment, serving, written_back
from tests.support.clients import refusal_of

from .blocks import BLOCKS, DOCS, README, ROOT, of_kind, pages

ECHO_BOT = """
import functools, runpy, uvicorn

uvicorn.run = functools.partial(uvicorn.run, port=0)
runpy.run_module("echo_bot", run_name="__main__")
"""
FILE = re.compile(r"""\]\((?!https?:)([^)#]+)|(?:src|srcset)="([^"]+)\"""")


def _lines(page: str) -> list[str]:
    return (DOCS / page).read_text(encoding="utf-8").splitlines()


def test_the_readme_is_short() -> None:
    """It has a complete call within the first 30 lines, and at most 160 lines."""
    lines = README.read_text(encoding="utf-8").splitlines()
    assert any("linq.chats.create(" in line for line in lines[:30])
    assert len(lines) <= 160


@pytest.mark.skipif(not (ROOT / "benchmarks").exists(), reason="only a part of the tree is here")
def test_linked_files_exist() -> None:
    """Every picture and every file that the README refers to is there."""
    text = re.sub(r"^```.*?^```", "", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = ["".join(groups) for groups in FILE.findall(text)]
    assert len(found) > 20
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_pictures_exist_and_have_texts() -> None:
    """Every picture of a page is there and has a text, and each page on how it works has a picture."""
    for path in pages():
        pictures = re.findall(r"!\[([^]]*)\]\(([^)#]+)", path.read_text(encoding="utf-8"))
        assert [name for text, name in pictures if not text or not (path.parent / name).is_file()] == []
        assert pictures or path.parent.name != "how", path.name


def test_the_badges_are_true() -> None:
    """The badges have the Python and the licence of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    badges = re.findall(r">([^<>\n]+)</text>", (DOCS / "pictures/badges.svg").read_text(encoding="utf-8"))
    python = project["requires-python"].removeprefix(">=")
    assert badges[:4] == ["python", f"{python} and later", "license", project["license"]]


def test_no_key_contains_a_number() -> None:
    """The documents say that keys are logged, and neither they nor the code put a number or a name into one."""
    assert "Keys are logged" in (DOCS / "outcomes.md").read_text(encoding="utf-8")
    texts = [README, *pages(), *EXAMPLES.glob("*.py"), *ROOT.glob("benchmarks/*"), *(ROOT / "linq_async").rglob("*.py")]
    personal = re.compile(r"""key\w*\s*=\s*f["'][^"']*\{[^}]*(number|phone|recipient|handle|email|name|text)""")
    assert personal.search("idempotency_key=f'opening-{number}'")
    assert [text.name for text in texts if text.is_file() and personal.search(text.read_text(errors="replace"))] == []


def test_table_of_errors_has_every_status() -> None:
    """For each status, the table of errors has a row with its class and its outcome."""
    rows = [row for row in _lines("errors.md") if row.startswith("| `") and row.count("|") == 4]
    for status in (*range(300, 309), *range(400, 600)):
        error = refusal_of(RawResponse(status, {}, b""))
        name, family = f"`{error_class(status).__name__}`", f"{status // 100}xx"
        found = [row for row in rows if re.search(rf"{name}( for)? ({status}|{family})", row)]
        found = found or [row for row in rows if f"{name} for 499 and any other {family} but 408" in row]
        assert [error.outcome.name in row.rpartition(" | ")[2] for row in found] == [True], status


def test_table_of_errors_has_every_class() -> None:
    """The table of errors names each public exception except for the base class."""
    rows = "\n".join(row for row in _lines("errors.md") if row.startswith("| `"))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LinqError)]
    assert [kind.__name__ for kind in kinds if f"`{kind.__name__}`" not in rows] == ["LinqError"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_bulk_script_twice(tmp_path: Path) -> None:
    """Running the script of bulk.md again, also with a new journal, stores each message once."""
    (script,) = [block.code for block in of_kind("script") if block.page == "bulk.md"]
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    async with Sandbox() as sandbox:
        for step in range(3):
            if step == 2:
                (tmp_path / "opening.db").unlink()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", "script.py"), cwd=tmp_path, env=environment(sandbox)
            )
            assert await process.wait() == 0
        assert (len(sandbox.messages), len(sandbox.requests)) == (2, 4)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_bulk_commands(tmp_path: Path) -> None:
    """The commands of bulk.md run in a shell: a dry run, a send and a report."""
    (commands,) = [block.code for block in BLOCKS if block.page == "bulk.md" and block.kind == "console"]
    people = ["phone_number,first_name", "+13343284472,Mira", "(334) 471-3465,Theo"]
    (tmp_path / "people.csv").write_text("\n".join(people))
    shim = f"import os, sys\nos.execv(sys.executable, [{sys.executable!r}, '-m', 'linq_async', *sys.argv[1:]])\n"
    (tmp_path / "linq-async").write_text(f"#!{sys.executable}\n{shim}")
    (tmp_path / "linq-async").chmod(0o755)
    async with Sandbox() as sandbox:
        path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
        variables = environment(sandbox) | {"PATH": path}
        shell = await asyncio.create_subprocess_exec("sh", "-e", "-c", commands, cwd=tmp_path, env=variables)
        assert await shell.wait() == 0
        assert sorted(message.text or "" for message in sandbox.messages) == [
            "Hi Mira, we open at ten.",
            "Hi Theo, we open at ten.",
        ]
    assert [line.split(",")[5] for line in (tmp_path / "report.csv").read_text().splitlines()[1:]] == ["sent", "sent"]


def test_the_bot_of_the_readme() -> None:
    """The README shows the bot of docs/examples, which the next test runs."""
    parts = [block.code for block in of_kind("part") if block.page == "README.md"]
    assert (EXAMPLES / "echo_bot.py").read_text(encoding="utf-8") in parts


@pytest.mark.asyncio
async def test_bot(tmp_path: Path) -> None:
    """The bot answers a message that is received by the command in bots.md."""
    command = shlex.split(next(line for line in _lines("bots.md") if line.startswith("curl ")))
    url, (name, _, value), body = command[1], command[3].partition(": "), command[5]
    async with Sandbox() as sandbox, serving(sandbox, tmp_path, "-c", ECHO_BOT) as bot:
        await sandbox.subscribe(bot, secret=SECRET)
        async with (
            aiohttp.ClientSession(sandbox.base_url) as session,
            session.post(urlsplit(url).path, data=body, headers={name: value}) as response,
        ):
            assert response.status == 200, await response.text()
        assert await written_back(sandbox, lambda: len(sandbox.messages) == 2) == ["You said: Hello?"]
