"""What the tests of bulk sends start from: numbers, files, campaigns, and runs."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from linq_async import LinqClient, RetryPolicy
from linq_async.bulk import (
    BulkSender,
    Campaign,
    Columns,
    Journal,
    Loaded,
    Pacing,
    RecipientFile,
    RowResult,
    StopRules,
)
from linq_async.sandbox import Sandbox
from tests.support.clock import Clock

LINE, OTHER_LINE = "+15175269229", "+12025550101"
TEXT = "Hi {first_name}, we open at nine."
NEVER = StopRules(in_a_row=None, share=None)
AT_ONCE = Pacing(per_line=None)


def number(index: int) -> str:
    """Return one of 10,000 valid phone numbers."""
    return f"+1334328{index:04}"


def write_people(path: Path, count: int = 10, rows: Iterable[str] = ()) -> Path:
    """Write a CSV file of recipients."""
    lines = [f"{number(index)},Person {index}" for index in range(count)]
    path.write_text("\n".join(["phone_number,first_name", *lines, *rows, ""]), encoding="utf-8")
    return path


def campaign(**changes: Any) -> Campaign:
    """Return a campaign with a single line."""
    values: dict[str, Any] = {"name": "may", "senders": [LINE], "text": TEXT, "columns": Columns()}
    return Campaign(**{**values, **changes})


def select(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Query a journal that nobody uses."""
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def states(path: Path) -> dict[int, int]:
    """Return how many rows of a journal are in each state."""
    return dict(select(path, "SELECT state, count(*) FROM row GROUP BY state"))


@attrs.define
class Bulk:
    """A sandbox, a client whose waits take no time, and the path of a journal."""

    sandbox: Sandbox
    linq: LinqClient
    clock: Clock
    folder: Path

    @property
    def path(self) -> Path:
        """The path of the journal."""
        return self.folder / "run.db"

    def wall(self) -> float:
        """Return the time of the journal, which moves with the clock."""
        return 1.8e9 + self.clock.now

    @property
    def texted(self) -> Counter[str]:
        """How many messages each number got."""
        return Counter(recipient for message in self.sandbox.messages for recipient in message.recipients)

    @asynccontextmanager
    async def journal(
        self, people: Path | None = None, changed: Campaign | None = None, suppressed: Iterable[str] = ()
    ) -> AsyncGenerator[tuple[Journal, Loaded | None]]:
        """Open the journal, and load a file if one is given."""
        async with Journal(self.path, clock=self.wall) as journal:
            loaded = None
            if people is not None:
                loaded = await journal.load(changed or campaign(), RecipientFile(people), suppressed=suppressed)
            yield journal, loaded

    def sender(self, journal: Journal, **options: Any) -> BulkSender:
        """Return a sender on the clock of the test, without a pace."""
        settings: dict[str, Any] = {"pacing": AT_ONCE, "timing": self.clock.timing(), "concurrency": 5}
        return BulkSender(self.linq, journal, **{**settings, **options})

    async def run(self, people: Path | None = None, **options: Any) -> list[RowResult]:
        """Load a file if one is given, and send."""
        limit = options.pop("limit", None)
        async with self.journal(people) as (journal, _):
            return [result async for result in self.sender(journal, **options).run(limit=limit)]


@asynccontextmanager
async def bulk_world(folder: Path, *, retry: RetryPolicy = RetryPolicy.none()) -> AsyncGenerator[Bulk]:  # noqa: B008
    """Make a sandbox and a client of it."""
    clock = Clock()
    async with (
        Sandbox() as sandbox,
        LinqClient(sandbox.token, base_url=sandbox.base_url, retry=retry, timing=clock.timing()) as linq,
    ):
        yield Bulk(sandbox, linq, clock, folder)


async def stopped_early(bulk: Bulk, people: Path, after: int) -> None:
    """Send some rows, and leave with others under way, as a killed process does."""
    async with bulk.journal(people) as (journal, _):
        run = bulk.sender(journal, concurrency=1).run()
        for _ in range(after):
            await anext(run)
        await run.aclose()
        await asyncio.sleep(0)
