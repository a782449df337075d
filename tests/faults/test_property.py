"""Whatever faults come in whatever order, and whenever the caller gives up: the promise about messages holds."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_async import Attempt, LinqClient, LinqError, Outcome, RetryPolicy, Timeouts
from tests.support.script import BEHAVIOURS, Behaviour
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .addresses import client_sockets, open_files, other_tasks
from .calls import ask, hurry
from .matrix import Kind

KEY = "order-1017"
NEVER = 1_000
SLACK = 0.55
"""Seconds: decoding one hostile answer may hold up the loop for 0.25 s, and the machine may be busy."""
SHORT = Timeouts(connect=0.04, write=0.04, read=0.04)
LONG = Timeouts(connect=20, write=20, read=20)

NOT_HERE = {answers.bomb, broken_wire.close_for_good, *(found for found in BEHAVIOURS.values() if "idle" in found.name)}
STATUSES = [answers.status(code) for code in (400, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504)]
FAULTS = [
    *(found for found in BEHAVIOURS.values() if found not in NOT_HERE),
    *STATUSES,
    *(found.storing() for found in (broken_wire.no_answer, broken_wire.reset_after_request)),
    *(found.storing() for found in (broken_wire.close_after_request, answers.status(503))),
    answers.status(429, Retry_After="0.05"),
    answers.status(503, Retry_After="30"),
    answers.cut_status(503),
    answers.redirect(307, "localhost"),
    broken_wire.early_answer(503, keep=False),
]


@dataclass(frozen=True)
class Story:
    """Faults in the order in which they come, the caller's budget, and when the caller gives up."""

    kind: Kind
    script: tuple[Behaviour, ...]
    limits: tuple[float, Timeouts]
    cancel_at_arrival: int | None
    cancel_after: float | None

    def __repr__(self) -> str:
        names = [behaviour.name for behaviour in self.script]
        cancelled = f"arrival {self.cancel_at_arrival}, {self.cancel_after} s"
        return f"<{self.kind}: {names}, within {self.max_elapsed} s, cancelled at {cancelled}>"

    @property
    def max_elapsed(self) -> float:
        """The caller's budget, in seconds."""
        return self.limits[0]


STORIES = st.builds(
    Story,
    kind=st.sampled_from(Kind),
    script=st.lists(st.sampled_from(FAULTS), max_size=4).map(tuple),
    limits=st.sampled_from([(0.05, LONG), (0.15, LONG), (0.15, SHORT), (30.0, SHORT)]),
    cancel_at_arrival=st.none() | st.integers(1, 4),
    cancel_after=st.none() | st.floats(0.0, 0.05),
)


@dataclass
class Ending:
    """How the call ended, and what the attempts said while it lasted."""

    result: Any = None
    error: LinqError | None = None
    seconds: float = 0.0
    attempts: list[Attempt] = field(default_factory=list[Attempt])

    @property
    def outcome(self) -> Outcome | None:
        """The reported outcome: of the error or, if the call was cancelled, of the last attempt."""
        if self.error is not None:
            return self.error.outcome
        finished = [attempt.outcome for attempt in self.attempts if attempt.finished]
        return finished[-1] if finished else None


async def call_and_give_up(linq: LinqClient, server: ScriptedServer, story: Story) -> Ending:
    """Make the call, and cancel it when the story says so."""
    ending = Ending()
    linq = linq.with_options(on_attempt=ending.attempts.append)
    started = time.monotonic()
    calling = asyncio.create_task(ask(linq, story.kind, key=KEY))
    watching = asyncio.create_task(give_up(server, story, calling))
    await asyncio.wait([calling])
    ending.seconds = time.monotonic() - started
    watching.cancel()
    await asyncio.wait([watching])
    if not calling.cancelled():
        take_ending(calling, ending)
    return ending


def take_ending(calling: asyncio.Task[Any], ending: Ending) -> None:
    """Note the result, or the error if it is one of ours; any other is a failure of the test."""
    error = calling.exception()
    if error is None:
        ending.result = calling.result()
    elif isinstance(error, LinqError):
        ending.error = error
    else:
        raise error


async def give_up(server: ScriptedServer, story: Story, calling: asyncio.Task[Any]) -> None:
    """Cancel at the first of the two moments, or never if there is none."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(story.cancel_after):
            await server.arrived(story.cancel_at_arrival or NEVER)
    calling.cancel()


def held(server: ScriptedServer, kind: Kind) -> int:
    """Count what the call has brought about."""
    return len(server.stored if kind.creates else server.effects)


def check_truth(ending: Ending, server: ScriptedServer, story: Story) -> None:
    """Hold the client to the promise: at most one message, and nothing said of it that is untrue."""
    kept = held(server, story.kind)
    # A 404 to a repeated DELETE is a success: the resource is gone, whether an earlier attempt deleted it or not.
    is_gone = story.kind is Kind.DELETE and answers.status(404).name in {behaviour.name for behaviour in story.script}
    assert kept <= 1
    if ending.result is not None:
        assert kept == 1 or is_gone
        assert not story.kind.creates or ending.result.message.id == server.stored[0].id
    if ending.outcome is Outcome.NOT_SENT and ending.result is None:
        assert kept == 0
    if ending.outcome is Outcome.SENT:
        assert kept == 1 or is_gone
    assert ending.seconds <= story.max_elapsed + SLACK
    assert {attempt.idempotency_key for attempt in ending.attempts} <= {KEY if story.kind.creates else None}


async def check_nothing_left(server: ScriptedServer) -> None:
    """Hold a closed client to having no connection."""
    for _ in range(20):
        if not client_sockets(server.port):
            break
        await asyncio.sleep(0.005)
    assert client_sockets(server.port) == 0
    assert await server.settled() == 0


async def live(story: Story) -> None:
    """Play a story; then repeat a message under its key on a server that has recovered."""
    tasks = other_tasks()
    policy = RetryPolicy(max_attempts=4, max_elapsed=story.max_elapsed)
    async with ScriptedServer(story.script) as server:
        async with LinqClient("token", base_url=server.url, retry=policy, timeouts=story.limits[1]) as linq:
            hurry(linq)
            ending = await call_and_give_up(linq, server, story)
        await check_nothing_left(server)
        check_truth(ending, server, story)
        if story.kind.creates:
            await check_repeat(server, story)
    assert other_tasks() == tasks


async def check_repeat(server: ScriptedServer, story: Story) -> None:
    """Hold the key to its use: the same call again ends well, and there is still one message."""
    server.script.clear()
    async with LinqClient("token", base_url=server.url) as linq:
        result = await ask(linq, story.kind, key=KEY)
    assert [result.message.id] == [message.id for message in server.stored]


def play(story: Story) -> None:
    """Play a story on a loop of its own, and see that no descriptor is left."""
    files = open_files()
    asyncio.run(live(story))
    assert open_files() == files


@settings(max_examples=100, deadline=None)
@given(STORIES)
def test_promise(story: Story) -> None:
    """Never two messages a key, a result that the server lacks, an untrue outcome, or a call past its deadline."""
    play(story)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(STORIES)
def test_promise_at_length(story: Story) -> None:
    """The same, on many more stories."""
    play(story)
