"""The vocabulary of a script: behaviours, and the exchange that a behaviour has in hand."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Self, TypeAlias

from .http_messages import response
from .replies import Reply
from .store import Seen
from .wire import Wire

if TYPE_CHECKING:
    from .scripted_server import ScriptedServer

DRIP_SECONDS = 0.02
PAUSE_SECONDS = 0.1

Act = Callable[["Exchange"], Awaitable[None]]
Step: TypeAlias = "Behaviour | Reply | bytes | Callable[[Seen], Awaitable[Reply | bytes | None]] | None"
"""What a script says about one request.

A `Reply` is sent, and the connection kept. Bytes are sent as they are, and the connection closed. None closes it
without a response. A coroutine function gets the request and returns one of those three.
"""

BEHAVIOURS: "dict[str, Behaviour]" = {}


class At(IntEnum):
    """How far a request is read before the behaviour takes over."""

    ACCEPT = 0
    FIRST_BYTES = 1
    HEAD = 2
    MID_BODY = 3
    BODY = 4


@dataclass(frozen=True)
class Behaviour:
    """What the server does with one request: `act`, once it is read up to `at` and has had its effect, if any.

    `pause` is how many seconds the effect takes, whether or not the client is still there.
    """

    name: str
    act: "Act" = field(repr=False)
    at: At = At.BODY
    stores: bool = False
    pause: float = 0.0

    @property
    def may_have_processed(self) -> bool:
        """Whether a client must reckon with an effect: the whole request arrived."""
        return self.at is At.BODY

    def storing(self) -> Self:
        """Return the same, after the request has had its effect."""
        return replace(self, name=f"{self.name}, stored", stores=True)


@dataclass
class Exchange:
    """One request in the hands of a behaviour."""

    server: "ScriptedServer"
    wire: Wire
    seen: Seen

    @cached_property
    def good(self) -> tuple[int, bytes]:
        """Status and body of a healthy answer; looking at it lets the request have its effect."""
        return self.server.store.take(self.seen)

    @property
    def whole(self) -> tuple[int, bytes]:
        """The same, but always with a body to damage, and without a 404 to a repeated DELETE."""
        status, body = self.good
        return (200, b'{"ok": true, "gone": true}') if self.seen.method == "DELETE" else (status, body)

    async def answer(self) -> None:
        """Answer as a healthy server does."""
        await self.send(response(*self.good))

    async def send(self, data: bytes) -> None:
        """Write `data` to the client."""
        await self.wire.send(data)

    async def send_head(self, *, extra: int = 0) -> bytes:
        """Send only status and headers of a whole answer; return the body, which is to follow."""
        status, body = self.whole
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body) + extra)}
        await self.send(response(status, None, fields))
        return body

    async def meet_next(self) -> bool:
        """Wait for the first bytes of the next request, put it on record, and leave it at that."""
        if not await self.wire.fill():
            return False
        self.server.log.append(Seen(self.seen.connection))
        await self.server.note(unprocessed)
        return True

    async def read_body(self) -> None:
        """Read the rest of the request into `seen`."""
        await self.server.read_body(self.wire, self.seen)

    async def skip_body(self) -> bool:
        """Discard the rest of the body; False when the client left before its end."""
        size = int(self.seen.headers.get("content-length", "0"))
        return await self.wire.take(size) is not None

    async def later(self) -> None:
        """Let what was sent arrive as a packet of its own."""
        await asyncio.sleep(DRIP_SECONDS / 2)

    async def drip(self, data: bytes) -> None:
        """Send byte after byte, slowly, until the client leaves."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS)


def behaviour_of(step: Step) -> Behaviour:
    """Return what a step of a script means."""
    if isinstance(step, Behaviour):
        return step

    async def act(exchange: Exchange) -> None:
        reply = await step(exchange.seen) if callable(step) else step
        if reply is not None:
            await exchange.send(reply if isinstance(reply, bytes) else reply.encode())
        if not isinstance(reply, Reply):
            exchange.wire.close()

    return Behaviour("reply", act)


def behaviour(*, at: At = At.BODY, stores: bool = False) -> Callable[[Act], Behaviour]:
    """Make a `Behaviour` of a coroutine function, and register it; the docstring's first line is its name."""

    def make(act: Act) -> Behaviour:
        first = (act.__doc__ or "").splitlines()[0].rstrip(".")
        return register(Behaviour(first[0].lower() + first[1:], act, at, stores))

    return make


def register(made: Behaviour) -> Behaviour:
    """Add to `BEHAVIOURS`, under its name."""
    BEHAVIOURS[made.name] = made
    return made


@behaviour(stores=True)
async def good(exchange: Exchange) -> None:
    """Answer as a healthy server."""
    await exchange.answer()


async def _nothing(exchange: Exchange) -> None:
    del exchange


unprocessed = Behaviour("leave a request unprocessed", _nothing, At.FIRST_BYTES)
