"""A file that blocks ends its own send, and delays nothing else."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from linq_async import ClientStateError, Outcome, RetryPolicy, Timeouts, Upload, UploadError
from linq_async.transport import attachments
from linq_async.wire.body import File

from .kinds import BIG, Workshop
from .recorder import Recorder
from .sending import client, leaving_nothing, send

SHORT = Timeouts(write=0.08)


class Stuck:
    """A readable object whose read does not return until it is released."""

    name = "stuck.bin"

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def read(self, size: int = -1) -> bytes:
        self.entered.set()
        self.released.wait()
        return b""


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Give an object that is stuck until the test is over."""
    made = Stuck()
    yield made
    made.released.set()


async def failed(sending: Any) -> UploadError:
    """Return the UploadError that a send ends in."""
    with pytest.raises(UploadError) as caught:
        await sending
    return caught.value


@pytest.mark.asyncio
async def test_a_stuck_read_ends_its_send(server: Recorder, stuck: Stuck) -> None:
    """A read that gives nothing for the write limit ends the send before anything has left, with the index."""
    async with leaving_nothing(server, timeouts=SHORT) as linq:
        error = await failed(send(linq, Upload.from_bytes(b"x", filename="a.txt"), stuck))  # type: ignore[arg-type]
    assert (error.attempts, error.outcome, server.log) == (0, Outcome.NOT_SENT, [])
    assert error.message == "attachments[1] cannot be read: nothing came for 0.08 s"


@pytest.mark.asyncio
async def test_a_pipe_that_nobody_fills_ends_its_send(server: Recorder, workshop: Workshop) -> None:
    """An open pipe without data is an UploadError, not an endless wait."""
    reading, writing = os.pipe()
    pipe = workshop.enter_context(os.fdopen(reading, "rb"))
    workshop.enter_context(os.fdopen(writing, "wb"))
    async with client(server, timeouts=SHORT) as linq:
        error = await failed(send(linq, Upload.from_file(pipe, filename="a.bin")))
    assert error.outcome is Outcome.NOT_SENT


@pytest.mark.asyncio
async def test_stuck_reads_hold_up_no_other_send(server: Recorder, workshop: Workshop) -> None:
    """Beside 40 stuck reads, files of every kind are sent, by the same client and by another one."""
    stuck = [Stuck() for _ in range(40)]
    path, packed = workshop.file("a.bin"), workshop.file("a.gz", gzip.compress(BIG, 1))
    async with client(server) as linq, client(server) as other:
        waiting = [asyncio.create_task(send(linq, one)) for one in stuck]  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            while not all(one.entered.is_set() for one in stuck):  # noqa: ASYNC110  # threads set no event of the loop
                await asyncio.sleep(0)
            for each in (linq, other):
                await send(each, path, idempotency_key="path")
                await send(each, workshop.enter_context(path.open("rb")), idempotency_key="handle")
                unpacked: Any = workshop.enter_context(gzip.GzipFile(packed))
                await send(each, unpacked, idempotency_key="unpacked")
        assert not any(task.done() for task in waiting)
        for one in stuck:
            one.released.set()
        await asyncio.gather(*waiting)
    assert [BIG in request.body for request in server.log] == [True] * 6 + [False] * 40


