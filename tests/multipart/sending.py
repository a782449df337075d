"""Clients for the tests, and the check that they leave nothing behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from linq_async import LinqClient, RetryPolicy, Timeouts
from linq_async.uploads import Attachable

from .reading import Part, read_python_multipart
from .recorder import Recorder

KEY = "order-1017"
SENDER = "+15175269229"
RECIPIENT = "+13343284472"
AT_ONCE = RetryPolicy(initial_delay=0.0)
PATIENCE = 10.0
"""Seconds until a hanging test is ended."""


def client(server: Recorder, **settings: Any) -> LinqClient:
    """Return a client of the server that never waits between attempts."""
    limits = Timeouts(connect=PATIENCE, write=PATIENCE, read=PATIENCE, total=PATIENCE)
    given: dict[str, Any] = {"base_url": server.url, "retry": AT_ONCE, "timeouts": limits, **settings}
    return LinqClient("token", **given)


async def send(linq: LinqClient, *attachments: Attachable, **fields: Any) -> Any:
    """Send a chat with these attachments."""
    given: dict[str, Any] = {
        "send_from": SENDER,
        "phone_numbers": [RECIPIENT],
        "text": "Hello!",
        "idempotency_key": KEY,
    }
    return await linq.chats.create(attachments=attachments, **{**given, **fields})


async def sent_parts(server: Recorder, *attachments: Attachable, **fields: Any) -> list[Part]:
    """Send once, and return the parts that arrived."""
    async with client(server) as linq:
        await send(linq, *attachments, **fields)
    request = server.log[-1]
    return read_python_multipart(request.body, request.headers["content-type"])


async def sent_file(server: Recorder, attachment: Attachable) -> Part:
    """Send one attachment, and return its part."""
    return (await sent_parts(server, attachment))[-1]


@asynccontextmanager
async def leaving_nothing(server: Recorder, **settings: Any) -> AsyncGenerator[LinqClient]:
    """Yield a client, and check that it leaves neither a descriptor nor a task when it is closed."""
    descriptors, tasks = open_descriptors(), asyncio.all_tasks()
    async with client(server, **settings) as linq:
        yield linq
    assert await server.settled(PATIENCE) == 0
    left = await settled(lambda: [*(open_descriptors() - descriptors), *(asyncio.all_tasks() - tasks)])
    assert left == []


async def settled(left: Callable[[], Sequence[object]]) -> Sequence[object]:
    """Run the loop until nothing is left or the time is over, and return what is left."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE / 5
    while (found := left()) and loop.time() < end:  # noqa: ASYNC110  # descriptors close without an event
        await asyncio.sleep(0)
    return found


def open_descriptors() -> set[tuple[str, str]]:
    """Return the descriptors of this process and their targets."""
    found: set[tuple[str, str]] = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
        except FileNotFoundError:  # that of the listing itself
            continue
    return found
