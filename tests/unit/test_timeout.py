"""linq_async/transport/timeout.py: the limits of the phases of an attempt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from linq_async import Timeouts
from linq_async.transport.timeout import AttemptTimeout, DeadlineTimer

FOREVER = float("inf")


class _Timer:
    """A timer of the loop below."""

    def __init__(self, moment: float, call: Callable[[], None]) -> None:
        self.moment, self.call = moment, call
        self.cancelled = False

    def cancel(self) -> None:
        """Let it never fire."""
        self.cancelled = True

    def when(self) -> float:
        """Return when it fires."""
        return self.moment


class _Loop:
    """As much of a loop as a DeadlineTimer asks for, with a time that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[_Timer] = []
        self.made = 0

    def time(self) -> float:
        """Return the time of the clock."""
        return self.now

    def call_at(self, moment: float, call: Callable[[], None]) -> _Timer:
        """Set a timer."""
        self.made += 1
        self.timers.append(_Timer(moment, call))
        return self.timers[-1]

    def move(self, seconds: float) -> None:
        """Let time pass, and fire each timer in its moment, as a loop does that has little to do."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.moment <= end and not timer.cancelled]:
            timer = min(due, key=_Timer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.moment)
            timer.call()
        self.now = end

    def block(self, seconds: float) -> None:
        """Let time pass, and fire what is due at the end of it alone, as a loop does that was busy."""
        self.now += seconds
        self.move(0.0)


class _Transport:
    """As much of a transport as a timeout asks for."""

    def __init__(self, unsent: list[int]) -> None:
        self._unsent = unsent

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not been sent."""
        return self._unsent[0]


@pytest.fixture
def loop() -> _Loop:
    """Make a loop."""
    return _Loop()


@pytest.fixture
def timer(loop: _Loop) -> DeadlineTimer:
    """Make a watch of it."""
    return DeadlineTimer(loop)  # type: ignore[arg-type]


def _timeout(
    timer: DeadlineTimer, timeouts: Timeouts, remaining: float = FOREVER, extra: float = 0.0
) -> AttemptTimeout:
    timeout = AttemptTimeout(timer, timeouts, remaining, extra)
    timeout.watch(_Transport([0]), lambda _: None)  # type: ignore[arg-type]
    return timeout


async def _held(timeout: AttemptTimeout, *steps: Callable[[], None]) -> None:
    """Stay within the timeout, doing one step after the other, until it ends the wait."""
    with timeout:
        for step in steps:
            step()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.Event().wait()


def _stay_connecting(_: AttemptTimeout) -> None:
    """Leave the attempt in its first phase."""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("phase", "seconds", "before"),
    [
        ("connect", 2.0, _stay_connecting),
        ("write", 3.0, AttemptTimeout.body_progress),
        ("read", 5.0, AttemptTimeout.body_sent),
    ],
)
async def test_each_phase_has_its_limit(
    loop: _Loop, timer: DeadlineTimer, phase: str, seconds: float, before: Callable[[AttemptTimeout], None]
) -> None:
    """A phase ends the attempt once its seconds are used up, not before, and is named with its limit."""
    timeout = _timeout(timer, Timeouts(connect=2.0, write=3.0, read=4.0), extra=1.0)
    task = asyncio.create_task(_held(timeout, lambda: before(timeout), lambda: loop.move(seconds - 0.01)))
    for _ in range(8):
        await asyncio.sleep(0)
    assert not task.done()
    loop.move(0.02)
    with pytest.raises(TimeoutError):
        await task
    assert (timeout.phase, timeout.seconds) == (phase, seconds)


@pytest.mark.asyncio
async def test_a_body_that_moves_is_not_late(loop: _Loop, timer: DeadlineTimer) -> None:
    """The write limit counts from the last progress: fifty slow steps pass, a stalled body does not."""
    timeout = _timeout(timer, Timeouts(connect=1.0, write=3.0, read=4.0))
    moves = [timeout.body_progress, lambda: loop.move(2.9)] * 50
    task = asyncio.create_task(_held(timeout, *moves))
    for _ in range(250):
        await asyncio.sleep(0)
    assert not task.done()
    loop.move(0.2)
    with pytest.raises(TimeoutError):
        await task
    assert timeout.phase == "write"


@pytest.mark.asyncio
async def test_moving_a_limit_makes_few_timers(loop: _Loop, timer: DeadlineTimer) -> None:
    """A thousand moves of a limit within its time set no thousand timers."""
    timeout = _timeout(timer, Timeouts(connect=1.0, write=3.0))
    with timeout:
        for _ in range(1_000):
            timeout.body_progress()
            loop.move(0.0001)
    assert loop.made <= 2


