"""Tests of the pytest plugin with all kinds of tests and event loops. `.ci/run` tries it with more releases."""

from __future__ import annotations

import ast
import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import linq_async.testing
from linq_async.sandbox import Sandbox
from linq_async.testing import LinqBot
from linq_async.webhooks import Context, Dispatcher, MessageReceived

pytest_plugins = ["pytester"]
importlib.import_module("linq_async.sandbox.threaded")  # else each inner run would load it again

Run = Callable[..., pytest.RunResult]

CALL = """
    linq_sandbox.faults.answer(503)
    chat = await linq.chats.create(
        send_from=linq_sandbox.phone_numbers[0], phone_numbers=["+13343284472"], text="Hello!"
    )
    assert chat.attempts == 2
    assert [message.text for message in linq_sandbox.messages] == ["Hello!"]
"""
# The first two load the plugin by name even if it is installed; the last line saves loading others in each run.
OPTIONS = (
    *("-p", "no:linq_async", "-p", "linq_async.testing", "-W", "error"),
    *("-p", "no:hypothesispytest", "-p", "no:schemathesis", "-p", "no:faker"),
)
TEST = f"async def test_one(linq, linq_sandbox):{CALL}"


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> Run:
    """Run pytest on one test file, with the plugin loaded and warnings as errors."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        scope = ("-o", "asyncio_default_fixture_loop_scope=function")
        return pytester.runpytest_inprocess(*OPTIONS, *scope, *arguments)

    return run


def test_strict_mode(run_pytest: Run) -> None:
    """In strict mode, a marked test sends to the sandbox with one retry, and finds the stored message."""
    result = run_pytest(f"import pytest\n@pytest.mark.asyncio\n{TEST}", "--asyncio-mode=strict")
    result.assert_outcomes(passed=1)


def test_auto_mode(run_pytest: Run) -> None:
    """In auto mode, the same test needs no mark."""
    run_pytest(TEST, "--asyncio-mode=auto").assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_loop_scopes(pytester: pytest.Pytester, run_pytest: Run, scope: str) -> None:
    """The client works on a loop of any scope, and the sandbox is empty at the start of each test."""
    indented = TEST.replace("\n", "\n    ").replace("(linq,", "(self, linq,")
    source = f"""
import pytest

@pytest.mark.asyncio(loop_scope="{scope}")
class TestOne:
    {indented}
    {indented.replace("test_one", "test_two")}
"""
    pytester.makepyfile(__init__="")  # some releases of pytest-asyncio require a package for this scope
    run_pytest(source, "--asyncio-mode=strict").assert_outcomes(passed=2)


def test_default_loop_scope(run_pytest: Run) -> None:
    """The fixtures work with a default loop scope set in the configuration."""
    result = run_pytest(TEST, "--asyncio-mode=auto", "-o", "asyncio_default_test_loop_scope=session")
    result.assert_outcomes(passed=1)


def test_only_the_sandbox(run_pytest: Run) -> None:
    """The sandbox can be requested without the client."""
    source = "async def test_one(linq_sandbox):\n    assert linq_sandbox.base_url and not linq_sandbox.messages"
    run_pytest(source, "--asyncio-mode=auto").assert_outcomes(passed=1)


def test_overridden_sandbox(run_pytest: Run) -> None:
    """The client connects to a ``linq_sandbox`` that the test suite overrides."""
    source = f"""
import pytest_asyncio
from linq_async.sandbox import Sandbox

@pytest_asyncio.fixture
async def linq_sandbox():
    async with Sandbox(phone_numbers=["+12025550199"]) as sandbox:
        yield sandbox

{TEST}
    assert linq_sandbox.phone_numbers == ("+12025550199",)
"""
    run_pytest(source, "--asyncio-mode=auto").assert_outcomes(passed=1)


def test_synchronous(run_pytest: Run) -> None:
    """A synchronous test runs one or more loops of its own, and no session stays open."""
    source = f"""
import asyncio

async def send(linq, linq_sandbox):{CALL}

