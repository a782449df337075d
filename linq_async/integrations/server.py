"""A small server for webhook requests, for the command line and the pytest fixtures."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http import HttpProcessingError

from linq_async.integrations.aiohttp import add_webhooks
from linq_async.webhooks.receiver import Accept
from linq_async.webhooks.signature import Secret

PATH = "/linq/webhooks"
_logger = logging.getLogger("linq_async.webhooks.http")
_logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))


@asynccontextmanager
async def serving(accept: Accept, secret: Secret, *, port: int = 0) -> AsyncGenerator[str]:
    """Receive webhook requests on a port of this machine until the block is left, and yield the URL to subscribe.

    Raises:
        ConfigurationError: If the secret is empty.
        OSError: If the port cannot be used.
    """
    app = web.Application()
    try:
        add_webhooks(app, accept, secret, path="/{path:.*}")  # whatever path a subscription has
    finally:
        del secret  # a traceback with locals would show it
    runner = web.AppRunner(app, logger=_logger, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()
