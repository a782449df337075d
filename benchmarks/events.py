"""The cost of one event: verify, decode, dispatch. In a real server, and without one."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.event_rivals import (
    Application,
    Decode,
    Message,
    by_hand,
    hand_written,
    sign_by_hand,
    sign_standard,
    standardwebhooks,
)
from benchmarks.event_sender import BY_HAND, STANDARD
from benchmarks.examples import EVENT_SECRET, event_body
from benchmarks.pairs import (
    AsyncCall,
    Block,
    Pair,
    compare_blocks,
    compare_sync,
    cpu_ratio,
    from_json,
    median_of,
    run_block,
    to_json,
)
from benchmarks.processes import ROOT, run
from benchmarks.results import Check, Result, Table
from benchmarks.rivals import select, skipped_rows
from linq_async import LinqClient
from linq_async.integrations.asgi import WebhookApp
from linq_async.webhooks import Context, Dispatcher, MemoryInbox, MessageReceived, SqliteInbox, unwrap

OURS, ON_DISK = "linq_async, MemoryInbox", "linq_async, SqliteInbox"
RIVAL, RIVAL_ONCE = "standardwebhooks, pydantic", "standardwebhooks, pydantic, parsed once"
PATHS = {OURS: "/memory", ON_DISK: "/sqlite", RIVAL: STANDARD, RIVAL_ONCE: f"{STANDARD}-once"}
SERVER, FAST_SERVER = "uvicorn", "uvicorn with httptools"
PARSERS = {SERVER: "h11", FAST_SERVER: "httptools"}
CONNECTIONS = 50
BURST = 200
"""Events that are sent together, and count as one call."""
NOTE = (
    "One `message.received` with a file, 0.7 kB, in 500 chats; no two events are the same, and the handler does "
    "nothing. uvicorn is as `pip install uvicorn` installs it, or parses HTTP in C with httptools; a process of its "
    f"own sends over {CONNECTIONS} connections that stay open. CPU is that of the server's process in all. By hand: an "
    "ASGI application with `hmac`, `json.loads` and a dict of handlers, which awaits the handler before it responds: "
    "nothing is checked, repeated, kept in order or stored. standardwebhooks verifies its own format; pydantic has "
    "models of three events with the fields that we decode, times included. Parsed once: with "
    "`verify(json_parse=False)`, and pydantic parses the body. Events per second share two cores with the sender. "
    "Without a server: the same applications, called directly."
)


def measure(*, quick: bool) -> Result:
    """Measure what is installed, in a server and without one."""
    rivals, skipped = select([RIVAL, RIVAL_ONCE], quick=quick)
    servers, no_servers = select(list(PARSERS), quick=quick)
    *in_servers, bare, decoded, against = (
        from_json(one) for one in run("events", servers=servers, rivals=rivals, rounds=10 if quick else 60)
    )
    head = ("CPU ratio", "CPU µs", "events/s")
    tables = [
        Table((server, *head), measured(pairs, skipped, BURST))
        for server, pairs in zip(servers, in_servers, strict=True)
    ]
    tables += [Table((server, *head), [(why, "", "", "")]) for server, why in no_servers.items()]
    ratio = cpu_ratio(in_servers[0][OURS]).median
    checks = [Check(name="CPU of an event in uvicorn / by hand", value=ratio, budget=1.5, gate=1.5)]
    ratios: list[tuple[str, ...]] = []
    for name, pairs in against.items():
        ratios.append((f"linq_async / {name}, in pairs", str(cpu_ratio(pairs)), ""))
        if name == RIVAL:
            what = f"CPU of verifying and decoding an event / {name}"
            checks.append(Check(name=what, value=cpu_ratio(pairs).median, budget=0.6, gate=0.7))
    return Result(
        title="Receiving an event",
        tables=[
            *tables,
            Table(("without a server", "CPU ratio", "CPU µs"), _without_rate(measured(bare, skipped, BURST))),
            Table(("verified and decoded", "CPU ratio", "CPU µs"), _without_rate(measured(decoded, skipped)) + ratios),
        ],
        checks=checks,
        notes=[NOTE],
    )


def measured(pairs: dict[str, list[Pair]], skipped: dict[str, str], events: int = 1) -> list[tuple[str, ...]]:
    """Return the rows of a table: a ratio, microseconds, and events per second."""
    first = next(iter(pairs.values()))
    costs = {name: [pair.contender for pair in of_name] for name, of_name in pairs.items()}
    costs["by hand"] = [pair.baseline for pair in first]
    return [
        (
            name,
            str(cpu_ratio(pairs[name])) if name in pairs else "1",
            f"{1e6 * median_of([cost.cpu for cost in of_name]) / events:.1f}",
            f"{events / median_of([cost.wall for cost in of_name]):,.0f}",
        )
        for name, of_name in costs.items()
    ] + skipped_rows(skipped, 4)


def _without_rate(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [row[:3] for row in rows]


def decoders(rivals: list[str]) -> dict[str, Decode]:
    """Return the decoders of the rivals."""
    return {name: standardwebhooks(parse_once=name == RIVAL_ONCE) for name in rivals}


def bot_with(inbox: MemoryInbox | SqliteInbox) -> Dispatcher[None]:
    """Return a bot whose handler does nothing."""
    bot = Dispatcher[None](inbox=inbox)

    @bot.on(MessageReceived)
    async def handle(message: MessageReceived, context: Context[None]) -> None:
        pass

    return bot


@asynccontextmanager
async def running(bots: dict[str, Dispatcher[None]]) -> AsyncGenerator[dict[str, WebhookApp]]:
    """Run bots, and yield the application of each."""
    async with AsyncExitStack() as stack:
        linq = await stack.enter_async_context(LinqClient("token", base_url="http://127.0.0.1:1"))
        hooks = {name: WebhookApp(bot, secret=EVENT_SECRET, linq=linq) for name, bot in bots.items()}
        for hook in hooks.values():
            await stack.enter_async_context(hook.lifespan())
        yield hooks


@asynccontextmanager
async def serving(apps: dict[str, Application], server: str) -> AsyncGenerator[int]:
    """Serve applications by path, and yield the port."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await apps[scope["path"]](scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app, http=PARSERS[server], lifespan="off", log_config=None, access_log=False, timeout_keep_alive=600
        )
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        running.should_exit = True
        await task


