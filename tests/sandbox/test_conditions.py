"""What all requests to a sandbox meet: latency, failures now and then, and a rate limit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from linq_async import LinqClient, RateLimitError, RetryPolicy
from linq_async.sandbox import DEFAULT_TOKEN, Conditions, Sandbox
from linq_async.sandbox.meter import Meter
from linq_async.sandbox.threaded import ThreadedSandbox

from .calls import HEADERS, MIRA, PREFIX, Api, new_chat
from .control_calls import controlling, following

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def outcome(api: Api, key: str) -> int | None:
    """Create a chat, and return the status, or None if the connection was reset."""
    try:
        return (await api.create_chat(key)).status
    except aiohttp.ClientConnectionError:
        return None


@pytest.mark.parametrize(
    "values",
    [
        {"latency": -0.1},
        {"latency": float("nan")},
        {"latency": float("inf")},
        {"latency": (0.3, 0.1)},
        {"latency": (0.1, float("nan"))},
        {"latency": (float("nan"), 1)},
        {"latency": (0.1,)},
        {"latency": "0.1"},
        {"latency": True},
        {"latency": None},
        {"fail": -0.01},
        {"fail": 1.01},
        {"fail": float("nan")},
        {"fail": False},
        {"fail": "0.1"},
        {"rate_limit": 0},
        {"rate_limit": -1},
        {"rate_limit": float("nan")},
        {"rate_limit": float("inf")},
        {"rate_limit": 1e-300},
        {"rate_limit": "5"},
        {"rate_limit": True},
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    """Negative, endless and unordered values, and those of another type, are refused with the name of the setting."""
    (name,) = values
    for build in (Conditions, Sandbox):
        with pytest.raises(ValueError, match=f"{name} must be"):
            build(**values)


@pytest.mark.parametrize(
    ("share", "failed"), [(0, 0), (0.001, 1), (0.07, 70), (0.1, 100), (0.29, 290), (0.5, 500), (1, 1000)]
)
def test_the_share_is_exact(share: float, failed: int) -> None:
    """Of a thousand requests, exactly the share fails, as evenly spread as it can be."""
    meter = Meter(lambda: NOON)
    meter.set(Conditions(fail=share))
    fails = [meter.plan().fault is not None for _ in range(1000)]
    assert sum(fails) == failed
    for size in (10, 100):
        parts = [sum(fails[start : start + size]) for start in range(0, 1000, size)]
        assert max(parts) - min(parts) <= 1


@pytest.mark.asyncio
async def test_failures_take_turns() -> None:
    """Each second request fails: 503, then a reset before storing, then one after it, and from the start again."""
    async with Sandbox(fail=0.5) as sandbox, aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        api = Api(session)
        seen = [await outcome(api, f"k-{n}") for n in range(8)]
    assert seen == [200, 503, 200, None, 200, None, 200, 503]
    stored = {message.idempotency_key for message in sandbox.messages}
    assert stored == {"k-0", "k-2", "k-4", "k-5", "k-6"}
    assert [one.fault for one in sandbox.requests if one.fault] == [
        "answer 503",
        "drop_before_storing",
        "drop_after_storing",
        "answer 503",
    ]


@pytest.mark.asyncio
async def test_scripted_faults_come_first() -> None:
    """A scripted fault and that of a number apply as ever, and do not count as requests that could fail."""
    async with Sandbox(fail=0.5) as sandbox, aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        api = Api(session)
        sandbox.faults.answer(500)
        seen = [
            (await api.create_chat(f"k-{n}", phone_numbers=[to])).status
            for n, to in enumerate((MIRA, "+12025550170", MIRA, MIRA))
        ]
        async with session.get("/nowhere", headers={"X-LINQ-INTEGRATION-TOKEN": "wrong"}) as stranger:
            assert stranger.status == 401
        assert seen == [500, 422, 200, 503]


@pytest.mark.asyncio
async def test_a_client_sends_once_through_all_failures() -> None:
    """A client with retries stores each message once, whatever share fails."""
    async with (
        Sandbox(fail=0.4) as sandbox,
        LinqClient(DEFAULT_TOKEN, base_url=sandbox.base_url, retry=RetryPolicy(initial_delay=0.001)) as linq,
    ):
        for n in range(12):
            await linq.chats.create(send_from=sandbox.phone_numbers[0], phone_numbers=[MIRA], text=f"Message {n}")
    assert [message.text for message in sandbox.messages] == [f"Message {n}" for n in range(12)]
    assert max(one.attempt for one in sandbox.requests) > 1


@pytest.mark.asyncio
async def test_the_rate_limit() -> None:
    """As many requests as the limit may come at once; those beyond get 429 in the format of their operation."""
    async with (
        Sandbox(rate_limit=2, clock=lambda: NOON) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        api = Api(session)
        sandbox.faults.answer(500, times=3)
        assert [(await api("GET", "/chats")).status for _ in range(2)] == [500, 500]
        limited = await api.create_chat("k-1")
        assert (limited.status, limited.headers["Retry-After"]) == (429, "1")
        assert limited.error["code"] == "rate_limit_exceeded"
        contact = await api("POST", "/contacts", {"contact": {"first_name": "Mira"}})
        assert (contact.status, contact.json["error_code"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert (sandbox.messages, sandbox.faults.pending) == ([], 1)
        sandbox.advance(0.5)
        assert [(await api.create_chat("k-1")).status for _ in range(2)] == [500, 429]
        sandbox.advance(60)
        assert [(await api.create_chat("k-1")).status for _ in range(3)] == [200, 200, 429]
    assert [(one.status, one.attempt, one.fault) for one in sandbox.requests if one.status == 429][:2] == [
        (429, 1, "answer 429 (rate limit)"),
        (429, 1, "answer 429 (rate limit)"),
    ]


@pytest.mark.asyncio
async def test_a_rate_limit_under_one() -> None:
    """A limit of one request in ten seconds says how long to wait, also when the clock goes back."""
    now = [NOON]
    async with (
        Sandbox(rate_limit=0.1, clock=lambda: now[0]) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        api = Api(session)
        assert (await api("GET", "/phone_numbers")).status == 200
        sandbox.advance(3)
        assert (await api("GET", "/phone_numbers")).headers["Retry-After"] == "7"
        now[0] = NOON.replace(hour=11)
        assert (await api("GET", "/phone_numbers")).headers["Retry-After"] == "7"


@pytest.mark.asyncio
async def test_a_client_obeys_the_rate_limit() -> None:
    """Without retries, a client raises what the limit says."""
    async with (
        Sandbox(rate_limit=0.01) as sandbox,
        LinqClient(DEFAULT_TOKEN, base_url=sandbox.base_url, retry=RetryPolicy.none()) as linq,
    ):
        await linq.phone_numbers.list()
        with pytest.raises(RateLimitError) as caught:
            await linq.phone_numbers.list()
    assert caught.value.retry_after is not None
    assert 90 < caught.value.retry_after <= 100


def test_latency_spreads_over_its_range() -> None:
    """A pair gives latencies within it, spread evenly and the same in each run; a number gives itself."""
    meter = Meter(lambda: NOON)
    meter.set(Conditions(latency=(0.1, 0.3)))
    drawn = [meter.seconds() for _ in range(100)]
    assert all(0.1 <= one <= 0.3 for one in drawn)
    counts = [sum(0.1 + step / 20 <= one < 0.15 + step / 20 for one in drawn) for step in range(4)]
    assert max(counts) - min(counts) <= 2
    meter.set(Conditions(latency=(0.1, 0.3)))
    assert [meter.seconds() for _ in range(100)] == drawn
    meter.set(Conditions(latency=0.2))
    assert meter.seconds() == 0.2


@pytest.mark.asyncio
async def test_a_slow_response_comes_after_storing(sandbox: Sandbox, api: Api) -> None:
    """A message is stored before the response is delayed, and control calls are never slow."""
    sandbox.conditions = Conditions(latency=3600)
    sending = asyncio.create_task(api.create_chat("k-1"))
    assert (await sandbox.wait_for_message()).idempotency_key == "k-1"
    async with controlling(sandbox) as control:
        assert (await control.data("GET", "/"))["conditions"] == {"latency": 3600, "fail": 0, "rate_limit": None}
    assert not sending.done()
    sending.cancel()


@pytest.mark.asyncio
async def test_the_log_shows_the_latency() -> None:
    """The log says how long a delayed request took."""
    async with (
        Sandbox(latency=0.05) as sandbox,
        aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
    ):
        await Api(session)("GET", "/phone_numbers")
        (entry,) = sandbox.requests
    assert entry.seconds is not None
    assert entry.seconds >= 0.05


@pytest.mark.asyncio
async def test_the_control_call(sandbox: Sandbox) -> None:
    """A call sets what it names and keeps the rest, readers of the feed see it, and nonsense changes nothing."""
    async with controlling(sandbox) as control:
        position = (await control.data("GET", "/"))["position"]
        async with following(control, position) as events:
            await control.data("PUT", "/conditions", {"fail": 0.25})
            shown = await control.data("PUT", "/conditions", {"latency": [0.05, 0.3], "rate_limit": 5, "other": 7})
            assert shown == {"latency": [0.05, 0.3], "fail": 0.25, "rate_limit": 5}
            assert sandbox.conditions == Conditions(latency=(0.05, 0.3), fail=0.25, rate_limit=5)
            while (await anext(events)).data.get("conditions") != shown:
                pass
        wrongs: list[dict[str, Any]] = [
            {"fail": 2},
            {"latency": [1]},
            {"latency": {}},
            {"rate_limit": "5"},
            {"fail": None},
        ]
        for wrong in wrongs:
            assert (await control("PUT", "/conditions", wrong)).status == 422
        assert await control.data("PUT", "/conditions", {}) == shown
        usual = {"latency": 0, "fail": 0, "rate_limit": None}
        assert await control.data("PUT", "/conditions", usual) == usual
    sandbox.conditions = Conditions(fail=1)
    sandbox.reset()
    assert sandbox.conditions.fail == 1  # a setting, which a reset keeps


def test_a_threaded_sandbox() -> None:
    """The conditions of a sandbox on its own thread are set from any thread."""
    with ThreadedSandbox(fail=1) as sandbox:
        assert sandbox.conditions == Conditions(fail=1)
        sandbox.conditions = Conditions(rate_limit=3)
        assert sandbox.conditions.rate_limit == 3


def test_a_body_that_is_refused_counts_too() -> None:
    """Broken bodies count against the rate limit, and get 429 once it is reached."""

    async def statuses() -> list[int]:
        async with (
            Sandbox(rate_limit=0.001) as sandbox,
            aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session,
        ):
            found: list[int] = []
            for _ in range(2):
                async with session.post(
                    f"{PREFIX}/chats", data=b"{", headers={"Content-Type": "application/json"}
                ) as response:
                    found.append(response.status)
            return [*found, (await Api(session)("POST", "/chats", new_chat())).status]

    assert asyncio.run(statuses()) == [400, 429, 429]
