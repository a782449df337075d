"""The sandbox on a thread of its own: its life, and what other threads may do to it meanwhile."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from linq_async.sandbox import Faults, LoggedRequest, Sandbox
from linq_async.sandbox.files import UploadedFile
from linq_async.sandbox.limits import Limits, Storage
from linq_async.sandbox.threaded import ThreadedSandbox

from .calls import MIRA, new_chat

PATH = "/api/partner/v2/chats"


@pytest.fixture
def sandbox() -> Iterator[ThreadedSandbox]:
    """Run a sandbox until the test ends."""
    with ThreadedSandbox() as sandbox:
        yield sandbox


async def post(sandbox: Sandbox, *keys: str) -> list[int]:
    """Send one message for each key, and return the statuses."""
    headers = {"X-LINQ-INTEGRATION-TOKEN": sandbox.token}
    statuses: list[int] = []
    async with aiohttp.ClientSession(sandbox.base_url, headers=headers) as session:
        for key in keys:
            async with session.post(PATH, json=new_chat(key)) as answer:
                await answer.read()
                statuses.append(answer.status)
    return statuses


def threads() -> list[str]:
    """Return the names of the sandboxes' threads that are alive."""
    return [thread.name for thread in threading.enumerate() if thread.name == "linq-sandbox"]


def test_life() -> None:
    """It answers while it is entered, starts once only, keeps what it stored, and leaves no thread behind."""
    sandbox = ThreadedSandbox()
    with sandbox:
        assert asyncio.run(post(sandbox, "one")) == [200]
        with pytest.raises(RuntimeError, match="already running"), sandbox:
            pass
    assert threads() == []
    assert [message.idempotency_key for message in sandbox.messages] == ["one"]
    with sandbox:
        assert asyncio.run(post(sandbox, "two")) == [200]
    assert [message.idempotency_key for message in sandbox.messages] == ["one", "two"]


def test_a_port_that_is_taken() -> None:
    """What keeps it from listening is raised to the caller, and its thread ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sandbox = ThreadedSandbox(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            sandbox.__enter__()
    assert threads() == []


@pytest.mark.asyncio
async def test_on_the_loop_of_the_caller() -> None:
    """It may be started and closed on a loop, and its answers do not need that loop."""
    async with ThreadedSandbox() as sandbox:
        assert await post(sandbox, "one") == [200]
        assert len(sandbox.messages) == len(sandbox.chats) == 1
    assert threads() == []


def test_reset(sandbox: ThreadedSandbox) -> None:
    """Another thread may empty it, scripted faults included."""
    asyncio.run(post(sandbox, "one"))
    sandbox.faults.answer(503)
    sandbox.reset()
    assert (sandbox.messages, sandbox.chats, len(sandbox.requests), sandbox.faults.pending) == ([], [], 0, 0)


def test_a_listener_that_looks_at_the_sandbox() -> None:
    """``on_request`` is called on the sandbox's thread, and may use the sandbox there."""
    seen: list[tuple[str, int]] = []

    def note(entry: LoggedRequest) -> None:
        seen.append((threading.current_thread().name, len(watched.messages)))

    watched = ThreadedSandbox(on_request=note)
    with watched:
        asyncio.run(post(watched, "one"))
    assert seen == [("linq-sandbox", 1)]


def test_each_scripted_fault_happens_once(sandbox: ThreadedSandbox) -> None:
    """Faults that other threads script while requests come in are neither lost nor used twice."""
    count = 40

    def script() -> None:
        for _ in range(count):
            sandbox.faults.answer(503)
            assert sandbox.faults.pending >= 0
            assert len(sandbox.messages) <= len(sandbox.requests)

    with ThreadPoolExecutor(3) as pool:
        scripting: list[Callable[[], object]] = [pool.submit(script).result, pool.submit(script).result]
        statuses = asyncio.run(post(sandbox, *(f"during-{n}" for n in range(count))))
        for result in scripting:
            result()
    statuses += asyncio.run(post(sandbox, *(f"after-{n}" for n in range(2 * count))))
    assert (statuses.count(503), sandbox.faults.pending) == (2 * count, 0)
    assert len(sandbox.messages) == statuses.count(200)


def test_a_file_that_two_threads_read() -> None:
    """A test may read an uploaded file while the server serves it: neither moves the other's place."""
    file = UploadedFile("a.txt", None, Storage(Limits()))
    file.write(b"0123456789")
    reading = threading.Thread(target=file.read)
    content = file._content

    class Interrupted:
        def seek(self, offset: int) -> None:
            content.seek(offset)
            if threading.current_thread() is not reading:
                reading.start()
                reading.join(0.05)  # it has to wait for the end of what is under way

        read = content.read

    file._content = Interrupted()  # type: ignore[assignment]
    assert file.read(2, 3) == b"234"
    reading.join()


def test_faults_that_are_forgotten_while_one_is_used() -> None:
    """A request either meets the faults as they are or as they are after another thread has cleared them."""
    faults = Faults()
    faults.answer(503, phone_number=MIRA)
    clearing = threading.Thread(target=faults.clear)

    def numbers() -> frozenset[str]:
        clearing.start()
        clearing.join(0.05)  # it has to wait for the end of what is under way
        return frozenset({MIRA})

    plan = faults.take("POST", PATH, numbers)
    clearing.join()
    assert (plan.name, faults.pending) == ("answer 503", 0)
