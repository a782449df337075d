"""A proxy that opens tunnels: a scripted server that connects each one to a port of this machine."""

from __future__ import annotations

import asyncio

from tests.support.script import At, Behaviour, Exchange
from tests.support.scripted_server import ScriptedServer
from tests.support.wire import ClientGoneError

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy(ScriptedServer):
    """Answers each CONNECT with the next bytes of the script, or opens a tunnel to a port, whatever host is named."""

    def __init__(self, port: int, *script: bytes) -> None:
        super().__init__(script, default=tunnel_to(port))

    @property
    def heads(self) -> list[bytes]:
        """The heads of all requests."""
        return [request.head for request in self.log]

    @property
    def received(self) -> bytes:
        """All bytes that the proxy could read before the tunnels opened."""
        return b"".join(self.heads)

    @property
    def address(self) -> str:
        """The host and port of the proxy."""
        return f"127.0.0.1:{self.port}"


def tunnel_to(port: int) -> Behaviour:
    """Open a tunnel, and carry bytes both ways until either side ends."""

    async def act(exchange: Exchange) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await exchange.send(ESTABLISHED)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry_to_server(exchange, writer))
                group.create_task(_carry_to_client(reader, exchange))
        finally:
            writer.close()

    return Behaviour("open a tunnel", act, At.HEAD)


async def _carry_to_server(exchange: Exchange, writer: asyncio.StreamWriter) -> None:
    wire = exchange.wire
    try:
        while wire.received or await wire.fill():
            writer.write(wire.cut(len(wire.received)))
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def _carry_to_client(reader: asyncio.StreamReader, exchange: Exchange) -> None:
    try:
        while data := await reader.read(1 << 16):
            await exchange.send(data)
    except (ConnectionError, ClientGoneError):
        pass
    exchange.wire.close()
