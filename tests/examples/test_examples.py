"""Run each example of docs/examples in a process of its own, against a sandbox that delivers to it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from linq_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
PERSON = "+13343284472"
SECRET = "secret-of-the-tests"
PATIENCE = 30.0
UVICORN = ("-m", "uvicorn", "--port", "0", "--log-level", "info")


def environment(sandbox: Sandbox | None = None) -> dict[str, str]:
    """Return the environment of a process that finds the examples and the package, and uses the sandbox."""
    path = os.pathsep.join([str(EXAMPLES), str(ROOT), os.environ.get("PYTHONPATH", "")])
    variables = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if sandbox is not None:
        variables |= {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": sandbox.token}
        variables |= {"LINQ_WEBHOOK_SECRET": SECRET}
    return os.environ | variables


@asynccontextmanager
async def serving(sandbox: Sandbox, folder: Path, *command: str) -> AsyncGenerator[str]:
    """Run a server until the block is left, and yield its URL, which it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", *command),
        cwd=folder,
        env=environment(sandbox),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            async for line in process.stdout:
                _, found, rest = line.decode().partition("unning on ")
                if found:
                    yield rest.split()[0]
                    break
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
    assert process.returncode in (0, -signal.SIGTERM), said.decode()
    assert b"rror" not in said, said.decode()


async def written_back(sandbox: Sandbox, ready: Callable[[], bool]) -> list[str]:
    """Wait until a bot has done something, and return the texts that it has sent."""
    async with asyncio.timeout(PATIENCE):
        async for _ in sandbox.changes.follow(0):
            if ready():
                return [message.text for message in sandbox.messages if message.from_me]
    raise AssertionError


@pytest.mark.slow
@pytest.mark.asyncio
async def test_echo_bot(tmp_path: Path) -> None:
    """The echo bot answers a message with its text."""
    async with Sandbox() as sandbox, serving(sandbox, tmp_path, *UVICORN, "echo_bot:app") as url:
        await sandbox.subscribe(url, secret=SECRET)
        await sandbox.receive(from_=PERSON, text="Hello?")
        assert await written_back(sandbox, lambda: len(sandbox.messages) == 2) == ["You said: Hello?"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_fastapi_service(tmp_path: Path) -> None:
    """The service sends a reminder, and answers a message."""
    async with (
        Sandbox() as sandbox,
        serving(sandbox, tmp_path, *UVICORN, "fastapi_service:app") as url,
        aiohttp.ClientSession(url) as session,
    ):
        await sandbox.subscribe(f"{url}/linq/webhooks", secret=SECRET)
        async with session.post("/visits/7/reminder", json={"number": PERSON}) as response:
            assert response.status == 202
        async with session.post("/visits/8/reminder", json={"number": "nobody"}) as response:
            assert (response.status, response.content_type) == (422, "application/problem+json")
        await sandbox.receive(from_=PERSON, text="Can I come later?")
        sent = await written_back(sandbox, lambda: len(sandbox.messages) == 3)
        assert sent == ["See you at nine.", "Thank you! We will call you back."]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_aiohttp_bot(tmp_path: Path) -> None:
    """The bot loves a picture, and answers three messages at once."""
    command = ("-m", "aiohttp.web", "-P", "0", "aiohttp_bot:make_app")
    async with Sandbox() as sandbox, serving(sandbox, tmp_path, *command) as url:
        await sandbox.subscribe(f"{url}/linq/webhooks", secret=SECRET)
        picture = await sandbox.receive(from_=PERSON, attachments=[("cake.png", b"\x89PNG")])
        await asyncio.gather(*[sandbox.reply(picture.chat_id, text) for text in ("Nice?", "Or not?", "Tell me!")])
        sent = await written_back(sandbox, lambda: len(sandbox.messages) == 5)
        assert sent == ["We got 3 messages from you, and answer soon."]
        assert [one.kind for one in sandbox.messages[0].reactions.values()] == ["love"]
        async with aiohttp.ClientSession(url) as session, session.get("/lines") as response:
            assert await response.json() == list(sandbox.phone_numbers)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_tests_of_the_fastapi_service() -> None:
    """The example of tests passes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert (process.returncode, said.count(b"4 passed")) == (0, 1), said.decode()
