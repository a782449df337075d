"""Forks, new processes and Ctrl-C: each message is sent once, and an interrupted send is reported."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.scripted_server import ScriptedServer

from . import broken_wire
from .poisoner import Poisoner

STRICT = ("-W", "error", "-X", "dev", "-c")
HEAD = """
import asyncio, os, sys
from linq_async import ClientStateError, LinqClient

linq = LinqClient("token", base_url=sys.argv[1])

async def send(key):
    chat = await linq.chats.create(
        send_from="+15175269229", phone_numbers=["+13343284472", "+13344713465"], text="Hello!", idempotency_key=key
    )
    return chat.attempts
"""
FORK_BETWEEN_RUNS = (
    HEAD
    + """
asyncio.run(send("parent-1"))
child = os.fork()
if child == 0:
    print("child", asyncio.run(send("child-1")), asyncio.run(send("child-2")), flush=True)
    os._exit(0)
print("parent", asyncio.run(send("parent-2")), os.waitpid(child, 0)[1])
"""
)
FORK_WITHIN_A_RUN = (
    HEAD
    + """
async def main():
    await send("parent-1")
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(send("child-1"))
        except ClientStateError as error:
            print("child", error.outcome, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("parent", await send("parent-2"))
    await linq.aclose()

asyncio.run(main())
"""
)
SPAWN = (
    """
import multiprocessing, sys

def send(url, number):
    import asyncio
    from linq_async import LinqClient

    async def main():
        async with LinqClient("token", base_url=url) as linq:
            chat = await linq.chats.create(
                send_from="+15175269229", phone_numbers=["+13343284472", "+13344713465"], text="Hello!",
                idempotency_key="shared",
            )
            return chat.message.id
    return asyncio.run(main())
"""
    """
if __name__ == "__main__":
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(len(set(pool.map(send, [sys.argv[1]] * 4, range(4)))))
"""
)
INTERRUPTED = (
    HEAD
    + """
import gc
records = []
watched = linq.with_options(on_attempt=records.append)

async def main():
    global linq
    linq = watched
    print("ready", flush=True)
    await send("order-1017")

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", *[(record.idempotency_key, str(record.outcome)) for record in records if record.finished])
del linq, watched
gc.collect()
"""
)


@dataclass
class Ended:
    """What a process left."""

    code: int | None
    out: list[str]
    err: str


async def started(script: str, url: str, *flags: str) -> asyncio.subprocess.Process:
    """Run a script in a process of its own, in which a warning is an error, and Ctrl-C is not ignored."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *(flags or STRICT),
        script,
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """Wait for its end."""
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Ended(process.returncode, out.decode().splitlines(), err.decode())


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_fork_between_two_runs() -> None:
    """A client that served before a fork serves on in the parent and in the child, each on its own connections."""
    with Poisoner() as server:
        end = await ended(await started(FORK_BETWEEN_RUNS, server.url))
    assert (end.code, end.err) == (0, "")
    assert sorted(end.out) == ["child 1 1", "parent 1 0"]
    assert sorted(server.stored) == ["child-1", "child-2", "parent-1", "parent-2"]
    assert server.requests == 4


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_fork_within_a_run() -> None:
    """In a child that was forked while the client's loop lived, the client refuses, and the parent's serves on."""
    with Poisoner() as server:
        end = await ended(await started(FORK_WITHIN_A_RUN, server.url))
    assert (end.code, end.out) == (0, ["child not_sent", "parent 1"])
    assert sorted(server.stored) == ["parent-1", "parent-2"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_spawned_processes_share_a_key(tmp_path: Path) -> None:
    """Fresh processes that send under one key have one message between them."""
    path = tmp_path / "spawn.py"
    path.write_text(SPAWN)
    with Poisoner() as server:
        end = await ended(await started(str(path), server.url, "-W", "error"))
    assert (end.code, end.out, end.err) == (0, ["1"], "")
    assert list(server.stored) == ["shared"]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_ctrl_c_while_a_send_is_under_way() -> None:
    """Ctrl-C ends the run at once, the record of the attempt says UNKNOWN with its key, and Python warns of nothing."""
    async with ScriptedServer(default=broken_wire.no_answer.storing()) as server:
        process = await started(INTERRUPTED, server.url)
        await server.arrived(1)
        process.send_signal(signal.SIGINT)
        end = await ended(process)
    assert (end.code, end.err) == (0, "")
    assert end.out == ["ready", "interrupted ('order-1017', 'unknown')"]
    assert len(server.stored) == 1