@pytest.mark.asyncio
@pytest.mark.parametrize(("total", "remaining"), [(6.0, FOREVER), (None, 6.0), (6.0, 7.0), (7.0, 6.0)])
async def test_the_total_cuts_every_phase(
    loop: _Loop, timer: DeadlineTimer, total: float | None, remaining: float
) -> None:
    """The attempt's total, or what is left of the call, ends it however the phases move."""
    timeout = _timeout(timer, Timeouts(connect=4.0, write=4.0, read=4.0, total=total), remaining)
    steps = [lambda: loop.move(3.0), timeout.body_progress, lambda: loop.move(2.0), timeout.body_sent]
    task = asyncio.create_task(_held(timeout, *steps, lambda: loop.move(1.1)))
    with pytest.raises(TimeoutError):
        await task
    assert (timeout.phase, timeout.seconds) == ("total", 6.0)


@pytest.mark.asyncio
async def test_a_budget_that_is_gone_ends_it_at_once(loop: _Loop, timer: DeadlineTimer) -> None:
    """With nothing left of the call's seconds an attempt does not run on."""
    task = asyncio.create_task(_held(_timeout(timer, Timeouts(), remaining=0.0), lambda: loop.move(0.0)))
    with pytest.raises(TimeoutError):
        await task


@pytest.mark.asyncio
async def test_no_limit_is_no_timer(loop: _Loop, timer: DeadlineTimer) -> None:
    """Without limits nothing ever fires."""
    timeout = _timeout(timer, Timeouts(None, None, None, None))
    with timeout:
        timeout.body_progress()
        timeout.body_sent()
        loop.move(1e9)
    assert not timeout.expired


@pytest.mark.asyncio
@pytest.mark.parametrize("phase", ["connect", "write", "read"])
async def test_a_cancellation_is_no_timeout(loop: _Loop, timer: DeadlineTimer, phase: str) -> None:
    """Cancelling a task in any phase is a CancelledError, and nothing fires afterwards."""
    timeout = _timeout(timer, Timeouts())
    steps = {"connect": [], "write": [timeout.body_progress], "read": [timeout.body_sent]}[phase]
    task = asyncio.create_task(_held(timeout, *steps))
    for _ in range(4):
        await asyncio.sleep(0)
    assert timeout.phase == phase
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    loop.move(1_000.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("first", ["cancelled", "late"])
async def test_a_cancellation_beside_a_timeout_stays_one(loop: _Loop, timer: DeadlineTimer, first: str) -> None:
    """A task that is cancelled in the very moment of its limit stays cancelled."""
    task = asyncio.create_task(_held(_timeout(timer, Timeouts(connect=1.0))))
    await asyncio.sleep(0)
    moves: list[Callable[[], object]] = [task.cancel, lambda: loop.move(2.0)]
    for move in moves if first == "cancelled" else reversed(moves):
        move()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_an_attempt_that_ended_is_left_alone(loop: _Loop, timer: DeadlineTimer) -> None:
    """After its block an attempt's limit touches the task no more, and other errors pass as they are."""
    with _timeout(timer, Timeouts(connect=1.0)):
        pass
    with pytest.raises(KeyError), _timeout(timer, Timeouts(connect=1.0)):
        raise KeyError
    loop.move(10.0)
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.asyncio
async def test_each_of_many_attempts_ends_at_its_own_limit(loop: _Loop, timer: DeadlineTimer) -> None:
    """Attempts that share the timer end in the order of their limits, each by itself."""
    limits = [5.0, 1.0, 3.0, 2.0, 4.0]
    tasks = [asyncio.create_task(_held(_timeout(timer, Timeouts(connect=limit)))) for limit in limits]
    await asyncio.sleep(0)
    for second in range(1, 6):
        loop.move(1.0)
        for _ in range(3):
            await asyncio.sleep(0)
        assert [task.done() for task in tasks] == [limit <= second for limit in limits]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TimeoutError}


@pytest.mark.asyncio
async def test_a_busy_loop_reads_before_it_gives_up(loop: _Loop, timer: DeadlineTimer) -> None:
    """A limit that expires while the loop is busy is extended once by the delay, at most by a second."""
    for busy, spared in ((0.3, 0.3), (30.0, 1.0)):
        timeout = _timeout(timer, Timeouts(connect=2.0))
        task = asyncio.create_task(_held(timeout))
        await asyncio.sleep(0)
        loop.block(2.0 + busy)
        loop.move(spared - 0.01)
        await asyncio.sleep(0)
        assert not timeout.expired
        loop.block(0.02 + busy)
        with pytest.raises(TimeoutError):
            await task
        assert (timeout.phase, timeout.seconds) == ("connect", 2.0)


