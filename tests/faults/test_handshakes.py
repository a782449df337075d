"""A TLS handshake that fails is called so: directly and in a proxy's tunnel, with every version of TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from linq_async import ConnectError, LinqClient, LinqError, Outcome
from tests.support.clients import ONCE, TOKEN, failure_of

from .addresses import Certificates, present
from .addresses import trust as configure_trust
from .connect_proxy import ConnectProxy

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


async def _close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1 << 16)
    writer.close()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1 << 16)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def _alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1 << 16)
    writer.write(bytes([21, 3, 3, 0, 2, 2, 40]))
    await writer.drain()
    writer.close()


@asynccontextmanager
async def _serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def _failures(port: int, trust: ssl.SSLContext) -> list[ConnectError]:
    """Return what a call ends in, without a proxy and with one."""
    found: list[LinqError] = []
    async with ConnectProxy(port) as tunnel:
        for proxy in (None, tunnel.url):
            url = f"https://127.0.0.1:{port}"
            async with LinqClient(TOKEN, base_url=url, ssl=trust, retry=ONCE, proxy=proxy) as linq:
                found.append(await failure_of(linq.request("GET", "/x")))
    assert len(tunnel.heads) == 1
    return [error for error in found if isinstance(error, ConnectError)]


@pytest.mark.asyncio
@pytest.mark.parametrize("newest", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("serve", [_close_at_once, _close, _reset, _alert])
async def test_a_handshake_that_is_broken_off(serve: Serve, newest: ssl.TLSVersion) -> None:
    """A server that closes, resets or refuses during the handshake has another reason than one that is down."""
    trust = ssl.create_default_context()
    trust.maximum_version = newest
    async with _serving(serve) as port:
        errors = await _failures(port, trust)
    assert [(error.reason, error.outcome) for error in errors] == [("tls", Outcome.NOT_SENT)] * 2


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["no version in common", "a client's certificate is missing"])
async def test_a_handshake_that_cannot_agree(way: str) -> None:
    """Sides that find no common version, or a server that asks for a certificate, fail in the handshake."""
    authority = trustme.CA()
    trust, server_side = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    configure_trust(authority, trust)
    present(authority.issue_cert("127.0.0.1"), server_side)
    server_side.maximum_version = TLS_1_2
    if way == "no version in common":
        trust.minimum_version = TLS_1_3
    else:
        server_side.verify_mode = ssl.CERT_REQUIRED
    async with _serving(_close, server_side) as port:
        errors = await _failures(port, trust)
    assert [error.reason for error in errors] == ["tls", "tls"]


@pytest.mark.asyncio
async def test_a_server_that_is_not_there_refuses(certificates: Certificates) -> None:
    """Without a listener the reason is ``refused``, over https too."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    async with LinqClient(TOKEN, base_url=f"https://127.0.0.1:{port}", ssl=certificates.client, retry=ONCE) as linq:
        error = await failure_of(linq.request("GET", "/x"))
    assert isinstance(error, ConnectError)
    assert error.reason == "refused"
