"""The pool of a client: its session, its connection slots, its limit gates, and the loop that it lives on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDict

from linq_async.config import Settings
from linq_async.errors import ClientStateError
from linq_async.transport.clock import Watch
from linq_async.transport.lent import NO_TIMEOUT, lent_options, lent_session_error

MAX_PAUSE = 3_600.0
"""Seconds: no Retry-After closes a gate for longer, so that one wrong answer cannot silence a client for days."""


Gate = tuple[str, str]
"""What the server limits: the calls of a token in a limit group. Never printed, for it holds the token."""


@attrs.define(eq=False)
class Pool:
    """What lives and dies with one event loop."""

    session: aiohttp.ClientSession = attrs.field(repr=False)
    loop: asyncio.AbstractEventLoop = attrs.field(repr=False)
    slots: asyncio.Semaphore = attrs.field(repr=False)
    life: AsyncGenerator[None] | None = attrs.field(repr=False)
    watch: Watch = attrs.field(repr=False)
    headers: CIMultiDict[str] | None = attrs.field(repr=False)
    """What our own session sends with every request; None if the session was lent, and sends what its owner chose."""
    options: dict[str, Any] = attrs.field(repr=False)
    """What a lent session must be told with every request. Our own has been made so."""
    closed: bool = False
    """Whether the client was closed."""
    idle: int = 0
    """How many connections may lie idle in the session: rather too many than too few."""
    reopens: dict[Gate, float] = attrs.field(factory=dict["Gate", float], repr=False)
    """For each gate that the server has closed: when it opens, by the pipeline's clock."""
    resting: set[asyncio.Future[None]] = attrs.field(factory=set["asyncio.Future[None]"], repr=False)
    """What waits, and is to end with the client."""

    @property
    def lent(self) -> bool:
        """Whether the session is the caller's own."""
        return self.headers is None

    def pause(self, gate: Gate, now: float, seconds: float) -> None:
        """Close a gate for so many seconds; it never opens earlier for it."""
        self.reopens[gate] = max(now + min(seconds, MAX_PAUSE), self.reopens.get(gate, 0.0))

    def pause_left(self, gate: Gate, now: float) -> float:
        """Return the seconds until a gate opens; 0 if it is open."""
        if gate not in self.reopens:
            return 0.0
        left = self.reopens[gate] - now
        if left <= 0:
            del self.reopens[gate]
        return max(left, 0.0)

    async def rest(self, until: Callable[[], Awaitable[None]]) -> None:
        """Wait, unless the client is closed, now or meanwhile."""
        if self.closed:
            return
        # Not beside a future that all share: each that leaves would search through the callbacks of all others.
        resting = asyncio.ensure_future(until())
        self.resting.add(resting)
        try:
            await asyncio.wait([resting])
        finally:
            self.resting.discard(resting)
            resting.cancel()
        if not resting.cancelled():
            resting.result()

    async def close(self) -> None:
        """End the calls under way and those that wait; then close the session, unless it was lent."""
        self.closed = True
        for resting in self.resting:
            resting.cancel()
        self.watch.expire_all()
        if self.life is not None:
            await self.life.aclose()


class Transport:
    """Makes a pool at the first call, remembers its loop, and closes it.

    Touches no loop before. A client without ``aclose`` may serve several ``asyncio.run`` in turn: a primed
    asynchronous generator is closed with its loop, and takes the session along.
    """

    def __init__(self, settings: Settings, *, max_connections: int, session: aiohttp.ClientSession | None) -> None:
        error = None if session is None else lent_session_error(session, settings)
        if error is not None:
            session = None  # a traceback with locals must not show what was passed for one
            raise error
        self._settings = settings
        self._max_connections = max_connections
        self._borrowed = session
        self._pool: Pool | None = None
        self.closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the pool belongs to; None before the first call and once the client is closed."""
        return None if self._pool is None else self._pool.loop

    def pool(self) -> Pool:
        """Return the pool of the running loop. Raises ClientStateError after ``aclose``, or beside a living loop."""
        loop = asyncio.get_running_loop()
        pool = self._pool
        if pool is not None and pool.loop is loop and not self.closed:
            return pool
        return self._open(loop)

    def _open(self, loop: asyncio.AbstractEventLoop) -> Pool:
        if self.closed:
            raise ClientStateError("the client is closed: make a new one")
        if self._pool is not None and not self._pool.loop.is_closed():
            raise ClientStateError(
                "the client belongs to another event loop that is still alive: make one client for each loop, "
                "or close the first loop before the second one starts"
            )
        watch = Watch(loop)
        if self._borrowed is not None:
            places = self._slots(self._borrowed)
            slots, options = asyncio.Semaphore(places), lent_options(self._settings)
            self._pool = Pool(self._borrowed, loop, slots, None, watch, None, options, idle=places)
        else:
            # aiohttp sends a session's default headers to the proxy, too: with one, ours go with each request instead.
            headers = CIMultiDict[str]() if self._settings.proxy else self._settings.request_headers
            session, life = self._own_session(headers)
            slots = asyncio.Semaphore(self._max_connections)
            self._pool = Pool(session, loop, slots, life, watch, headers, {})
        return self._pool

    def _own_session(self, headers: CIMultiDict[str]) -> tuple[aiohttp.ClientSession, AsyncGenerator[None]]:
        session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=self._max_connections, ssl=self._settings.ssl or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=NO_TIMEOUT,
            proxy=self._settings.proxy,
            trust_env=False,
        )
        life = _life_of(session)
        with suppress(StopIteration):  # at its first yield, which it reaches without waiting
            life.__anext__().send(None)
        return session, life

    def _slots(self, session: aiohttp.ClientSession) -> int:
        """Count the places: in a lent session with fewer of its own, calls would wait by the clock."""
        connector = session.connector
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        return min([self._max_connections, *[limit for limit in limits if limit]])  # 0 is no limit

    async def aclose(self) -> None:
        """Close the session, unless it was lent. Calls under way end with ClientStateError."""
        pool = self._pool
        if pool is not None and not pool.loop.is_closed() and pool.loop is not asyncio.get_running_loop():
            raise ClientStateError("the client belongs to another event loop that is still alive: close it there")
        self.closed, self._pool = True, None
        if pool is not None and not pool.loop.is_closed():
            await pool.close()


async def _life_of(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await session.close()


def spread(seconds: float, chance: float) -> float:
    """Return up to a second, and up to a quarter of a pause, so that those who waited do not all wake at once."""
    return chance * min(1.0, seconds / 4)
