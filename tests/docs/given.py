"""The names that the parts of programs in a document use, besides ``linq`` and ``sandbox``."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
async def _logger(linq: LinqClient, sandbox: Sandbox) -> AsyncGenerator[dict[str, Any]]:
    """Give nothing, and restore the level of the logger."""
    logger = logging.getLogger("linq_async")
    level = logger.level
    try:
        yield {}
    finally:
        logger.setLevel(level)


GIVEN: dict[str, Given] = {"observability.md": _logger, "sandbox.md": _receiver}
"""By page."""
