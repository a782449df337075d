"""Run the service whose sends go through a queue: Valkey, a worker and the service, each in a process of its own."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from linq_async.sandbox import Sandbox

from .processes import EXAMPLES, PATIENCE, SECRET, UVICORN, environment, serving, written_back

PERSON = "+13343284472"


@asynccontextmanager
async def running(sandbox: Sandbox, folder: Path, *command: str) -> AsyncGenerator[None]:
    """Run a program until the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=folder, env=environment(sandbox), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            await process.wait()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_service_with_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service answers 202 before anything is sent; a worker sends it, and answers a message."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    monkeypatch.setenv("VALKEY_PORT", port)
    monkeypatch.setenv("LINQ_BROKER", f"redis://127.0.0.1:{port}")
    worker = ("-m", "taskiq", "worker", "queue_tasks:broker", "--workers", "1", "--max-async-tasks", "50")
    async with (
        Sandbox() as sandbox,
        running(sandbox, tmp_path, str(EXAMPLES / "valkey_here.py")),
        serving(sandbox, tmp_path, *UVICORN, "queue_service:app") as url,
        aiohttp.ClientSession(url) as session,
    ):
        for _ in range(2):  # a repeated request
            async with session.post("/visits/7/reminder", json={"number": PERSON}) as response:
                assert (response.status, await response.json()) == (202, {"key": "visit-7"})
        async with session.get("/messages/visit-7") as response:
            assert await response.json() == {"state": "queued"}
        assert sandbox.messages == []
        await sandbox.subscribe(f"{url}/linq/webhooks", secret=SECRET)
        async with running(sandbox, tmp_path, *worker):
            await written_back(sandbox, lambda: bool(sandbox.messages))
            await sandbox.receive(from_=PERSON, text="Can I come later?")
            sent = await written_back(sandbox, lambda: len(sandbox.messages) == 3)
        assert sent == ["See you at nine.", "Thank you! We will call you back."]
        async with session.get("/messages/visit-7") as response:
            found = await response.json()
        assert found == {"state": "sent", "message_id": sandbox.messages[0].id, "error": None}
