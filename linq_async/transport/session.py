"""The connections of a client: a session and its slots, on one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDict

from linq_async.config import Settings
from linq_async.errors import ClientStateError
from linq_async.timing import Timing
from linq_async.transport.external import NO_TIMEOUT, external_options, external_session_error
from linq_async.transport.timeout import DeadlineTimer


@attrs.define(eq=False)
class Pool:
    """What lives and dies with one event loop."""

    session: aiohttp.ClientSession = attrs.field(repr=False)
    loop: asyncio.AbstractEventLoop = attrs.field(repr=False)
    slots: asyncio.Semaphore = attrs.field(repr=False)
    """The connection slots: a call holds one from its first attempt to its last."""
    timer: DeadlineTimer = attrs.field(repr=False)
    headers: CIMultiDict[str] | None = attrs.field(repr=False)
    """The default headers of our own session; None if the session is external."""
    options: dict[str, Any] = attrs.field(repr=False)
    """What each request on an external session sets. Our own session was made with these settings."""
    loop_finalizer: AsyncGenerator[None] | None = attrs.field(default=None, repr=False)
    """Closes our own session with its loop."""
    closed: bool = False
    """Whether the client was closed."""
    idle: int = 0
    """How many connections may be idle in the session: never too few."""
    sleeping: set[asyncio.Future[None]] = attrs.field(factory=set["asyncio.Future[None]"], repr=False)

    @property
    def external(self) -> bool:
        """Whether the session belongs to the caller."""
        return self.headers is None

    def check_open(self) -> None:
        """Raise ClientStateError if the client was closed."""
        if self.closed:
            raise ClientStateError("the client was closed while the call waited")

    async def sleep(self, timing: Timing, seconds: float) -> None:
        """Sleep. Raises ClientStateError if the client is closed, now or meanwhile."""
        await self.wait(asyncio.ensure_future(timing.sleep(seconds)))

    async def wait(self, sleeping: asyncio.Future[None]) -> None:
        """Wait until a future is done or cancelled. Raises ClientStateError if the client is closed meanwhile."""
        # A future for each: one for all would search through all its callbacks whenever one of them leaves.
        self.sleeping.add(sleeping)
        try:
            self.check_open()
            await asyncio.wait([sleeping])
        finally:
            self.sleeping.discard(sleeping)
            sleeping.cancel()
        self.check_open()
        if not sleeping.cancelled():
            sleeping.result()

    async def close(self) -> None:
        """End the calls under way and those that wait; then close the session, unless it is external."""
        self.closed = True
        for sleeping in self.sleeping:
            sleeping.cancel()
        self.timer.expire_all()
        if self.loop_finalizer is not None:
            await self.loop_finalizer.aclose()


class Transport:
    """Opens a pool on the event loop of the first call, and closes it.

    A client may serve several ``asyncio.run`` in turn without ``aclose``: an asynchronous generator that was started is
    closed with its loop, and closes the session.
    """

    def __init__(self, settings: Settings, *, max_connections: int, session: aiohttp.ClientSession | None) -> None:
        error = None if session is None else external_session_error(session, settings)
        if error is not None:
            session = None  # its repr must not be in a traceback with locals
            raise error
        self._settings = settings
        self._max_connections = max_connections
        self._external = session
        self._opening = threading.Lock()
        """For a client that is used in two threads by mistake: both would open a pool."""
        self._pool: Pool | None = None
        self.closed: bool = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of the pool; None before the first call and after ``aclose``."""
        return None if self._pool is None else self._pool.loop

    def pool(self) -> Pool:
        """Return the pool of the running loop.

        Raises:
            ClientStateError: After ``aclose``, or if the pool belongs to another loop that is not closed.
        """
        loop = asyncio.get_running_loop()
        pool = self._pool
        if pool is not None and pool.loop is loop and not self.closed:
            return pool
        with self._opening:
            self._pool = self._open(loop)
            return self._pool

    def _open(self, loop: asyncio.AbstractEventLoop) -> Pool:
        if self.closed:
            raise ClientStateError("the client is closed: make a new one")
        if self._pool is not None and not self._pool.loop.is_closed():
            raise ClientStateError(
                "the client belongs to another event loop that is not closed: make one client per loop, "
                "or close the first loop before the second one starts"
            )
        return self._own_pool(loop) if self._external is None else self._external_pool(loop, self._external)

    def _external_pool(self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> Pool:
        connector = session.connector
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        # With more slots than the session has connections, calls would wait for one after their time has begun.
        count = min([self._max_connections, *[limit for limit in limits if limit]])  # 0 means no limit
        return Pool(
            session,
            loop,
            slots=asyncio.Semaphore(count),
            timer=DeadlineTimer(loop),
            headers=None,
            options=external_options(self._settings),
            idle=count,
        )

    def _own_pool(self, loop: asyncio.AbstractEventLoop) -> Pool:
        # aiohttp sends the default headers of a session to the proxy, too: with a proxy, each request has ours instead.
        headers = CIMultiDict[str]() if self._settings.proxy else self._settings.request_headers
        session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=self._max_connections, ssl=self._settings.ssl or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=NO_TIMEOUT,
            proxy=self._settings.proxy,
            trust_env=False,
        )
        loop_finalizer = _closing_with_loop(session)
        with suppress(StopIteration):  # at its first yield, which it reaches without waiting
            loop_finalizer.__anext__().send(None)
        return Pool(
            session,
            loop,
            slots=asyncio.Semaphore(self._max_connections),
            timer=DeadlineTimer(loop),
            headers=headers,
            options={},
            loop_finalizer=loop_finalizer,
        )

    async def aclose(self) -> None:
        """Close the session, unless it is external. Calls under way end with ClientStateError."""
        pool = self._pool
        if pool is not None and not pool.loop.is_closed() and pool.loop is not asyncio.get_running_loop():
            raise ClientStateError(
                "the client belongs to another event loop that is not closed: close the client there"
            )
        self.closed, self._pool = True, None
        if pool is not None and not pool.loop.is_closed():
            await pool.close()


async def _closing_with_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await session.close()
