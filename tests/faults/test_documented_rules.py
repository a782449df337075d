"""The tables of docs/errors.md and docs/outcomes.md hold for every kind of call under any sequence of events."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_async import LinqClient, LinqError, RetryPolicy, Timeouts, Upload
from tests.support.script import Behaviour, good
from tests.support.scripted_server import ScriptedServer

from . import answers, broken_wire
from .addresses import Certificates, client_sockets
from .calls import CHAT, hurry
from .documented_rules import LATER, WELL, Asked, Ending, Event, Happening, ending, goes_again
from .time_travel import MovableLoop, after, head_then_silence

OUTCOMES = Path(__file__).parents[2] / "docs/outcomes.md"
KEY = "order-1017"
LIMITS = Timeouts(connect=5, write=30, read=60)
MAX_ELAPSED = 3_600.0


@dataclass(frozen=True)
class Step:
    """What happens to one attempt, and the behaviour that brings it about; None: nobody listens."""

    happening: Happening
    behaviour: Behaviour | None
    tls: str | None = None
    new_connection: bool = False

    @property
    def arrives(self) -> bool:
        """Whether the server has a turn."""
        return self.behaviour is not None and self.happening.event is not Event.CERTIFICATE

    def __repr__(self) -> str:
        name = "nobody listens" if self.behaviour is None else self.behaviour.name
        return f"<{self.happening.event.value}: {name}>"


def _steps(event: Event, *behaviours: Behaviour) -> list[Step]:
    return [Step(Happening(event), behaviour) for behaviour in behaviours]


def _status(code: int, retry_after: str | None = None, *, behaviour: Behaviour | None = None) -> Step:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    happening = Happening(Event.STATUS, code, None if retry_after is None else float(retry_after))
    body = b"" if code == 304 else None  # a 304 has none
    return Step(happening, behaviour or answers.status(code, body, **headers))


LOST = (broken_wire.close_after_request, broken_wire.reset_after_request)
STATUSES = [*range(300, 309), 400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 451, 499, *LATER, 501, 505, 599]
STEPS = [
    *_steps(Event.WELL, good, answers.good_gzip, broken_wire.until_close, broken_wire.answer_twice),
    *_steps(Event.ODD, answers.html_page, answers.empty_body, answers.json_list, answers.not_json, answers.not_utf8),
    *_steps(Event.GARBLED, answers.corrupt_gzip, answers.wrong_encoding),
    *_steps(Event.CUT, broken_wire.length_too_long, broken_wire.last_chunk_missing),
    *_steps(Event.CUT_LATE, head_then_silence(61)),
    *_steps(Event.LOST, *LOST, *(found.storing() for found in LOST), broken_wire.reset_mid_headers),
    *_steps(Event.LOST, broken_wire.half_status_line, broken_wire.half_headers, broken_wire.not_http),
    *_steps(Event.LOST, broken_wire.bad_chunk),
    *_steps(Event.LATE, after(61, broken_wire.no_answer), after(61, broken_wire.no_answer.storing())),
    *[_status(code) for code in STATUSES],
    *[_status(code) for code in LATER],
    *[_status(429), _status(429, "7"), _status(429, "0.5"), _status(503, "7"), _status(503, "5000")],
    *[_status(429, "5000"), _status(503, behaviour=answers.status(503).storing())],
    *[_status(code, behaviour=answers.cut_status(code)) for code in (400, 404, 429, 503)],
    Step(Happening(Event.NOT_CONNECTED), None, new_connection=True),
    Step(Happening(Event.NOT_CONNECTED), None, new_connection=True),
]
TLS_STEPS = [
    *[
        Step(Happening(Event.NOT_CONNECTED), behaviour, new_connection=True)
        for behaviour in (broken_wire.plain_text, broken_wire.close_in_handshake, broken_wire.reset_in_handshake)
    ],
    Step(Happening(Event.NOT_CONNECTED), after(6, broken_wire.silence), new_connection=True),
    *[
        Step(Happening(Event.CERTIFICATE), good, tls=kind, new_connection=True)
        for kind in ("wrong_name", "expired", "self_signed")
    ],
]


@dataclass(frozen=True)
class Call:
    """A call, and what the tables need to know of it."""

    name: str
    asked: Asked
    make: Callable[[LinqClient], Awaitable[Any]] = field(repr=False)
    sends: bool = False


def _create(*, form: bool) -> Callable[[LinqClient], Awaitable[Any]]:
    files = [Upload.from_bytes(b"PNG" * 100, filename="map.png")] if form else []
    return lambda linq: linq.chats.create(
        send_from="+15175269229",
        phone_numbers=["+13343284472", "+13344713465"],
        text="Hello!",
        attachments=files,
        idempotency_key=KEY,
    )


def _plain(method: str, json: dict[str, Any] | None = None) -> Callable[[LinqClient], Awaitable[Any]]:
    return lambda linq: linq.request(method, f"{CHAT}/elsewhere", json=json)


WITH_KEY = {"message": {"text": "Hello!", "idempotency_key": KEY}}
CALLS = [
    Call("create, JSON", Asked("POST", with_key=True, typed=True), _create(form=False), sends=True),
    Call("create, multipart", Asked("POST", with_key=True, typed=True), _create(form=True), sends=True),
    Call(
        "message",
        Asked("POST", with_key=True, typed=True),
        lambda linq: linq.messages.send(45, "Hello!", idempotency_key=KEY),
        sends=True,
    ),
    Call("POST with a key", Asked("POST", with_key=True, typed=False), _plain("POST", WITH_KEY)),
    Call("PATCH with a key", Asked("PATCH", with_key=True, typed=False), _plain("PATCH", WITH_KEY)),
    Call("POST without", Asked("POST", with_key=False, typed=False), _plain("POST")),
    Call("PATCH without", Asked("PATCH", with_key=False, typed=False), _plain("PATCH", {"name": "x"})),
    *[Call(method, Asked(method, with_key=False, typed=False), _plain(method)) for method in ("GET", "PUT", "OPTIONS")],
    Call("DELETE", Asked("DELETE", with_key=False, typed=False), _plain("DELETE")),
]
BY_NAME = {call.name: call for call in CALLS}


@dataclass(frozen=True)
class Story:
    """A call, what happens to each of its attempts, and how many it may have."""

    call: str
    steps: tuple[Step, ...]
    max_attempts: int

    @property
    def expected(self) -> Ending:
        """How the tables say that it ends."""
        happenings = [step.happening for step in self.steps]
        return ending(BY_NAME[self.call].asked, happenings, self.max_attempts, MAX_ELAPSED)

    def step(self, number: int) -> Step:
        """Return what happens to attempt ``number``, counted from 0."""
        return self.steps[number] if number < len(self.steps) else Step(WELL, good)

    def behaviour(self, number: int) -> Behaviour | None:
        """Return the behavior for an attempt. It closes its connection if the next attempt needs a new one."""
        step = self.step(number)
        if self.step(number + 1).new_connection and step.behaviour in {found.behaviour for found in STEPS}:
            return _closing(step)
        return step.behaviour


def _closing(step: Step) -> Behaviour | None:
    """Return the step's behaviour; a status that keeps its connection says that it closes it."""
    code, asked = step.happening.status, step.happening.retry_after
    if code is None or step.behaviour is None or "cut" in step.behaviour.name:
        return step.behaviour
    headers = {"Connection": "close"} | ({} if asked is None else {"Retry-After": f"{asked:g}"})
    closing = answers.status(code, b"" if code == 304 else None, **headers)
    return closing.storing() if step.behaviour.stores else closing


