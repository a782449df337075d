"""A campaign of 100,000 rows: the journal must cost little beside a loop that keeps no record."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peak import peak
from benchmarks.processes import run, serving
from benchmarks.results import Check, Result, Table
from linq_async import LinqClient, NewChat
from linq_async.bulk import BulkSender, Campaign, Journal, Pacing, RecipientFile, idempotency_key
from linq_async.bulk.rows import EndedRow, QueuedRow

ROWS = 100_000
MANY_ROWS = 1_000_000
LINE = "+15175269229"
TEXT = "Hello {first_name}! This is a sample message from Linq API v2."
IN_FLIGHT = 50
SLOW_SECONDS = 0.01
MIB = 1 << 20
NOTE = (
    "Each in a fresh process against a server that responds at once, 50 in flight and no pace. The loop has 50 workers "
    "and keeps no record; gather starts all sends at once. Ratios are medians of those of neighbouring runs. The load "
    "reads, checks and stores the file. A slow disk takes 10 ms longer for each transaction. Memory is the peak RSS."
)


def measure(*, quick: bool) -> Result:
    """Measure all ways to send the same rows."""
    count, rounds = (5_000, 3) if quick else (ROWS, 3)
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder, serving("bulk_server") as url:
        people = write_people(Path(folder, "people.csv"), count)

        def arm(name: str, journal: str = "") -> dict[str, float]:
            found: dict[str, float] = run(
                "bulk", arm=name, people=str(people), journal=str(Path(folder, journal)), url=url
            )
            return found

        pairs = [(arm("loop"), arm("journal", f"{number}.db")) for number in range(rounds)]
        gathered, slow = arm("gather"), arm("slow", "slow.db")
        resumed = arm("journal", "0.db")
        many: dict[str, float] | None = None
        if not quick:
            write_people(people, MANY_ROWS)
            many = arm("journal", "many.db")
    return _result(count, pairs, {"gather": gathered, "slow": slow, "resumed": resumed}, many)


def _result(
    count: int,
    pairs: Sequence[tuple[dict[str, float], dict[str, float]]],
    others: dict[str, dict[str, float]],
    many: dict[str, float] | None,
) -> Result:
    loops, journals = zip(*pairs, strict=True)
    loop = statistics.median(one["send"] for one in loops)
    send = statistics.median(first["send"] / second["send"] for first, second in pairs)
    cpu = statistics.median(second["cpu"] / first["cpu"] for first, second in pairs)
    whole = statistics.median(first["send"] / (second["load"] + second["send"]) for first, second in pairs)
    slow = loop / others["slow"]["send"]
    memory = max(one["peak"] for one in journals) / MIB
    named = {"worker loop, no journal": _medians(loops), "journal": _medians(journals)}
    named |= {"journal on a slow disk": others["slow"], "gather, no journal": others["gather"]}
    rows = [(name, *_cells(one, count, f"{loop / one['send']:.2f}")) for name, one in named.items()]
    resumed = others["resumed"]
    resume = resumed["load"] + resumed["send"]
    rows.append(("resume of a finished run", f"{resume:.2f}", "", "", "", f"{resumed['peak'] / MIB:.0f}"))
    checks = [
        Check(name="send phase / worker loop", value=send, budget=0.9, gate=0.7, higher_is_better=True),
        Check(name="load and send / worker loop", value=whole, budget=0.7, gate=0.5, higher_is_better=True),
        Check(name="send phase on a slow disk / worker loop", value=slow, budget=0.7, gate=0.4, higher_is_better=True),
        Check(name="CPU of the send phase / worker loop", value=cpu, budget=1.1, gate=1.2),
        Check(name=f"peak RSS of {count:,} rows", value=memory, budget=80, gate=80, unit="MiB"),
        Check(name=f"resume of {count:,} finished rows", value=1_000 * resume, budget=1_000, gate=1_000, unit="ms"),
    ]
    if many is not None:
        rows.append((f"journal, {MANY_ROWS:,} rows", *_cells(many, MANY_ROWS, "")))
        value = many["peak"] / MIB
        checks.append(Check(name=f"peak RSS of {MANY_ROWS:,} rows", value=value, budget=120, gate=120, unit="MiB"))
    return Result(
        title=f"A campaign of {count:,} rows",
        tables=[Table(("way to send", "load, s", "rows/s", "/ loop", "CPU, us a row", "peak RSS, MiB"), rows)],
        checks=checks,
        notes=[NOTE],
    )


def _medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def _cells(one: dict[str, float], count: int, ratio: str) -> tuple[str, ...]:
    """Return the load, the rate, its ratio, the CPU of the send phase, and the memory."""
    cpu = f"{one['cpu'] / count * 1e6:.0f}"
    return f"{one['load']:.2f}", f"{count / one['send']:,.0f}", ratio, cpu, f"{one['peak'] / MIB:.0f}"


def write_people(path: Path, count: int) -> Path:
    """Write a file with valid numbers, each once."""
    with path.open("w", encoding="utf-8") as file:
        file.write("phone_number,first_name\n")
        file.writelines(f"{number(index)},Person {index}\n" for index in range(count))
    return path


def number(index: int) -> str:
    """Return one of a million valid numbers."""
    return f"+1334{200 + index // 10_000}{index % 10_000:04}"


class SlowJournal(Journal):
    """A journal on a disk that takes 10 ms longer for each transaction."""

    async def write(self, begun: Sequence[QueuedRow], ended: Sequence[EndedRow]) -> None:
        """Write, but not at once."""
        await self._on_db(lambda _: time.sleep(SLOW_SECONDS))
        await super().write(begun, ended)


def messages(count: int) -> Iterator[NewChat]:
    """Yield the messages of the loops that keep no record, under the keys that the journal would use."""
    for index in range(count):
        text, key = TEXT.replace("{first_name}", f"Person {index}"), idempotency_key("bench", number(index))
        yield NewChat(send_from=LINE, phone_numbers=[number(index)], text=text, idempotency_key=key)


async def send_in_loop(linq: LinqClient, count: int) -> None:
    """Send with 50 workers."""
    shared = messages(count)

    async def work() -> None:
        for message in shared:
            await linq.chats.send(message)

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


async def send_at_once(linq: LinqClient, count: int) -> None:
    """Start all sends at once."""
    await asyncio.gather(*(linq.chats.send(message) for message in messages(count)))


async def send_from_journal(linq: LinqClient, journal: Journal, people: str) -> dict[str, float]:
    """Load, and send. Return the seconds of each."""
    campaign = Campaign(name="bench", senders=[LINE], text=TEXT)
    start = time.perf_counter()
    async with journal:
        await journal.load(campaign, RecipientFile(people))
        loaded, used = time.perf_counter(), time.process_time()
        sender = BulkSender(linq, journal, concurrency=IN_FLIGHT, pacing=Pacing(per_line=None))
        async for _result in sender.run():
            pass
        assert sender.counts.sent == sender.counts.total
    return {"load": loaded - start, "send": time.perf_counter() - loaded, "cpu": time.process_time() - used}


LOOPS: dict[str, Callable[[LinqClient, int], Awaitable[None]]] = {"loop": send_in_loop, "gather": send_at_once}


async def worker(arm: str, people: str, journal: str, url: str) -> dict[str, float]:
    """Send all rows in one way. Return the seconds, and the peak of the memory."""
    async with LinqClient("token", base_url=url, max_connections=IN_FLIGHT) as linq:
        if arm in LOOPS:
            with Path(people).open(encoding="utf-8") as file:  # noqa: ASYNC230  # before anything is measured
                count = sum(1 for _ in file) - 1
            start, used = time.perf_counter(), time.process_time()
            await LOOPS[arm](linq, count)
            seconds = {"load": 0.0, "send": time.perf_counter() - start, "cpu": time.process_time() - used}
        else:
            kind = SlowJournal if arm == "slow" else Journal
            seconds = await send_from_journal(linq, kind(journal), people)
    return {**seconds, "peak": float(peak())}


if __name__ == "__main__":
    arguments: dict[str, Any] = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(worker(**arguments))))
