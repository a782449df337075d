"""Who may use the page and its calls: the same guard as for the API, and the token beyond this machine."""

from __future__ import annotations

import re

import pytest
from multidict import CIMultiDict

from linq_async.sandbox import DEFAULT_TOKEN, Sandbox
from linq_async.sandbox.control.table import CONTROL
from linq_async.sandbox.guard import Guard, allowed_hosts

from .calls import PREFIX, raw

LOCAL = {"Host": "localhost:8080"}
TOKEN = {"X-LINQ-INTEGRATION-TOKEN": "token"}
GUARD = Guard("token", allowed_hosts("sandbox.internal", ()))


@pytest.mark.parametrize(
    ("headers", "peer", "status"),
    [
        (LOCAL, "127.0.0.1", None),
        (LOCAL, "::1", None),
        (LOCAL, "::ffff:127.0.0.1", None),
        ({"Host": "[::1]:8080"}, "::1", None),
        ({**LOCAL, "Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}, "127.0.0.1", None),
        (LOCAL, "10.0.0.9", 401),
        (LOCAL, "fe80::1%eth0", 401),
        (LOCAL, None, 401),
        ({"Host": "sandbox.internal"}, "127.0.0.1", 401),
        ({**LOCAL, "X-Forwarded-For": "203.0.113.7"}, "127.0.0.1", 401),
        ({**LOCAL, "Forwarded": "for=203.0.113.7"}, "127.0.0.1", 401),
        ({**LOCAL, **TOKEN}, "10.0.0.9", None),
        ({"Host": "sandbox.internal", **TOKEN}, "10.0.0.9", None),
        ({**LOCAL, "X-LINQ-INTEGRATION-TOKEN": "wrong"}, "10.0.0.9", 401),
        ({"Host": "evil.example", **TOKEN}, "127.0.0.1", 421),
        ({"Host": "127.0.0.1.evil.example"}, "127.0.0.1", 421),
        ({**LOCAL, "Origin": "http://evil.example", **TOKEN}, "127.0.0.1", 403),
        ({**LOCAL, "Origin": "http://localhost:3000"}, "127.0.0.1", 403),
        ({**LOCAL, "Origin": "null"}, "127.0.0.1", 403),
        ({**LOCAL, "Sec-Fetch-Site": "cross-site"}, "127.0.0.1", 403),
        ({**LOCAL, "Sec-Fetch-Site": "same-site"}, "127.0.0.1", 403),
    ],
)
def test_who_may_call(headers: dict[str, str], peer: str | None, status: int | None) -> None:
    """This machine needs no token; other machines, other names and proxies do; pages of other sites never may."""
    refusal = GUARD.control_refusal("GET", CIMultiDict(headers), "127.0.0.1", peer)
    assert (None if refusal is None else refusal.status) == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["application/json"], None),
        (["Application/JSON; charset=utf-8"], None),
        (["application/json", "text/plain"], 415),
        (["text/plain"], 415),
        (["application/x-www-form-urlencoded"], 415),
        (["multipart/form-data"], 415),
        ([], 415),
    ],
)
def test_what_changes_something_must_be_json(method: str, kinds: list[str], status: int | None) -> None:
    """A form, which a page of any site can post without asking, changes nothing."""
    headers = CIMultiDict([*LOCAL.items(), *(("Content-Type", kind) for kind in kinds)])
    refusal = GUARD.control_refusal(method, headers, "127.0.0.1", "127.0.0.1")
    assert (None if refusal is None else refusal.status) == status


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: localhost", 200),
        ("Host: evil.example", 421),
        ("Host: localhost\r\nOrigin: http://evil.example", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
        ("Host: localhost\r\nContent-Encoding: gzip", 415),
    ],
)
@pytest.mark.parametrize(
    "path", ["/", "/_sandbox/", "/_sandbox/chats", "/_sandbox/page/app.js", f"{PREFIX}/phone_numbers"]
)
async def test_one_guard_for_everything(sandbox: Sandbox, headers: str, status: int, path: str) -> None:
    """The page, its files, the control calls and the API are refused alike."""
    token = f"X-LINQ-INTEGRATION-TOKEN: {DEFAULT_TOKEN}"
    answer = await raw(sandbox, f"GET {path} HTTP/1.1\r\n{headers}\r\n{token}\r\nConnection: close\r\n\r\n".encode())
    assert int(answer.split(b" ")[1]) == status


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/_sandbox/events", "/_sandbox", "/_sandbox/x/y", "/_sandbox/page/app.js"])
async def test_a_proxy_request_is_refused(sandbox: Sandbox, path: str) -> None:
    """A request that is meant for a proxy is refused for the control calls, too."""
    line = f"GET http://localhost{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert b" 421 " in await raw(sandbox, line.encode())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: evil.example\r\nContent-Type: application/json", 421),
        ("Host: localhost\r\nHost: evil.example\r\nContent-Type: application/json", 400),
        ("Host: localhost\r\nOrigin: http://evil.example\r\nContent-Type: application/json", 403),
        ("Host: localhost\r\nOrigin: null\r\nContent-Type: application/json", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Type: application/json", 403),
        ("Host: localhost\r\nContent-Type: text/plain", 415),
    ],
)
async def test_every_call_is_guarded(sandbox: Sandbox, headers: str, status: int) -> None:
    """No control call of the table is answered to another site, by another name, or for a form."""
    number = sandbox.changes.number
    for route in CONTROL:
        path = "/_sandbox" + re.sub(r"\{\w+\}", "1", route.path)
        head = f"{route.method} {path} HTTP/1.1\r\n{headers}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        answer = await raw(sandbox, head.encode())
        if status != 415 or route.method != "GET":
            assert int(answer.split(b" ")[1]) == status, route
    assert sandbox.changes.number == number


@pytest.mark.asyncio
async def test_a_form_of_another_site_drives_nothing(sandbox: Sandbox) -> None:
    """A form that a page posts to a control call is refused, and nothing happens."""
    sandbox.faults.answer(503)
    for kind, origin in (("text/plain", "http://localhost"), ("application/json", "http://evil.example")):
        head = f"POST /_sandbox/reset HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nContent-Type: {kind}\r\n"
        answer = await raw(sandbox, f"{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
        assert int(answer.split(b" ")[1]) in (403, 415)
    assert sandbox.faults.pending == 1
