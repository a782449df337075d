"""The recorder sees every exchange with a sandbox, reports what is wrong, and forgives only what a test names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from linq_async import LinqClient, LinqError, RetryPolicy
from linq_async.sandbox import Sandbox
from linq_async.sandbox.observers import current_observers

from .generated import LINE, MIRA
from .recorder import Recorder, current, off_contract, start, stop
from .samples import API, TOKEN

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]
OPTIONS = (
    *("-p", "no:linq_async", "-p", "tests.contract.plugin"),
    *("-p", "no:hypothesispytest", "-p", "no:schemathesis", "-p", "no:faker"),
)
SETTINGS = ("-o", "asyncio_default_fixture_loop_scope=function", "-W", "error", "--strict-markers")
# The body of a test of the inner run, whose request is the one thing that differs.
INNER = """
import pytest
from linq_async import LinqClient
from linq_async.sandbox import Sandbox
from tests.contract.recorder import off_contract

async def ask(path="/chats", **members):
    async with Sandbox() as sandbox, LinqClient(sandbox.token, base_url=sandbox.base_url) as linq:
        chat = {{"phone_numbers": ["+13343284472"]}}
        body = {{"send_from": sandbox.phone_numbers[0], "chat": chat, "message": {{"text": "Hello!"}}, **members}}
        await linq.request("POST", "/api/partner/v2" + path, json=body)

{mark}
@pytest.mark.asyncio
async def test_one():
    {body}
