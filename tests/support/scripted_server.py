"""A TCP server that follows a script, and so can misbehave at every byte.

Example:
    script = [refused(503), broken_wire.reset_mid_upload]
    async with ScriptedServer(script) as server, LinqClient(TOKEN, base_url=server.url) as linq:
        chat = await linq.chats.create(**MESSAGE)
    assert (chat.attempts, len(server.log), len(server.stored)) == (3, 3, 1)
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable
from typing import Self

from .http_messages import parse_head
from .script import At, Behaviour, Exchange, Step, behaviour_of, good
from .store import Seen, Store, Stored
from .wire import READ_SIZE, ClientGoneError, Wire

FIRST_READ = 16
CAREFUL_READ = 512


class ScriptedServer:
    """Takes a step of `script` for each request, then `default`; logs and stores what arrives.

    A request that breaks off before its step begins to act leaves the step to the next one.
    """

    def __init__(
        self,
        script: Iterable[Step] = (),
        *,
        default: Step = good,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = list(script)
        self.default = default
        self.log: list[Seen] = []
        """Every request, as far as it arrived."""
        self.visits: list[Behaviour] = []
        """What has begun to act, in order."""
        self.store = Store()
        self.connections = 0
        """How many connections were accepted so far."""
        self.open_connections = 0
        self.arrivals = asyncio.Condition()
        self.cue = asyncio.Event()
        """Lets behaviours go on that act on an idle connection."""
        self.released = asyncio.Event()
        """Lets behaviours go on that have stopped reading."""
        self.read_pause = 0.0
        """Seconds to wait before each read of a body."""
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._claimed: list[Step] = []

    async def __aenter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(), name="scripted server: accept")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def seen(self) -> list[Seen]:
        """The requests that arrived whole."""
        return [request for request in self.log if request.body_complete]

    @property
    def keys(self) -> list[str | None]:
        """The idempotency keys of the requests that arrived whole."""
        return [request.key for request in self.seen]

    @property
    def stored(self) -> list[Stored]:
        """The messages it keeps, one a key."""
        return self.store.messages

    @property
    def effects(self) -> list[str]:
        """The other requests that took effect, as "METHOD path"."""
        return self.store.effects

    async def arrived(self, count: int) -> None:
        """Wait until `count` requests have begun to act on the server."""
        async with self.arrivals:
            await self.arrivals.wait_for(lambda: len(self.visits) >= count)

    async def settled(self, patience: float = 1.0) -> int:
        """Let go of what behaviours wait for; how many connections the clients then leave open."""
        self.released.set()
        self.cue.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        return self.open_connections

    async def stop_listening(self) -> None:
        """Refuse new connections from now on, and keep the existing ones."""
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        self._listener.close()

    def listen_again(self) -> None:
        """Accept connections again on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(), name="scripted server: accept")

    async def close(self) -> None:
        """Stop listening and end every connection and task."""
        tasks = [self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # a handshake that was cut short closes its socket one step later
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            task = asyncio.create_task(self._keep_count(connection, self.connections))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep_count(self, connection: socket.socket, number: int) -> None:
        self.open_connections += 1
        try:
            with contextlib.suppress(ClientGoneError, OSError):
                await self._serve(connection, number)
        finally:
            self.open_connections -= 1

    async def _serve(self, connection: socket.socket, number: int) -> None:
        at_once = self._next if self._next.at is At.ACCEPT else None
        wire = await self._open(connection, None if at_once else self._tls)
        try:
            if at_once:
                self.script[:1] = []
                await self._visit(at_once, Exchange(self, wire, Seen(number)))
            while wire.usable and (wire.received or await wire.fill(FIRST_READ)):
                await self._request(wire, number)
            wire.close()
            await wire.lost
        finally:
            await _end(wire)

    async def _open(self, connection: socket.socket, tls: ssl.SSLContext | None) -> Wire:
        loop = asyncio.get_running_loop()
        _, wire = await loop.connect_accepted_socket(lambda: Wire(tls=tls is not None), connection, ssl=tls)
        return wire

    @property
    def _next(self) -> Behaviour:
        return behaviour_of((self._unclaimed() or [self.default])[0])

    def _unclaimed(self) -> list[Step]:
        """Return the steps of the script but those of requests that are still being read."""
        steps = list(self.script)
        for claimed in self._claimed:
            if claimed in steps:
                steps.remove(claimed)
        return steps

    async def _request(self, wire: Wire, number: int) -> None:
        exchange = Exchange(self, wire, Seen(number))
        self.log.append(exchange.seen)
        claimed = self._unclaimed()[:1]
        behaviour = behaviour_of((claimed or [self.default])[0])
        self._claimed += claimed
        try:
            await self._read(wire, exchange.seen, behaviour.at)
        finally:
            for step in claimed:
                self._claimed.remove(step)
        for step in claimed:
            if step in self.script:
                self.script.remove(step)
        await self._visit(behaviour, exchange)

    async def _visit(self, behaviour: Behaviour, exchange: Exchange) -> None:
        await self.note(behaviour)
        if behaviour.stores and exchange.seen.body_complete:
            await asyncio.sleep(behaviour.pause)
            _ = exchange.good
        await behaviour.act(exchange)

    async def note(self, behaviour: Behaviour) -> None:
        """Put on record that a behaviour begins to act."""
        self.visits.append(behaviour)
        async with self.arrivals:
            self.arrivals.notify_all()

    async def _read(self, wire: Wire, seen: Seen, until: At) -> None:
        if until < At.HEAD:
            return
        careful = until < At.BODY
        while b"\r\n\r\n" not in wire.received:
            if not await wire.fill(CAREFUL_READ if careful else READ_SIZE):
                seen.head = bytes(wire.received)
                raise ClientGoneError
        head = seen.head = wire.cut(wire.received.index(b"\r\n\r\n") + 4)
        seen.method, seen.path, seen.headers = parse_head(head)
        seen.head_complete = True
        if until > At.HEAD:
            await self.read_body(wire, seen, careful=careful)

    async def read_body(self, wire: Wire, seen: Seen, *, careful: bool = False) -> None:
        """Read the body of a request; if careful, only the beginning."""
        if seen.headers.get("transfer-encoding", "").lower() == "chunked":
            await _read_chunks(wire, seen, careful=careful)
            return
        size = int(seen.headers.get("content-length", "0"))
        while len(wire.received) < size and not (careful and wire.received):
            await asyncio.sleep(self.read_pause)
            if not await wire.fill(CAREFUL_READ if careful else READ_SIZE):
                break
        seen.body = wire.cut(size)
        seen.body_complete = len(seen.body) == size
        if not careful and not seen.body_complete:
            raise ClientGoneError


async def _read_chunks(wire: Wire, seen: Seen, *, careful: bool) -> None:
    parts: list[bytes] = []
    while (line := await wire.take_line()) is not None and not (careful and parts):
        size = int(line.split(b";")[0], 16)
        part = await wire.take(size + 2)
        if part is None:
            break
        parts.append(part[:-2])
        if size == 0:
            seen.body_complete = True
            break
    seen.body = b"".join(parts)


async def _end(wire: Wire) -> None:
    if not wire.lost.done():
        wire.transport.abort()
        await wire.lost