def stories(steps: list[Step]) -> st.SearchStrategy[Story]:
    """Draw stories of these steps."""
    sequences = st.lists(st.sampled_from(steps), min_size=1, max_size=5).map(tuple)
    return st.builds(Story, st.sampled_from(list(BY_NAME)), sequences, st.integers(1, 5))


@dataclass
class Played:
    """How a story ended in truth."""

    end: Any
    waits: list[float]
    visits: list[Behaviour]

    @property
    def ending(self) -> Ending:
        """The same in the words of the model."""
        if isinstance(self.end, LinqError):
            return Ending(type(self.end).__name__, self.end.outcome.value, self.end.attempts)
        return Ending(None, None, self.end.attempts)


class Stage:
    """Sets the server up for one attempt after the other."""

    def __init__(self, story: Story, server: ScriptedServer, certificates: Certificates | None) -> None:
        self.story, self.server, self.certificates = story, server, certificates
        self.number = 0
        self.visits: list[Behaviour] = []

    async def set(self) -> None:
        """Give the server its part in the next attempt."""
        step, behaviour = self.story.step(self.number), self.story.behaviour(self.number)
        if behaviour is None:
            await self.server.stop_listening()
        elif self.number and self.story.step(self.number - 1).behaviour is None:
            self.server.listen_again()
        self.server.script[:] = [] if behaviour is None else [behaviour]
        if self.certificates is not None:
            self.server._tls = getattr(self.certificates, step.tls or "right")
        if behaviour is not None and step.arrives:
            self.visits.append(behaviour)
        self.number += 1

    def hurry(self, linq: LinqClient) -> list[float]:
        """Let the client pass over its waits; each ends with the stage set for the next attempt."""
        return hurry(linq, self.set)


