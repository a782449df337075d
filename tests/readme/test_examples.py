"""Run the examples in the README, unchanged, against a sandbox."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from linq_async import errors
from linq_async.sandbox import LoggedRequest, Sandbox
from linq_async.wire.request import RawResponse
from linq_async.wire.response import error_class
from tests.examples.processes import SECRET, serving, written_back
from tests.support.clients import refusal_of

README = Path(__file__).parents[2] / "README.md"
FASTAPI_DRIVER = """
from fastapi.testclient import TestClient

with TestClient(app) as http:
    good, bad = http.post("/greet/+13343284472"), http.post("/greet/nobody")
    assert (good.status_code, good.json()["message"]["text"]) == (200, "Welcome!"), good.text
    assert (bad.status_code, bad.json()["outcome"]) == (422, "not_sent"), bad.text
"""
ECHO_BOT = """
import functools, runpy, uvicorn

uvicorn.run = functools.partial(uvicorn.run, port=0)
runpy.run_module("echo_bot", run_name="__main__")
"""
PYTEST_DRIVER = """
import sys
scope = "asyncio_default_fixture_loop_scope=function"
if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "linq_async.testing", "-o", scope, __file__]))
"""


def examples() -> dict[str, str]:
    """Return the Python examples in the README, by the heading of their section."""
    sections = re.split(r"^## ", README.read_text(), flags=re.MULTILINE)
    blocks: dict[str, str] = {}
    for section in sections:
        title = section.partition("\n")[0].strip("# ")
        for code in re.findall(r"^```python\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL):
            blocks[title] = code
    return blocks


EXAMPLES = examples()


async def run(code: str, sandbox: Sandbox, folder: Path) -> str:
    """Run an example as a script, with warnings as errors, and return its output."""
    script = folder / "example.py"
    script.write_text(code)
    path = os.pathsep.join([str(README.parent), os.environ.get("PYTHONPATH", "")])
    variables = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": sandbox.token, "PYTHONPATH": path}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(script)),
        cwd=folder,
        env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


def test_first_screen_has_a_working_call() -> None:
    """The first 30 lines contain a complete call."""
    lines = README.read_text().splitlines()
    assert any("linq.chats.create(" in line for line in lines[:30])


def test_every_example_is_tested() -> None:
    """Every Python example in the README is run by a test."""
    assert set(EXAMPLES) == {*SCRIPTS, "In a bot", "In a FastAPI handler", "In your tests"}


SCRIPTS = {
    "linq_async": (1, "pending"),
    "One key, one message": (1, "unknown: message 900001 has this key"),
    "Files": (1, "quote.pdf"),
    "Bulk sends": (2, "Counts(pending=0, begun=0, sent=2, failed=0, unknown=0, skipped=0)"),
    "The rest of the API": (2, "iMessage True"),
    "Anything else": (0, "200 sandbox-1"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("title", SCRIPTS)
async def test_script(title: str, tmp_path: Path) -> None:
    """An example runs unchanged, prints the expected output, and stores each of its messages once."""
    stored, printed = SCRIPTS[title]
    async with Sandbox() as sandbox:
        assert printed in await run(EXAMPLES[title], sandbox, tmp_path)
        assert len(sandbox.messages) == stored
        assert [key for key in map(_key, sandbox.requests) if re.search(r"(\D?\d){7}", key)] == []


def _key(request: LoggedRequest) -> str:
    """Return the key that the caller passed, or nothing for a random one or a hash that the package generated."""
    key = request.idempotency_key or ""
    return "" if re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}", key) else key


def test_no_key_contains_a_number() -> None:
    """The README says that keys are logged, and no documentation or code puts a number or a name into one."""
    assert "Keys are logged" in README.read_text()
    root = README.parent
    texts = [README, *root.glob("docs/*.md"), *root.glob("benchmarks/*"), *(root / "linq_async").rglob("*.py")]
    personal = re.compile(r"""key\w*\s*=\s*f["'][^"']*\{[^}]*(number|phone|recipient|handle|email|name|text)""")
    assert personal.search("idempotency_key=f'opening-{number}'")
    assert [text.name for text in texts if text.is_file() and personal.search(text.read_text(errors="replace"))] == []


def test_table_of_errors_has_every_status() -> None:
    """For each status, the table of errors has a row with its class and its outcome."""
    rows = [row for row in README.read_text().splitlines() if row.startswith("| `") and row.count("|") == 4]
    for status in (*range(300, 309), *range(400, 600)):
        error = refusal_of(RawResponse(status, {}, b""))
        name, family = f"`{error_class(status).__name__}`", f"{status // 100}xx"
        found = [row for row in rows if re.search(rf"{name}( for)? ({status}|{family})", row)]
        found = found or [row for row in rows if f"{name} for 499 and any other {family} but 408" in row]
        assert [error.outcome.name in row.rpartition(" | ")[2] for row in found] == [True], status


def test_table_of_errors_has_every_class() -> None:
    """The table of errors names each public exception except for the base class."""
    rows = "\n".join(row for row in README.read_text().splitlines() if row.startswith("| `"))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LinqError)]
    assert [kind.__name__ for kind in kinds if f"`{kind.__name__}`" not in rows] == ["LinqError"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_bulk_script_twice(tmp_path: Path) -> None:
    """Running the bulk example twice, also with a new journal, stores each message once."""
    async with Sandbox() as sandbox:
        for _ in range(2):
            await run(EXAMPLES["Bulk sends"], sandbox, tmp_path)
        (tmp_path / "opening.db").unlink()
        await run(EXAMPLES["Bulk sends"], sandbox, tmp_path)
        assert (len(sandbox.messages), len(sandbox.requests)) == (2, 4)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_bulk_commands(tmp_path: Path) -> None:
    """The commands of the section on bulk sends run in a shell: a dry run, a send and a report."""
    (commands,) = re.findall(r"^```console\n(linq-async bulk.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    people = ["phone_number,first_name", "+13343284472,Mira", "(334) 471-3465,Theo"]
    (tmp_path / "people.csv").write_text("\n".join(people))
    shim = f"import os, sys\nos.execv(sys.executable, [{sys.executable!r}, '-m', 'linq_async', *sys.argv[1:]])\n"
    (tmp_path / "linq-async").write_text(f"#!{sys.executable}\n{shim}")
    (tmp_path / "linq-async").chmod(0o755)
    async with Sandbox() as sandbox:
        variables = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": sandbox.token}
        path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
        environment = os.environ | variables | {"PATH": path, "PYTHONPATH": str(README.parent)}
        shell = await asyncio.create_subprocess_exec("sh", "-e", "-c", commands, cwd=tmp_path, env=environment)
        assert await shell.wait() == 0
        assert sorted(message.text or "" for message in sandbox.messages) == [
            "Hi Mira, we open at ten.",
            "Hi Theo, we open at ten.",
        ]
    assert [line.split(",")[5] for line in (tmp_path / "report.csv").read_text().splitlines()[1:]] == ["sent", "sent"]


@pytest.mark.asyncio
async def test_bot(tmp_path: Path) -> None:
    """The bot answers a message that is received as the README says, and is the one in docs/examples."""
    assert EXAMPLES["In a bot"] == (README.parent / "docs/examples/echo_bot.py").read_text()
    command = shlex.split(next(line for line in README.read_text().splitlines() if line.startswith("curl ")))
    url, (name, _, value), body = command[1], command[3].partition(": "), command[5]
    async with Sandbox() as sandbox, serving(sandbox, tmp_path, "-c", ECHO_BOT) as bot:
        await sandbox.subscribe(bot, secret=SECRET)
        async with (
            aiohttp.ClientSession(sandbox.base_url) as session,
            session.post(urlsplit(url).path, data=body, headers={name: value}) as response,
        ):
            assert response.status == 200, await response.text()
        assert await written_back(sandbox, lambda: len(sandbox.messages) == 2) == ["You said: Hello?"]


@pytest.mark.asyncio
async def test_fastapi_handler(tmp_path: Path) -> None:
    """The handler returns the chat, and turns an error into an HTTP response."""
    # FastAPI's test client raises a warning of its own.
    code = EXAMPLES["In a FastAPI handler"] + "import warnings\nwarnings.simplefilter('ignore')\n" + FASTAPI_DRIVER
    async with Sandbox() as sandbox:
        await run(code, sandbox, tmp_path)
        assert [message.text for message in sandbox.messages] == ["Welcome!"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_tests_with_fixtures(tmp_path: Path) -> None:
    """The example tests pass under pytest."""
    async with Sandbox() as sandbox:
        assert "2 passed" in await run(EXAMPLES["In your tests"] + PYTEST_DRIVER, sandbox, tmp_path)
