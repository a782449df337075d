"""The threads in which files are read."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from linq_async.transport import threads
from linq_async.transport.threads import FileThreads, in_thread, result_of
from linq_async.uploads import SourceError

PATIENCE = 10.0


def _fails() -> None:
    raise KeyError("x")


def test_a_call_gives_its_result_or_its_error() -> None:
    """A future has what its call returned, or what it raised."""
    pool = FileThreads()
    assert pool.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
    assert isinstance(pool.submit(_fails).exception(PATIENCE), KeyError)


@pytest.mark.asyncio
async def test_a_result_that_is_there_leaves_the_loop_a_turn() -> None:
    """To wait for what is done already lets others run, so that a fast disk cannot keep the loop for itself."""
    done, turns = in_thread(int), list[int]()
    done.result(PATIENCE)
    asyncio.get_running_loop().call_soon(turns.append, 1)
    assert (await result_of(done), turns) == (0, [1])


@pytest.mark.asyncio
async def test_a_cancelled_wait_cancels_a_call_that_has_not_begun() -> None:
    """A call that waits for a thread is dropped with those who wait for it."""
    pool, begun, release = FileThreads(max_threads=1), threading.Event(), threading.Event()

    def run() -> int:
        begun.set()
        return int(release.wait(PATIENCE))

    running, waiting = pool.submit(run), pool.submit(int)
    assert begun.wait(PATIENCE)
    for future in (running, waiting):
        task = asyncio.ensure_future(result_of(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (running.cancelled(), waiting.cancelled()) == (False, True)
    release.set()
    assert running.result(PATIENCE)


def test_an_idle_thread_is_used_again() -> None:
    """Calls one after another share a thread; calls at once have one each."""
    pool, barrier = FileThreads(), threading.Barrier(3)
    together = [pool.submit(barrier.wait) for _ in range(3)]
    assert sorted(future.result(PATIENCE) for future in together) == [0, 1, 2]
    for _ in range(20):
        pool.submit(int).result(PATIENCE)
    assert pool.count == 3


def test_no_more_threads_than_the_limit() -> None:
    """Calls beyond the limit wait for a thread, in their order, and one that is cancelled meanwhile never runs."""
    pool, release, ran = FileThreads(max_threads=1), threading.Event(), list[int]()
    first = pool.submit(release.wait, PATIENCE)
    others = [pool.submit(ran.append, number) for number in range(3)]
    assert others[1].cancel()
    assert pool.count == 1
    release.set()
    assert first.result(PATIENCE)
    others[2].result(PATIENCE)
    assert ran == [0, 2]


def test_threads_that_have_nothing_to_do_end() -> None:
    """An idle thread ends after a while, and a later call has a new one."""
    pool = FileThreads(idle_seconds=0.01)
    thread = pool.submit(threading.current_thread).result(PATIENCE)
    thread.join(PATIENCE)
    assert (thread.is_alive(), thread.daemon, pool.count) == (False, True, 0)
    assert pool.submit(int).result(PATIENCE) == 0


def test_a_system_without_threads_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the first thread cannot be started, the call ends in an error instead of waiting for ever."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    pool = FileThreads()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert isinstance(pool.submit(int).exception(PATIENCE), SourceError)
    assert pool.count == 0


def test_a_system_with_few_threads_makes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no further thread can be started, the call waits for one that there is."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    pool, release = FileThreads(), threading.Event()
    busy = pool.submit(release.wait, PATIENCE)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    waiting = pool.submit(int)
    assert not waiting.done()
    release.set()
    assert (busy.result(PATIENCE), waiting.result(PATIENCE), pool.count) == (True, 0, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """A child of a process that has read files can read files, too."""
    in_thread(int).result(PATIENCE)
    child = os.fork()
    if child == 0:
        try:
            os._exit(threads.in_thread(int, "7").result(PATIENCE))
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
