"""Run each example of docs/examples. That of the echo bot is run by tests/docs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest

from linq_async.sandbox import Sandbox

from .processes import EXAMPLES, ROOT, SECRET, UVICORN, environment, serving, written_back

PERSON = "+13343284472"


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
async def test_stateful_bot(tmp_path: Path) -> None:
    """The handlers of the bot get the state that its lifespan makes."""
    async with Sandbox() as sandbox, serving(sandbox, tmp_path, *UVICORN, "stateful_bot:app") as url:
        await sandbox.subscribe(f"{url}/linq/webhooks", secret=SECRET)
        first = await sandbox.receive(from_=PERSON, text="Soup")
        await written_back(sandbox, lambda: len(sandbox.messages) == 2)
        await sandbox.reply(first.chat_id, "What else?")
        sent = await written_back(sandbox, lambda: len(sandbox.messages) == 4)
        assert sent == ["5 dollars", "We have soup, bread."]


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
