"""What an external session cannot do: skip the check of certificates, or carry the token to a proxy in clear text."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest

from linq_async import ConfigurationError, ConnectError, InvalidArgumentError, LinqClient, Outcome
from tests.support.clients import MESSAGE, ONCE, TOKEN, failure_of
from tests.support.loopback import Loopback

from .addresses import Certificates
from .connect_proxy import ConnectProxy


def _lent(session: aiohttp.ClientSession, url: str, **options: Any) -> LinqClient:
    return LinqClient(TOKEN, base_url=url, session=session, retry=ONCE, **options)


def _blind() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["right", "wrong_name", "expired", "self_signed"])
@pytest.mark.parametrize("blind", [False, _blind()], ids=["ssl=False", "CERT_NONE"])
async def test_an_external_session_verifies_the_server(
    certificates: Certificates, kind: str, blind: ssl.SSLContext | bool
) -> None:
    """A connector that checks no certificate sends nothing to a server that nobody vouches for."""
    async with (
        Loopback(tls=getattr(certificates, kind)) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=blind)) as session,
    ):
        assert (await session.get(server.url)).status == 201
        async with _lent(session, server.url) as linq:
            error = await failure_of(linq.chats.create(**MESSAGE))
        async with _lent(session, server.url.replace("https", "HTTPS")) as linq:
            again = await failure_of(linq.request("GET", "/x"))
    assert isinstance(error, ConnectError)
    assert isinstance(again, ConnectError)
    assert (error.reason, again.reason, error.outcome) == ("certificate", "certificate", Outcome.NOT_SENT)
    assert len(server.seen) == 1


@pytest.mark.asyncio
async def test_a_context_of_the_client_serves_an_external_session(certificates: Certificates) -> None:
    """``ssl=`` is what an external session's calls verify with, and its own connections are not taken for them."""
    async with (
        Loopback(tls=certificates.right) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
        _lent(session, server.url, ssl=certificates.client) as linq,
    ):
        await (await session.get(server.url)).read()
        await linq.chats.create(**MESSAGE)
        await linq.chats.create(**MESSAGE)
    assert [request.connection for request in server.seen] == [1, 2, 2]


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "HTTP://127.0.0.1:1", "http://gateway.internal"])
async def test_over_http_an_external_session_has_no_proxy(url: str) -> None:
    """Over http a session that finds a proxy by itself is refused, and one that is given a proxy here is not."""
    for given in (aiohttp.ClientSession(trust_env=True), aiohttp.ClientSession(proxy="http://127.0.0.1:2")):
        async with given as session:
            with pytest.raises(ConfigurationError, match="pass proxy=") as caught:
                _lent(session, url, allow_http=True)
            assert TOKEN not in str(caught.value)
            _lent(session, url, allow_http=True, proxy="http://127.0.0.1:3")
            _lent(session, "https://api.linqapp.com")


@pytest.mark.asyncio
async def test_an_external_session_carries_no_token_to_a_clear_text_proxy(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``trust_env`` the environment's proxy sees CONNECT over https, and nothing at all over http."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with (
        Loopback(tls=certificates.right) as server,
        ConnectProxy(server.port) as proxy,
        aiohttp.ClientSession(trust_env=True) as session,
    ):
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with pytest.raises(ConfigurationError):
            _lent(session, "http://127.0.0.1:1")
        async with _lent(session, "https://api.linq.test", ssl=certificates.client) as linq:
            await linq.chats.create(**MESSAGE)
    assert proxy.received.startswith(b"CONNECT api.linq.test:443 ")
    assert (TOKEN.encode() in proxy.received, len(server.seen)) == (False, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "HOST", "Expect", "Connection", "X-Linq-Integration-Token"]
)
async def test_an_external_session_must_not_set_the_clients_headers(name: str) -> None:
    """A default header that breaks a request, reroutes it, or holds another token is refused, by its name alone."""
    async with aiohttp.ClientSession(headers={name: "value-5", "X-Team": "blue"}) as session:
        with pytest.raises(ConfigurationError, match=name.lower()) as caught:
            _lent(session, "https://api.linqapp.com")
    assert "value-5" not in str(caught.value)


@pytest.mark.parametrize("session", ["session", 5, object(), aiohttp.ClientSession, True])
def test_a_session_is_a_session(session: Any) -> None:
    """Anything but a ClientSession is refused when it is given, by the argument's name."""
    with pytest.raises(InvalidArgumentError) as caught:
        _lent(session, "https://api.linqapp.com")
    assert [problem.argument for problem in caught.value.problems] == ["session"]