@pytest.mark.asyncio
async def test_each_phase_is_spared_by_itself(loop: _Loop, timer: DeadlineTimer) -> None:
    """A loop that was busy while the connection was made may be busy once more while the answer comes."""
    timeout = _timeout(timer, Timeouts(connect=2.0, read=3.0))
    steps = [lambda: loop.block(2.5), timeout.body_sent, lambda: loop.block(3.5)]
    task = asyncio.create_task(_held(timeout, *steps))
    for _ in range(9):
        await asyncio.sleep(0)
    assert not timeout.expired
    loop.move(0.6)
    with pytest.raises(TimeoutError):
        await task
    assert (timeout.phase, timeout.seconds) == ("read", 3.0)


@pytest.mark.asyncio
async def test_a_real_limit_ends_a_real_wait() -> None:
    """On a real loop, 50 ms are 50 ms: not less, and not for ever."""
    started = time.monotonic()
    timeout = _timeout(DeadlineTimer(asyncio.get_running_loop()), Timeouts(connect=0.05))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_held(timeout), 5.0)
    assert 0.045 <= time.monotonic() - started < 2.0
    assert timeout.expired


@pytest.mark.asyncio
async def test_a_slow_piece_of_the_body_is_not_a_stalled_one(loop: _Loop, timer: DeadlineTimer) -> None:
    """The write limit restarts as long as the unsent part of the body shrinks, and ends once it stalls."""
    timeout = _timeout(timer, Timeouts(connect=1.0, write=4.0))
    unsent = iter([500, 400, 300, 200, 100, 50, *[50] * 50])
    timeout._buffer_size = lambda: next(unsent)
    task = asyncio.create_task(_held(timeout, timeout.body_progress, *[lambda: loop.move(1.0)] * 8))
    for _ in range(30):
        await asyncio.sleep(0)
    assert not task.done()
    loop.move(1.0)
    with pytest.raises(TimeoutError):
        await task
    assert (timeout.phase, timeout.seconds) == ("write", 4.0)


@pytest.mark.asyncio
async def test_a_loop_that_is_busy_again_and_again_ends_no_upload(loop: _Loop, timer: DeadlineTimer) -> None:
    """However often the loop is busy for longer than the write limit, an upload that moves in between goes on."""
    timeout = _timeout(timer, Timeouts(write=4.0))
    unsent = [500]

    def busy() -> None:
        loop.block(5.0)
        unsent[0] -= 50  # now the loop writes
        loop.move(2.0)

    timeout.watch(_Transport(unsent), lambda _: None)  # type: ignore[arg-type]
    task = asyncio.create_task(_held(timeout, timeout.body_progress, *[busy] * 8))
    for _ in range(30):
        await asyncio.sleep(0)
    assert not timeout.expired
    loop.move(5.0)
    with pytest.raises(TimeoutError):
        await task


@pytest.mark.asyncio
@pytest.mark.parametrize(("unsent", "said"), [(0, [4.0]), (50, [])])
async def test_a_stalled_attachment_is_blamed_only_once_all_was_sent(
    loop: _Loop, timer: DeadlineTimer, unsent: int, said: list[float]
) -> None:
    """At the write limit the attachment is blamed only if the server took all that was written."""
    timeout, heard = _timeout(timer, Timeouts(write=4.0)), list[float]()
    timeout.watch(_Transport([unsent]), heard.append)  # type: ignore[arg-type]
    task = asyncio.create_task(_held(timeout, timeout.body_progress))
    for _ in range(4):
        await asyncio.sleep(0)
    loop.move(4.1)
    with pytest.raises(TimeoutError):
        await task
    assert heard == said


@pytest.mark.asyncio
async def test_a_stalled_body_is_checked_four_times(loop: _Loop, timer: DeadlineTimer) -> None:
    """The progress of a body is checked four times within the write limit, not at every turn of the loop."""
    timeout = _timeout(timer, Timeouts(connect=1.0, write=16.0))
    with timeout:
        timeout.body_progress()
        made = loop.made
        for _ in range(60):
            loop.move(0.25)
    assert 3 <= loop.made - made <= 4
    assert not timeout.expired
