"""The examples of docs/examples, each in a process of its own, against a sandbox that delivers to it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from linq_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
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
    assert not {b"ERROR", b"Traceback"} & {word.strip(b":") for word in said.split()}, said.decode()


async def written_back(sandbox: Sandbox, ready: Callable[[], bool]) -> list[str]:
    """Wait until a bot has done something, and return the texts that it has sent."""
    async with asyncio.timeout(PATIENCE):
        async for _ in sandbox.changes.follow(0):
            if ready():
                return [message.text for message in sandbox.messages if message.from_me]
    raise AssertionError
