"""The addresses and certificates that a client must refuse are what they claim to be."""

import asyncio
import ssl

import aiohttp
import pytest

from tests.support.script import Behaviour
from tests.support.scripted_server import ScriptedServer

from . import broken_wire
from .addresses import UNRESOLVABLE, Certificates, refusing_url

PATIENCE = 0.06


@pytest.mark.asyncio
async def test_right_certificate(certificates: Certificates) -> None:
    """The server speaks TLS, and its right certificate is accepted."""
    async with ScriptedServer(tls=certificates.right) as server, aiohttp.ClientSession() as session:
        assert (await session.get(server.url, ssl=certificates.client)).status == 200


BAD_CERTIFICATES = [
    ("wrong_name", "IP address mismatch"),
    ("expired", "certificate has expired"),
    ("self_signed", "self-signed certificate"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "complaint"), BAD_CERTIFICATES)
async def test_bad_certificate(certificates: Certificates, kind: str, complaint: str) -> None:
    """Each wrong certificate is refused for its own reason, and no request goes out."""
    async with ScriptedServer(tls=getattr(certificates, kind)) as server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError, match=complaint):
            await session.get(server.url, ssl=certificates.client)
        assert server.log == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "behaviour",
    [broken_wire.plain_text, broken_wire.close_in_handshake, broken_wire.reset_in_handshake],
)
async def test_broken_handshake(certificates: Certificates, behaviour: Behaviour) -> None:
    """A handshake that is answered in plain text, closed or reset fails as a handshake."""
    async with ScriptedServer([behaviour], tls=certificates.right) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=certificates.client)
        assert await server.settled() == 0


@pytest.mark.asyncio
async def test_stalled_handshake(certificates: Certificates) -> None:
    """A handshake that stalls neither fails nor succeeds."""
    async with ScriptedServer([broken_wire.silence], tls=certificates.right) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.open_connection("127.0.0.1", server.port, ssl=certificates.client)


@pytest.mark.asyncio
async def test_refusing_port() -> None:
    """Nobody can connect to a refusing address."""
    with refusing_url() as url, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))


@pytest.mark.asyncio
async def test_unresolvable_name() -> None:
    """The name that no resolver knows is known to none."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(UNRESOLVABLE)