async def count(linq):
    return len(await linq.phone_numbers.list())

def test_one(linq, linq_sandbox):
    asyncio.run(send(linq, linq_sandbox))
    assert asyncio.run(count(linq)) == 2
"""
    run_pytest(source).assert_outcomes(passed=1)


def test_anyio(run_pytest: Run) -> None:
    """The fixtures work with anyio's plugin, which closes the loop before their teardown."""
    backend = "import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    run_pytest(f"{backend}@pytest.mark.anyio\n{TEST}", "--asyncio-mode=strict").assert_outcomes(passed=1)


BOT = """
import asyncio
import pytest
from linq_async.webhooks import Dispatcher, MessageReceived

bot = Dispatcher()

@bot.on(MessageReceived)
async def echo(message, context):
    await context.reply(f"You said: {message.data.text}")

async def talk(linq_sandbox, linq_bot):
    async with linq_bot(bot) as running:
        assert running is bot
        linq_sandbox.deliveries.twice_with_new_id(event_type="message.received")
        first = await linq_sandbox.receive(from_="+13343284472", text="hi")
        await linq_sandbox.reply(first.chat_id, "again")
        await linq_sandbox.delivered()
        await bot.idle()
        texts = [message.text for message in linq_sandbox.messages if message.from_me]
        assert texts == ["You said: hi", "You said: again"]
    await linq_sandbox.reply(first.chat_id, "too late")
    await linq_sandbox.delivered()
    assert linq_sandbox.messages[-1].text == "too late"
    assert all(delivery.delivered for delivery in linq_sandbox.deliveries)
"""
BOT_TEST = """
async def test_bot(linq_sandbox, linq_bot):
    await talk(linq_sandbox, linq_bot)
"""


@pytest.mark.parametrize(
    ("source", "mode"),
    [
        (BOT_TEST, "auto"),
        (f"@pytest.mark.anyio{BOT_TEST}@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n", "strict"),
        ("def test_bot(linq_sandbox, linq_bot):\n    asyncio.run(talk(linq_sandbox, linq_bot))\n", "strict"),
    ],
    ids=["asyncio", "anyio", "synchronous"],
)
def test_bot(run_pytest: Run, source: str, mode: str) -> None:
    """A bot gets what people write, answers each message once, and gets nothing after its block."""
    run_pytest(BOT + source, f"--asyncio-mode={mode}").assert_outcomes(passed=1)


def test_bot_and_sandbox_on_one_loop(run_pytest: Run) -> None:
    """The bot also works with a sandbox that runs on the loop of the test."""
    source = f"""
import pytest_asyncio
from linq_async.sandbox import Sandbox

@pytest_asyncio.fixture
async def linq_sandbox():
    async with Sandbox() as sandbox:
        yield sandbox

{BOT}{BOT_TEST}"""
    run_pytest(source, "--asyncio-mode=auto").assert_outcomes(passed=1)


@pytest.mark.asyncio
async def test_state_of_a_bot(linq_sandbox: Sandbox, linq_bot: LinqBot) -> None:
    """Handlers get the state that is passed, and the secret of the environment is not used."""
    bot = Dispatcher[list[str]]()

    @bot.on(MessageReceived)
    async def keep(message: MessageReceived, context: Context[list[str]]) -> None:
        context.state.append(message.data.text or "")

    texts: list[str] = []
    async with linq_bot(bot, texts):
        await linq_sandbox.receive(from_="+13343284472", text="hi")
        await bot.idle()
    assert texts == ["hi"]


@pytest.mark.asyncio
async def test_a_handler_that_fails_runs_again_soon(linq_sandbox: Sandbox, linq_bot: LinqBot) -> None:
    """Four more attempts take a fraction of the seconds that they take outside of tests, also after a failed send."""
    bot = Dispatcher[None](attempts=5)
    attempts: list[int] = []

    @bot.on(MessageReceived)
    async def fail(message: MessageReceived, context: Context[None]) -> None:
        attempts.append(context.attempt)
        if context.attempt < 5:
            linq_sandbox.faults.answer(400)
        await context.reply("Hello.")

    async with linq_bot(bot), asyncio.timeout(1):
        await linq_sandbox.receive(from_="+13343284472", text="hi")
        await bot.idle()
    assert attempts == [1, 2, 3, 4, 5]
    assert [message.text for message in linq_sandbox.messages if message.from_me] == ["Hello."]


