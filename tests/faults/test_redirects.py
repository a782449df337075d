"""No redirect is followed: neither the token nor a text is sent to another location."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from linq_async import LinqClient, Outcome, RedirectError, Upload
from tests.support.clients import MESSAGE, TOKEN, client_of, failure_of
from tests.support.loopback import CREATED, Loopback, Reply

CODES = range(300, 309)
LOCATIONS: dict[str, Callable[[str], str | None]] = {
    "another host": lambda other: f"{other}/stolen",
    "another host, no scheme": lambda other: f"//{other.removeprefix('http://')}/stolen",
    "another host, with a user": lambda other: f"http://user:secret@{other.removeprefix('http://')}/stolen",
    "another host, by backslashes": lambda other: f"http:\\\\{other.removeprefix('http://')}\\stolen",
    "another scheme": lambda other: other.replace("http:", "https:"),
    "this host": lambda _: "/api/partner/v2/elsewhere",
    "the same path": lambda _: "",
    "no location": lambda _: None,
    "a script": lambda _: "javascript:alert(1)",
    "a file": lambda _: "file:///etc/passwd",
    "data": lambda _: "data:text/plain,x",
    "a broken address": lambda _: "http://[::1",
    "a port that is none": lambda _: "http://127.0.0.1:99999/",
    "a long one": lambda other: f"{other}/{'x' * 4_000}",
}
CALLS: dict[str, Callable[[LinqClient], Awaitable[Any]]] = {
    "create": lambda linq: linq.chats.create(**MESSAGE),
    "create with a file": lambda linq: linq.chats.create(
        **MESSAGE, attachments=[Upload.from_bytes(b"PNG", filename="map.png")]
    ),
    "GET": lambda linq: linq.request("GET", "/api/partner/v2/chats/45"),
    "DELETE": lambda linq: linq.request("DELETE", "/api/partner/v2/chats/45"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("call", CALLS)
async def test_no_redirect_is_followed(call: str, location: str) -> None:
    """Whatever the code and the location, there is one request, and a RedirectError without path or secret."""
    async with Loopback() as other, Loopback() as server, client_of(server) as linq:
        where = LOCATIONS[location](other.url)
        headers = {} if where is None else {"Location": where}
        for code in CODES:
            server.script[:] = [Reply(code, b"", headers)]
            error = await failure_of(CALLS[call](linq))
            assert isinstance(error, RedirectError)
            assert (error.status, error.outcome, error.attempts) == (code, Outcome.UNKNOWN, 1)
            assert not any(secret in str(error) for secret in ("stolen", "secret", "passwd", TOKEN))
        assert len(server.seen) == len(CODES)
        assert (other.connections, other.seen) == (0, [])


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["Refresh", "Content-Location", "Link", "Alt-Svc", "Location"])
async def test_headers_of_a_success_change_no_address(name: str) -> None:
    """A success with a Location header is a success, and the next call uses the same address."""
    async with Loopback() as other, Loopback() as server, client_of(server) as linq:
        value = f'0; url="{other.url}/"' if name == "Refresh" else f"{other.url}/"
        server.default = Reply(201, CREATED.body, {name: value})
        for _ in range(2):
            assert (await linq.chats.create(**MESSAGE)).attempts == 1
        assert (len(server.seen), other.connections) == (2, 0)
