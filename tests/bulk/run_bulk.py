"""A program that sends a campaign, for tests that kill it: ``python -m tests.bulk.run_bulk PEOPLE JOURNAL URL``.

It exits with 0 if all rows are sent, 1 if some failed, and 3 if some are unknown.
"""

from __future__ import annotations

import asyncio
import sys

from linq_async import LinqClient, RetryPolicy
from linq_async.bulk import BulkSender, Journal, Pacing, RecipientFile
from tests.bulk.world import NEVER, campaign

RATE = 150.0
"""Messages a second, so that a run lasts long enough to be killed."""


async def main(people: str, path: str, url: str) -> int:
    """Load or resume, and send."""
    retry = RetryPolicy(initial_delay=0.02, max_delay=0.1)
    async with LinqClient("token", base_url=url, retry=retry) as linq, Journal(path) as journal:
        await journal.load(campaign(), RecipientFile(people))
        sender = BulkSender(linq, journal, pacing=Pacing(per_line=RATE), stop=NEVER)
        async for _result in sender.run():
            pass
        counts = sender.counts
    return 3 if counts.unknown else 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:4])))