@pytest.mark.asyncio
async def test_deliveries_end_before_the_server_of_a_bot_closes(linq_sandbox: Sandbox, linq_bot: LinqBot) -> None:
    """Events are under way when the block is left. None of them meets a server that is gone."""
    bot = Dispatcher[None]()

    @bot.on(MessageReceived)
    async def answer(message: MessageReceived, context: Context[None]) -> None:
        await context.reply("Hello.")

    async with linq_bot(bot):
        for number in range(20):
            await linq_sandbox.receive(from_=f"+1334328{number:04}", text="hi")
    ended = len(linq_sandbox.deliveries)
    await linq_sandbox.delivered()
    assert len(linq_sandbox.deliveries) == ended > 0
    assert {entry.error for entry in linq_sandbox.deliveries} == {None}


def test_unittest(run_pytest: Run) -> None:
    """The fixtures work in an ``IsolatedAsyncioTestCase``, on its own loop."""
    source = f"""
import pytest
from unittest import IsolatedAsyncioTestCase

class TestOne(IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _fixtures(self, linq, linq_sandbox):
        self.fixtures = linq, linq_sandbox

    async def test_one(self):
        linq, linq_sandbox = self.fixtures
    {CALL.replace(chr(10), chr(10) + "    ")}
"""
    run_pytest(source).assert_outcomes(passed=1)


def test_loop_in_another_thread(run_pytest: Run) -> None:
    """A client used on a loop in another thread is closed on that loop, which outlives the test."""
    source = f"""
import asyncio
import threading
import pytest

async def test_on_its_loop(linq, linq_sandbox):{CALL}

@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()

def test_one(loop, linq, linq_sandbox):
    asyncio.run_coroutine_threadsafe(test_on_its_loop(linq, linq_sandbox), loop).result(5)
"""
    run_pytest(source, "-k", "test_one").assert_outcomes(passed=1, deselected=1)


def test_restart(run_pytest: Run) -> None:
    """A test can close the sandbox from its own loop, and start it again."""
    source = """
import pytest
from linq_async import ConnectError

async def test_one(linq_sandbox, linq):
    await linq_sandbox.close()
    with pytest.raises(ConnectError):
        await linq.phone_numbers.list()
    with pytest.raises(RuntimeError):
        linq_sandbox.base_url
    await linq_sandbox.start()
    assert linq_sandbox.base_url.startswith("http://127.0.0.1:")
"""
    run_pytest(source, "--asyncio-mode=auto").assert_outcomes(passed=1)


def test_without_any_other_plugin(pytester: pytest.Pytester) -> None:
    """The fixtures work without pytest-asyncio and anyio."""
    pytester.makepyfile("def test_one(linq, linq_sandbox):\n    assert not linq_sandbox.messages")
    pytester.runpytest_inprocess(*OPTIONS, "-p", "no:asyncio", "-p", "no:anyio").assert_outcomes(passed=1)


def test_no_hooks() -> None:
    """The plugin defines no hooks, so it cannot break a test run that does not use it."""
    assert [name for name in vars(linq_async.testing) if name.startswith("pytest_")] == []


def test_listed_by_pytest(run_pytest: Run) -> None:
    """``pytest --fixtures`` lists both fixtures with their descriptions."""
    shown = run_pytest("", "--fixtures").stdout.str()
    assert "linq_sandbox -- " in shown
    assert "linq -- " in shown


def test_imports_only_pytest() -> None:
    """At module level, the plugin imports only the standard library and pytest."""
    tree = ast.parse(Path(linq_async.testing.__file__).read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names} == {"pytest"}