@asynccontextmanager
async def sending(port: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a sender."""
    command = (sys.executable, "-m", "benchmarks.event_sender", str(port), str(CONNECTIONS))
    sender = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    yield sender
    sender.kill()
    await sender.communicate()


def sent(sender: asyncio.subprocess.Process, path: str, bot: Dispatcher[None] | None = None) -> AsyncCall:
    """Return a call that sends a burst of events to a path, and waits until all are handled."""

    async def call() -> None:
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write(f"{path} {BURST}\n".encode())
        assert await sender.stdout.readline(), "the sender has ended"
        if bot is not None:
            await bot.idle()

    return call


async def compare_bursts(baseline: AsyncCall, calls: dict[str, AsyncCall], rounds: int) -> dict[str, list[Pair]]:
    """Compare bursts of events, after some that warm up."""
    for call in (baseline, *calls.values()):
        await run_block(call, 10, in_flight=1)
    blocks = {name: Block(call, 2) for name, call in calls.items()}
    return await compare_blocks(Block(baseline, 2), blocks, rounds=rounds)


async def served(server: str, rivals: list[str], rounds: int) -> dict[str, list[Pair]]:
    """Compare what a server spends on a burst of events, with that of one by hand."""
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder:
        bots = {OURS: bot_with(MemoryInbox()), ON_DISK: bot_with(SqliteInbox(Path(folder, "bot.db")))}
        apps = {PATHS[name]: hand_written(decode) for name, decode in decoders(rivals).items()}
        apps[BY_HAND] = hand_written(by_hand)
        async with running(bots) as hooks:
            apps |= {PATHS[name]: hook for name, hook in hooks.items()}
            async with serving(apps, server) as port, sending(port) as sender:
                calls = {name: sent(sender, PATHS[name], bots.get(name)) for name in (*bots, *rivals)}
                return await compare_bursts(sent(sender, BY_HAND), calls, rounds)


def called(app: Application, signed: list[tuple[Any, bytes]], bot: Dispatcher[None] | None = None) -> AsyncCall:
    """Return a call that passes a burst of requests to an application without a server."""
    requests = itertools.cycle(signed)

    async def call() -> None:
        for headers, body in itertools.islice(requests, BURST):
            message: Message = {"type": "http.request", "body": body, "more_body": False}
            responses: list[Message] = []

            async def receive(message: Message = message) -> Message:
                return message

            async def send(message: Message, responses: list[Message] = responses) -> None:
                responses.append(message)

            await app({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive, send)
            assert responses[0]["status"] == 200
        if bot is not None:
            await bot.idle()

    return call


async def bare(rivals: list[str], rounds: int) -> dict[str, list[Pair]]:
    """Compare what an application spends on a burst of events, with that of one by hand."""
    bodies = [event_body(number) for number in range(5 * BURST)]
    ours, standard = ([(headers_of(sign(body)), body) for body in bodies] for sign in (sign_by_hand, sign_standard))
    bot = bot_with(MemoryInbox(max_keys=BURST))  # so that it does not know the events when they come again
    calls = {name: called(hand_written(decode), standard) for name, decode in decoders(rivals).items()}
    async with running({OURS: bot}) as hooks:
        calls = {OURS: called(hooks[OURS], ours, bot), **calls}
        return await compare_bursts(called(hand_written(by_hand), ours), calls, rounds)


def alone(rivals: list[str], rounds: int) -> tuple[dict[str, list[Pair]], dict[str, list[Pair]]]:
    """Compare what verifies and decodes one request: with the way by hand, and ours with each rival."""
    body = event_body(1)
    ours, standard = (headers_of(sign(body)) for sign in (sign_by_hand, sign_standard))
    secrets = (EVENT_SECRET,)

    def unwrapped() -> object:
        return unwrap(body, ours, secrets)

    calls = {name: partial(decode, body, standard) for name, decode in decoders(rivals).items()}
    by_hand_pairs = compare_sync(
        partial(by_hand, body, ours), {"linq_async": unwrapped, **calls}, rounds=rounds, seconds=0.02
    )
    against = {name: compare_sync(call, {name: unwrapped}, rounds=rounds, seconds=0.02) for name, call in calls.items()}
    return by_hand_pairs, {name: pairs[name] for name, pairs in against.items()}


def headers_of(signed: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them."""
    common = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": "703", "User-Agent": "Linq"}
    return [(name.lower().encode(), value.encode()) for name, value in {**common, **signed}.items()]


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    servers = arguments.pop("servers")
    with_server = [asyncio.run(served(server, **arguments)) for server in servers]
    without = asyncio.run(bare(**arguments)), *alone(**arguments)
    print(json.dumps([to_json(pairs) for pairs in (*with_server, *without)]))
