"""A bot whose process is killed after its first reply. Its client is configured by the environment.

Usage: ``python -m tests.webhooks.killed_bot INBOX < EVENT``
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from linq_async import LinqClient
from linq_async.webhooks import Context, Dispatcher, MessageReceived, SqliteInbox, parse

bot = Dispatcher[None](inbox=SqliteInbox(sys.argv[1]))


@bot.on(MessageReceived)
async def answer(message: MessageReceived, context: Context[None]) -> None:
    """Reply, and die."""
    await context.reply("We open at nine.")
    os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    """Accept the event, and print a line before it is handled."""
    async with LinqClient() as linq, bot.running(linq, None):
        print((await bot.accept(parse(sys.stdin.read()))).name, flush=True)
        await bot.idle()


if __name__ == "__main__":
    asyncio.run(main())