"""
EXEMPT = '@pytest.mark.off_contract("a name that is ignored", "request.body")'


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> Run:
    """Run pytest on one test, with the plugin, and with warnings as errors."""

    def run(body: str, mark: str = "") -> pytest.RunResult:
        pytester.makepyfile(INNER.format(mark=mark, body=body))
        return pytester.runpytest_inprocess(*OPTIONS, *SETTINGS)

    return run


def test_what_is_right_passes(run_pytest: Run) -> None:
    """A test whose exchanges keep to the contract passes, and they are counted."""
    result = run_pytest("await ask()")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["contract: 1 exchanges, 1 of the client"])


def test_what_is_wrong_fails(run_pytest: Run) -> None:
    """A test that saw nothing wrong fails for a name that the contract does not have."""
    result = run_pytest("await ask(surplus=1)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*outside the contract:*", "*POST /api/partner/v2/chats -> 200*", "*request.body*surplus*"]
    )


def test_a_failure_of_its_own_comes_first(run_pytest: Run) -> None:
    """A test that fails by itself keeps its own failure, and reports the other beside it."""
    result = run_pytest("await ask(surplus=1); raise RuntimeError('its own')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: its own*", "*Captured contract call*", "*surplus*"])


@pytest.mark.parametrize(
    ("mark", "body"),
    [(EXEMPT, "await ask(surplus=1)"), ("", "with off_contract('ignored', 'request.body'): await ask(surplus=1)")],
    ids=["mark", "context"],
)
def test_an_exemption(run_pytest: Run, mark: str, body: str) -> None:
    """A test that names the place and the reason may be outside the contract there."""
    run_pytest(body, mark).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "body"),
    [
        (EXEMPT, "await ask()"),
        ("", "with off_contract('ignored', 'request.body'): await ask()"),
        (EXEMPT, "await ask('/chats/1/chat_messages')"),
        (EXEMPT.replace("request", "answer"), "await ask(surplus=1)"),
        ("@pytest.mark.off_contract('all of it')", "await ask()"),
    ],
    ids=["unused mark", "unused context", "another place", "the other half", "no place"],
)
def test_an_exemption_covers_only_its_places(run_pytest: Run, mark: str, body: str) -> None:
    """An exemption that nothing needs, that is for another place, or that names none, fails."""
    outcomes = run_pytest(body, mark).parseoutcomes()
    assert "passed" not in outcomes
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1


def test_an_exemption_for_some_cases(run_pytest: Run) -> None:
    """One that only some cases of a test need says so."""
    run_pytest("await ask()", EXEMPT.replace(")", ", strict=False)")).assert_outcomes(passed=1)


def test_the_recorder_goes_as_it_came() -> None:
    """A recorder within another one takes its place, and adds no second observer."""
    outer = start()
    observers = current_observers()
    inner = start()
    assert current() is inner
    assert current_observers() == observers
    stop(inner)
    assert current() is outer
    stop(outer)


async def _create(sandbox: Sandbox, text: str = "Hello!") -> None:
    policy = RetryPolicy(initial_delay=0.0)
    async with LinqClient(sandbox.token, base_url=sandbox.base_url, retry=policy) as linq:
        await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text=text)


@pytest.mark.asyncio
async def test_the_bytes_are_recorded(recorder: Recorder) -> None:
    """Method, target, headers and bodies are those that crossed the wire."""
    async with Sandbox() as sandbox:
        await _create(sandbox)
        async with aiohttp.ClientSession(sandbox.base_url, headers=TOKEN) as session:
            await (await session.get(f"{API}/chats?phone_number=%2B15175269229&page=1")).read()
    made, listed = recorder.exchanges
    assert (made.method, made.url, made.from_client, made.status) == ("POST", f"{API}/chats", True, 200)
    assert b'"text":"Hello!"' in made.request_body
    assert b'"chat_messages"' in made.response_body
    assert made.response_headers["Content-Type"].startswith("application/json")
    assert (listed.url, listed.from_client) == (f"{API}/chats?phone_number=%2B15175269229&page=1", False)
    assert recorder.failures() == []


@pytest.mark.asyncio
async def test_scripted_faults_are_counted(recorder: Recorder) -> None:
    """A scripted answer is counted and not checked, its request is checked, and lost answers are counted."""
    async with Sandbox() as sandbox:
        sandbox.faults.answer(503, body="<html>")
        sandbox.faults.drop_after_storing()
        sandbox.faults.cut_body()
        await _create(sandbox)
    assert recorder.counts == {"exchanges": 4, "of the client": 4, "scripted answers": 1, "lost answers": 2}
    assert [one.status for one in recorder.exchanges] == [None, None, None, 200]
    assert recorder.failures() == []


@pytest.mark.asyncio
async def test_a_scripted_answer_hides_no_bad_request(recorder: Recorder) -> None:
    """A wrong request of the client is found though its answer is scripted."""
    async with Sandbox() as sandbox, LinqClient(sandbox.token, base_url=sandbox.base_url) as linq:
        sandbox.faults.answer(418)
        with pytest.raises(LinqError):
            await linq.request("POST", f"{API}/chats", json={"message": {}})
    (failure,) = recorder.failures()
    assert {violation.where for violation in failure.violations} == {"request.body"}


@pytest.mark.parametrize("length", ["Content-Length: 99", "Transfer-Encoding: chunked"])
@pytest.mark.asyncio
async def test_a_request_that_breaks_off(recorder: Recorder, length: str) -> None:
    """A request that its sender breaks off is counted, and not taken for a wrong one."""
    over = asyncio.Event()
    async with Sandbox(on_request=lambda _: over.set()) as sandbox:
        _, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.base_url.rpartition(":")[2]))
        writer.write(f"POST {API}/chats HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
        writer.write(b"5\r\nab")
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(over.wait(), 5)
    assert recorder.counts == {"broken off": 1}
    assert recorder.failures() == []


@pytest.mark.asyncio
async def test_an_exemption_covers_its_own_lines_only(recorder: Recorder) -> None:
    """After the lines that it is for, the same thing fails."""
    async with Sandbox() as sandbox, LinqClient(sandbox.token, base_url=sandbox.base_url) as linq:
        bad = {"phone_number": MIRA, "surplus": 1}
        with off_contract("a name that is ignored", "request.body") as exemption:
            await linq.request("POST", f"{API}/i_message_availability/check", json=bad)
        assert (exemption.used, recorder.failures()) == (1, [])
        sandbox.imessage_interval = 0.0
        await linq.request("POST", f"{API}/i_message_availability/check", json=bad)
    assert len(recorder.failures()) == 1
