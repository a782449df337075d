"""What a proxy gets to see, and what its refusals mean."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from linq_async import ConnectError, LinqClient, Outcome
from tests.support.clients import AT_ONCE, MESSAGE, ONCE, failure_of
from tests.support.loopback import Loopback

from .addresses import Certificates
from .connect_proxy import ConnectProxy

TOKEN, OTHER, NOTE = "token-a-5e1f", "token-b-77d0", "note-of-the-caller"
HEADERS = {"X-Note": NOTE}
BASE_URL = "https://api.linq.test"


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine itself may have set."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def _proxied(certificates: Certificates, **options: Any) -> LinqClient:
    return LinqClient(TOKEN, base_url=BASE_URL, ssl=certificates.client, headers=HEADERS, retry=AT_ONCE, **options)


def _tokens(server: Loopback) -> list[str | None]:
    return [request.headers.get("x-linq-integration-token") for request in server.seen]


def _secrets(proxy: ConnectProxy) -> list[bytes]:
    return [secret for secret in map(str.encode, (TOKEN, OTHER, NOTE, "X-Note", "X-LINQ")) if secret in proxy.received]


@pytest.mark.asyncio
@pytest.mark.parametrize("variable", [None, "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_proxy_sees_neither_token_nor_headers(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    """CONNECT holds the host and no header of ours, whether an argument or the environment names the proxy."""
    async with Loopback(tls=certificates.right) as server, ConnectProxy(server.port) as proxy:
        if variable is not None:
            monkeypatch.setenv(variable, proxy.url)
        async with _proxied(certificates, proxy=None if variable else proxy.url) as linq:
            await linq.chats.create(**MESSAGE)
            await linq.request("GET", "/x")
            async with linq.with_options(token=OTHER, headers={"X-Note": NOTE + "-2"}) as other:
                await other.chats.create(**MESSAGE)
                await asyncio.gather(*[other.request("DELETE", "/x") for _ in range(2)])
    assert proxy.received.startswith(b"CONNECT api.linq.test:443 HTTP/1.1\r\n")
    assert _secrets(proxy) == []
    assert _tokens(server) == [TOKEN, TOKEN, OTHER, OTHER, OTHER]
    assert [request.headers["x-note"] for request in server.seen] == [NOTE] * 2 + [NOTE + "-2"] * 3
    assert {request.headers["user-agent"].partition("/")[0] for request in server.seen} == {"linq-async"}


@pytest.mark.asyncio
async def test_a_proxy_sees_no_header_of_ours_with_an_external_session(certificates: Certificates) -> None:
    """With an external session, too, CONNECT holds neither token nor the caller's headers."""
    async with (
        Loopback(tls=certificates.right) as server,
        ConnectProxy(server.port) as proxy,
        aiohttp.ClientSession() as session,
        _proxied(certificates, proxy=proxy.url, session=session) as linq,
    ):
        await linq.chats.create(**MESSAGE)
        await linq.with_options(token=OTHER).request("GET", "/x")
    assert (len(proxy.heads), _secrets(proxy), _tokens(server)) == (1, [], [TOKEN, OTHER])


@pytest.mark.asyncio
async def test_a_proxy_gets_its_own_password(certificates: Certificates) -> None:
    """The user and password of the proxy's URL go to the proxy, and not to the server."""
    async with (
        Loopback(tls=certificates.right) as server,
        ConnectProxy(server.port) as proxy,
        _proxied(certificates, proxy=f"http://user:pa55@{proxy.address}") as linq,
    ):
        await linq.chats.create(**MESSAGE)
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYTU1\r\n" in proxy.received
    assert [name for name in server.seen[0].headers if "authorization" in name] == []


def _refusal(status: int) -> bytes:
    return f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 403, 404, 407, 451])
async def test_a_proxy_that_refuses_for_good_is_asked_once(certificates: Certificates, status: int) -> None:
    """A 407, or another 4xx to CONNECT, is raised at once and named: the same request would be refused again."""
    async with (
        Loopback(tls=certificates.right) as server,
        ConnectProxy(server.port, *[_refusal(status)] * 4) as proxy,
        _proxied(certificates, proxy=proxy.url) as linq,
    ):
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert isinstance(error, ConnectError)
    assert (error.reason, error.outcome, error.attempts) == ("proxy_denied", Outcome.NOT_SENT, 1)
    assert f"status {status}" in str(error)
    assert (len(proxy.heads), server.seen) == (1, [])


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_proxy_that_refuses_for_now_is_asked_again(certificates: Certificates, status: int) -> None:
    """A proxy that is temporarily unavailable is retried, because nothing was sent."""
    async with (
        Loopback(tls=certificates.right) as server,
        ConnectProxy(server.port, _refusal(status)) as proxy,
        _proxied(certificates, proxy=proxy.url) as linq,
    ):
        chat = await linq.chats.create(**MESSAGE)
        proxy.script[:] = [_refusal(status)]
        async with _proxied(certificates, proxy=proxy.url) as fresh:
            error = await failure_of(fresh.with_options(retry=ONCE).request("POST", "/x"))
    assert (chat.attempts, len(server.seen)) == (2, 1)
    assert isinstance(error, ConnectError)
    assert error.reason == "proxy"
