"""A TLS handshake that fails is called so: directly and in a proxy's tunnel, with every version of TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
from operator import attrgetter

import pytest
import trustme

from linq_async import ConnectError, LinqClient, LinqError, Outcome
from tests.support.clients import ONCE, TOKEN, failure_of
from tests.support.script import At, Behaviour, Exchange
from tests.support.scripted_server import ScriptedServer

from . import broken_wire
from .addresses import Certificates, present
from .addresses import trust as configure_trust
from .connect_proxy import ConnectProxy

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


async def _send_alert(exchange: Exchange) -> None:
    await exchange.wire.fill()
    await exchange.send(bytes([21, 3, 3, 0, 2, 2, 40]))
    exchange.wire.close()


BREAKS = (
    broken_wire.close_on_accept,
    broken_wire.close_in_handshake,
    broken_wire.reset_in_handshake,
    Behaviour("send a TLS alert", _send_alert, At.ACCEPT),
)


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
@pytest.mark.parametrize("behaviour", BREAKS, ids=attrgetter("name"))
async def test_a_handshake_that_is_broken_off(behaviour: Behaviour, newest: ssl.TLSVersion) -> None:
    """A server that closes, resets or refuses during the handshake has another reason than one that is down."""
    trust = ssl.create_default_context()
    trust.maximum_version = newest
    async with ScriptedServer(default=behaviour) as server:
        errors = await _failures(server.port, trust)
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
    async with ScriptedServer(tls=server_side) as server:
        errors = await _failures(server.port, trust)
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