@pytest.mark.asyncio
async def test_the_loop_keeps_its_own_threads(
    server: Recorder, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is measured or read in the loop's default executor, which has few threads and resolves host names."""

    def refuse(*_: object) -> None:
        raise AssertionError("the default executor was used")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    async with client(server) as linq:
        await send(linq, workshop.file("a.bin"), workshop.opened("b.bin"))
    assert server.log[0].body.count(BIG) == 2


@pytest.mark.asyncio
async def test_the_same_stuck_object_ends_each_send(server: Recorder, stuck: Stuck) -> None:
    """Three sends of one stuck object each end by the limit: those that wait for their turn, too."""
    async with client(server, timeouts=SHORT) as linq:
        errors = await asyncio.gather(*(failed(send(linq, stuck)) for _ in range(3)))  # type: ignore[arg-type]
    assert {error.outcome for error in errors} == {Outcome.NOT_SENT}


class Trickle:
    """A readable object that gives a byte for each read, as long as it is let."""

    name = "trickle.bin"

    def __init__(self) -> None:
        self.over = threading.Event()

    def read(self, size: int = -1) -> bytes:
        return b"" if self.over.wait(0.001) else b"x"


@pytest.mark.asyncio
async def test_a_read_that_moves_is_ended_by_the_limit_of_the_call(server: Recorder) -> None:
    """An object that keeps giving bytes is not stuck, but ends with the seconds of the whole call."""
    trickle, policy = Trickle(), RetryPolicy(max_elapsed=0.1)
    async with client(server, timeouts=Timeouts(write=0.05), retry=policy) as linq:
        error = await failed(send(linq, trickle))  # type: ignore[arg-type]
    trickle.over.set()
    assert error.reason == "cannot be read within 0.1 s"


@pytest.mark.asyncio
async def test_no_write_limit_is_none_on_files(server: Recorder, stuck: Stuck) -> None:
    """Without a write limit a blocked read ends with the total limit of the call."""
    policy = RetryPolicy(max_elapsed=0.06)
    async with client(server, timeouts=Timeouts(write=None), retry=policy) as linq:
        error = await failed(send(linq, stuck))  # type: ignore[arg-type]
    assert error.reason == "cannot be read within 0.06 s"


@pytest.mark.asyncio
async def test_a_read_that_ended_while_the_loop_was_busy_counts(server: Recorder, stuck: Stuck) -> None:
    """A loop that was blocked for longer than the limit takes what was read meanwhile."""
    async with client(server, timeouts=SHORT) as linq:
        sending = asyncio.create_task(send(linq, stuck))  # type: ignore[arg-type]
        while not stuck.entered.is_set():  # noqa: ASYNC110  # a thread sets no event of the loop
            await asyncio.sleep(0)
        stuck.released.set()
        time.sleep(0.1)  # noqa: ASYNC251  # the loop is blocked, that is the point
        assert (await sending).attempts == 1


@pytest.mark.asyncio
async def test_a_send_that_measures_ends_with_its_client(server: Recorder, stuck: Stuck) -> None:
    """``aclose`` ends a send whose file is stuck, without waiting for the file."""
    async with client(server, timeouts=Timeouts(write=0.2)) as linq:
        sending = asyncio.create_task(send(linq, stuck))  # type: ignore[arg-type]
        while not stuck.entered.is_set():  # noqa: ASYNC110  # a thread sets no event of the loop
            await asyncio.sleep(0)
        await linq.aclose()
        with pytest.raises(ClientStateError) as caught:
            await sending
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.asyncio
async def test_a_send_that_measures_can_be_cancelled(server: Recorder, stuck: Stuck) -> None:
    """A caller's time-out ends a send whose file is stuck at once, and nothing of it is left on the loop."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await send(linq, stuck)  # type: ignore[arg-type]
    assert server.log == []


def _waits_for(writer: attachments.AttachmentWriter) -> Upload | None:
    return writer.waits_for


@pytest.mark.asyncio
async def test_the_writer_says_what_it_waits_for(stuck: Stuck) -> None:
    """While an attempt waits for a stream's next bytes, it says so: the server is not to blame for the delay."""
    gate, seen = asyncio.Event(), bytearray()

    async def stream() -> AsyncIterator[bytes]:
        yield b"first"
        await gate.wait()
        yield b"second"

    async def write(data: bytes) -> None:
        assert writer.waits_for is None
        seen.extend(data)

    upload = Upload.from_chunks(stream, filename="a.bin")
    writer = attachments.AttachmentWriter(write)
    writing = asyncio.create_task(writer.write(File(upload, None)))
    while not seen or writer.waits_for is None:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert writer.waits_for is upload
    gate.set()
    await writing
    assert bytes(seen) == b"firstsecond"
    assert _waits_for(writer) is None


PROGRAM = """
import asyncio, threading
from linq_async import LinqClient, Timeouts, Upload, UploadError

class Stuck:
    def read(self, size=-1):
        threading.Event().wait()

async def main():
    async with LinqClient("token", base_url="http://127.0.0.1:9", timeouts=Timeouts(write=0.05)) as linq:
        file = Upload.from_file(Stuck(), filename="a.bin")
        try:
            await linq.chats.create(send_from="+1", phone_numbers=["+2"], text="x", attachments=[file])
        except UploadError as error:
            print(error.outcome)

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_stuck_read_does_not_keep_the_program() -> None:
    """A program whose read is stuck for ever ends when its main function does."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=20)
    assert (done.stdout, done.stderr, done.returncode) == ("not_sent\n", "", 0)
