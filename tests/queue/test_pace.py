"""One pace for each line, over all workers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from linq_async import InvalidArgumentError
from linq_async.integrations.taskiq import Pace, pace
from linq_async.timing import Timing

from .world import LINE, PATIENCE, World

OTHER = "+12025550101"


class Sleeper:
    """Notes how long somebody would have slept."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self.during: Any = None
        """Awaited in the first sleep."""

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if self.during is not None:
            during, self.during = self.during, None
            await during

    def pace(self, world: World, per_second: float, chance: float = 0.0) -> Pace:
        """Return a pace that does not wait."""
        timing = Timing(sleep=self.sleep, random=lambda: chance)
        return pace(world.redis, per_second, name=world.name, timing=timing)


@pytest.mark.asyncio
async def test_the_turns_of_a_line(world: World) -> None:
    """Turns follow each other at the pace, whichever worker takes them. Another line has its own."""
    one, two = Sleeper(), Sleeper()
    first, second = one.pace(world, 0.01), two.pace(world, 0.01)
    await first(LINE)
    await second(LINE)
    await first(LINE)
    await second(OTHER)
    assert one.sleeps == pytest.approx([200.0], abs=5)
    assert two.sleeps == pytest.approx([100.0], abs=5)


@pytest.mark.asyncio
async def test_a_start_is_not_on_a_fixed_beat(world: World) -> None:
    """A start is behind its turn by up to half a gap."""
    sleeper = Sleeper()
    await sleeper.pace(world, 0.01, chance=0.5)(LINE)
    assert sleeper.sleeps == pytest.approx([25.0])


@pytest.mark.asyncio
async def test_a_hold(world: World) -> None:
    """A hold delays all lines and messages without a line, in all workers, for at most two minutes."""
    sleeper = Sleeper()
    turn, other = sleeper.pace(world, 1_000.0), Sleeper().pace(world, 1_000.0)
    await turn(None)
    assert sleeper.sleeps == []
    await other.hold(900.0)
    await turn(LINE)
    await turn(None)
    assert sleeper.sleeps == pytest.approx([120.0, 120.0], abs=5)


@pytest.mark.asyncio
async def test_a_hold_voids_turns(world: World) -> None:
    """A message that waits for its turn when a hold begins gets a turn after it, and the line wastes none."""
    sleeper = Sleeper()
    turn = sleeper.pace(world, 0.1)
    for _ in range(5):
        await turn(LINE)
    sleeper.sleeps.clear()
    sleeper.during = turn.hold(60.0)
    await turn(LINE)
    await turn(LINE)
    assert sleeper.sleeps == pytest.approx([50.0, 60.0, 70.0], abs=5)


@pytest.mark.asyncio
async def test_one_limit_that_many_see(world: World) -> None:
    """Several holds for the same limit void the turns once."""
    turn = Sleeper().pace(world, 1.0)
    for _ in range(5):
        await turn.hold(30.0)
    assert await world.redis.hget(f"{world.name}:hold", "count") == b"1"
    await turn.hold(60.0)
    await turn.hold(5.0)
    assert await world.redis.hget(f"{world.name}:hold", "count") == b"2"


@pytest.mark.asyncio
async def test_a_clock_that_was_set_back(world: World) -> None:
    """A hold that seems to end in an hour holds nothing, and does not hide the next one."""
    seconds, _ = await world.redis.time()
    await world.redis.hset(f"{world.name}:hold", mapping={"until": (seconds + 3_600) * 1_000_000, "count": 1})
    paced = pace(world.redis, 10.0, name=world.name)
    await asyncio.wait_for(paced(None), PATIENCE)
    await paced.hold(5.0)
    assert int(await world.redis.hget(f"{world.name}:hold", "until")) <= (seconds + 60) * 1_000_000


@pytest.mark.asyncio
async def test_nothing_stays_for_ever(world: World) -> None:
    """The keys of a pace expire, and show no numbers."""
    turn = Sleeper().pace(world, 1.0)
    await turn.hold(1.0)
    await turn(LINE)
    names = await world.redis.keys(f"{world.name}*")
    assert len(names) == 2
    assert all([await world.redis.ttl(name) > 0 for name in names])
    assert LINE[1:].encode() not in b"".join(names)


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [0, -1, True, "1", float("inf")], ids=str)
async def test_the_pace_is_checked(world: World, value: Any) -> None:
    """It is a number above 0."""
    with pytest.raises(InvalidArgumentError, match="per_second must be"):
        pace(world.redis, value)


async def worst_second(world: World, rate: int, seconds: int) -> tuple[int, float]:
    """Let two workers with 20 messages each take turns. Return the most starts in a second, and the mean rate."""
    starts: list[float] = []
    loop = asyncio.get_running_loop()

    async def sleep(wait: float) -> None:
        starts.append(loop.time() + wait)  # and not when it wakes: a busy machine may be late
        await asyncio.sleep(wait)

    async def send(turn: Pace) -> None:
        while len(starts) < rate * seconds:
            await turn(LINE)

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            turn = pace(world.redis, rate, name=world.name, timing=Timing(sleep=sleep))
            for _ in range(20):
                group.create_task(send(turn))
    most = max(sum(start <= other < start + 1 for other in starts) for start in starts)
    return most, len(starts) / (max(starts) - min(starts))


@pytest.mark.slow
@pytest.mark.asyncio
async def test_two_workers_keep_the_pace(world: World) -> None:
    """Two workers never start more than one message a second above the pace of a line.

    If the machine stops the test for a moment, starts are noted late and close together, so the best of five counts.
    """
    rounds = [await worst_second(world, 50, 2) for _ in range(5)]
    print(f"at 50/s: {rounds}")
    most, mean = min(rounds)
    assert most <= 51
    assert mean > 45