async def perform(story: Story, certificates: Certificates | None) -> Played:
    """Make the call with the scripted events, and compare its report with what happened."""
    call = BY_NAME[story.call]
    policy = RetryPolicy(max_attempts=story.max_attempts, max_elapsed=MAX_ELAPSED)
    trust: ssl.SSLContext | None = None if certificates is None else certificates.client
    async with ScriptedServer(tls=None if certificates is None else certificates.right) as server:
        stage = Stage(story, server, certificates)
        await stage.set()
        async with LinqClient("token", base_url=server.url, retry=policy, timeouts=LIMITS, ssl=trust) as linq:
            waits = stage.hurry(linq)
            try:
                end = await call.make(linq)
            except LinqError as error:
                end = error
        check_truth(end, server, call)
        assert server.visits == stage.visits
        await server.settled()
        assert client_sockets(server.port) == 0
    return Played(end, waits, server.visits)


def check_truth(end: Any, server: ScriptedServer, call: Call) -> None:
    """Hold an ending to what the server has: a send at most once, and no outcome that is untrue."""
    held = len(server.stored if call.sends else server.effects)
    outcome = end.outcome.value if isinstance(end, LinqError) else None
    assert not call.sends or held <= 1
    assert outcome != "not_sent" or held == 0
    assert outcome != "sent" or held >= 1 or call.asked.method in ("GET", "OPTIONS")
    assert outcome is not None or not call.sends or end.idempotency_key == KEY
    keys = {seen.key for seen in server.log if seen.body_complete and call.asked.with_key}
    assert keys <= {KEY}


def play(story: Story, certificates: Certificates | None = None) -> None:
    """Play a story on a loop whose time can be moved, and compare its end with the model's."""
    with asyncio.Runner(loop_factory=MovableLoop) as runner:
        played = runner.run(perform(story, certificates))
    assert played.ending == story.expected
    asked = [story.step(number).happening.retry_after or 0.0 for number in range(len(played.waits))]
    assert len(played.waits) == played.ending.attempts - 1
    assert all(wait >= least for wait, least in zip(played.waits, asked, strict=True))


quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
at_length = settings(max_examples=4_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
over_tls = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@quick
@given(stories(STEPS))
def test_any_sequence_ends_as_the_tables_say(story: Story) -> None:
    """A call ends in the error, outcome and attempts of the tables, whatever happens to its attempts."""
    play(story)


@pytest.mark.slow
@at_length
@given(stories(STEPS))
def test_any_sequence_ends_as_the_tables_say_at_length(story: Story) -> None:
    """The same, on thousands of sequences."""
    play(story)


@settings(quick, max_examples=15, suppress_health_check=over_tls)
@given(story=stories(STEPS + TLS_STEPS * 6))
def test_any_sequence_over_tls(certificates: Certificates, story: Story) -> None:
    """The tables hold over TLS, too, whose handshake and certificates may fail at any attempt."""
    play(story, certificates)


@pytest.mark.slow
@settings(at_length, max_examples=1_000, suppress_health_check=over_tls)
@given(story=stories(STEPS + TLS_STEPS * 6))
def test_any_sequence_over_tls_at_length(certificates: Certificates, story: Story) -> None:
    """The same, on a thousand sequences."""
    play(story, certificates)


@pytest.mark.slow
def test_every_single_event_for_every_call() -> None:
    """Each event that happens once, to each call, ends as the tables say."""
    for call in CALLS:
        for step in STEPS:
            play(Story(call.name, (step,), 2))


def test_the_model_repeats_what_the_table_repeats() -> None:
    """Every status in the table of retries is repeated by the model as the table says."""
    table = OUTCOMES.read_text().partition("## What is retried")[2].partition("`RetryPolicy(")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    found = [(int(code), cells[1:]) for cells in rows for code in re.findall(r"\b[345]\d\d\b", cells[0])]
    assert {code for code, _ in found} == {*LATER, 409, 429}
    for code, cells in found:
        keyed, keyless = (Asked("POST", with_key=with_key, typed=True) for with_key in (True, False))
        happening = Happening(Event.STATUS, code)
        assert [goes_again(asked, happening) for asked in (keyed, keyless)] == ["retried" in cell for cell in cells]
