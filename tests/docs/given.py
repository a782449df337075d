"""The names that the parts of programs in a document use, besides ``linq`` and ``sandbox``."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from linq_async import LinqClient
from linq_async.integrations.server import serving
from linq_async.sandbox import Sandbox
from linq_async.webhooks import Accepted, WebhookEvent

Given: TypeAlias = Callable[[LinqClient, Sandbox], AbstractAsyncContextManager[dict[str, Any]]]


@asynccontextmanager
async def nothing(linq: LinqClient, sandbox: Sandbox) -> AsyncGenerator[dict[str, Any]]:
    """Give no more names."""
    yield {}


async def _accept(event: WebhookEvent) -> Accepted:
    return Accepted.NEW


@asynccontextmanager
async def _receiver(linq: LinqClient, sandbox: Sandbox) -> AsyncGenerator[dict[str, Any]]:
    """Give an image, and the URL of a server that accepts every event."""
    async with serving(_accept, "a-long-random-string") as url:
        yield {"image": b"\xff\xd8 a picture", "url": url}


@asynccontextmanager
async def _recipients(linq: LinqClient, sandbox: Sandbox) -> AsyncGenerator[dict[str, Any]]:
    """Give a file of recipients, in the current directory."""
    rows = "phone_number,first_name\n+13343284472,Mira\n"
    Path("people.csv").write_text(rows, encoding="utf-8")  # noqa: ASYNC240
    yield {}


@asynccontextmanager
async def _logger(linq: LinqClient, sandbox: Sandbox) -> AsyncGenerator[dict[str, Any]]:
    """Give nothing, and restore the level of the logger."""
    logger = logging.getLogger("linq_async")
    level = logger.level
    try:
        yield {}
    finally:
        logger.setLevel(level)


GIVEN: dict[str, Given] = {"README.md": _recipients, "observability.md": _logger, "sandbox.md": _receiver}
"""By page."""
