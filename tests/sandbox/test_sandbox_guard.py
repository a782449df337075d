"""Who may ask: strangers, pages of other sites, names that point here, and what they leave behind."""

import gzip
import json
import re
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from linq_async.sandbox import DEFAULT_TOKEN, Sandbox, server
from linq_async.sandbox.files import UploadedFile
from linq_async.sandbox.guard import Guard, allowed_hosts, host_name

from .calls import CHAT_FIELDS, HEADERS, PREFIX, Api, form, head, new_chat, raw

KEYED = (*CHAT_FIELDS, ("message[idempotency_key]", "one"))


async def status_for(sandbox: Sandbox, *headers: str, line: str = f"GET {PREFIX}/phone_numbers") -> int:
    """Ask with these headers, the right token, and no others."""
    return int((await raw(sandbox, head(line, *headers))).split(b" ")[1])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:8080", 200),
        ("127.0.0.1:1", 200),
        ("127.9.9.9", 200),
        ("[::1]:8080", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.localhost", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.7", 421),
        ("0.0.0.0", 421),
        ("2130706433", 421),
        ("[::2]", 421),
        ("[localhost]", 421),
        ("", 421),
        (".", 421),
        ("localhost:8080:1", 421),
        ("localhost/x", 421),
        ("user@localhost", 421),
        ("locälhost", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", f"{PREFIX}/phone_numbers", "/files/x/y"])
async def test_a_host_that_is_not_this_machine_is_refused(sandbox: Sandbox, host: str, status: int, path: str) -> None:
    """A name that somebody else points to this machine reads nothing, token or not."""
    answered = 404 if status == 200 and path.startswith("/files") else status
    assert await status_for(sandbox, f"Host: {host}", line=f"GET {path}") == answered


@pytest.mark.asyncio
async def test_a_request_without_one_host_is_refused(sandbox: Sandbox) -> None:
    """A request without Host, or with two of them, is refused."""
    assert await status_for(sandbox) in (400, 421)
    assert await status_for(sandbox, "Host: localhost", "Host: evil.example") in (400, 421)


@pytest.mark.asyncio
async def test_other_names_are_allowed_by_name() -> None:
    """A sandbox on all addresses answers to the address that was called, and to the names that it was given."""
    async with Sandbox(
        host="0.0.0.0", token=DEFAULT_TOKEN, allow_hosts=["Sandbox.Internal:8080", "fd00::7"]
    ) as sandbox:
        found = [
            await status_for(sandbox, f"Host: {host}")
            for host in (
                "sandbox.internal",
                "sandbox.internal.:1",
                "[fd00::7]:8080",
                "127.0.0.1",
                "10.0.0.7",
                "internal",
            )
        ]
    assert found == [200, 200, 200, 200, 421, 421]


def test_the_guard_takes_one_host_only() -> None:
    """Two Host headers are refused by the guard itself, whatever the server before it lets through."""
    guard = Guard("token", allowed_hosts("sandbox.internal", ()))
    for hosts, refused in (
        (("sandbox.internal",), False),
        (("other.internal",), True),
        (("localhost", "localhost"), True),
    ):
        headers = CIMultiDict([("Host", host) for host in hosts])
        assert (guard.refusal(headers, None) is not None) == refused


@pytest.mark.parametrize("hosts", ["localhost", [""], ["*"], ["http://localhost"], ["a b"]])
def test_what_cannot_be_a_host_is_refused(hosts: Any) -> None:
    """A name that no Host header could carry is refused when the sandbox is made."""
    with pytest.raises(ValueError, match="allow_hosts"):
        Sandbox(allow_hosts=hosts)


def test_addresses_are_compared_by_value() -> None:
    """An address is one address, however it is written."""
    assert host_name("[::FFFF:127.0.0.1]") == host_name("127.0.0.1:80") == "127.0.0.1"
    assert host_name("[FD00:0::7]") == "fd00::7"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Origin: http://localhost:8080", 200),
        ("Origin: HTTP://LOCALHOST:8080", 200),
        ("Origin: http://localhost:3000", 403),
        ("Origin: http://localhost", 403),
        ("Origin: https://localhost:8080", 403),
        ("Origin: http://evil.example", 403),
        ("Origin: null", 403),
        ("Origin:", 403),
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: none", 200),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Content-Encoding: gzip", 415),
        ("Content-Encoding: br", 415),
        ("Content-Encoding: identity", 415),
        ("Content-Encoding:", 415),
    ],
)
async def test_other_pages_and_encodings_are_refused(sandbox: Sandbox, header: str, status: int) -> None:
    """A page from anywhere else gets no answer, and an encoded body is not unpacked."""
    assert await status_for(sandbox, "Host: localhost:8080", header) == status


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("header", "status"),
    [("Sec-Fetch-Site: same-site", 200), ("Sec-Fetch-Site: cross-site", 200), ("Origin: http://localhost:3000", 403)],
)
async def test_other_pages_may_show_a_file(sandbox: Sandbox, header: str, status: int) -> None:
    """A page that knows the URL of an upload may show the picture, but a script of it reads nothing."""
    async with aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        await Api(session)("POST", "/chats", data=form(*CHAT_FIELDS, files=(("a.png", "image/png", b"x"),)))
    path = sandbox.messages[0].attachments[0].url.removeprefix(sandbox.base_url)
    assert await status_for(sandbox, "Host: localhost", header, line=f"GET {path}") == status


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", f"{PREFIX}/phone_numbers", "/files/x/y"])
async def test_it_is_not_a_proxy(sandbox: Sandbox, path: str) -> None:
    """A request for another server, sent here as to a proxy, is refused, whatever its Host says."""
    for url in (f"http://evil.example{path}", f"http://localhost{path}"):
        assert await status_for(sandbox, "Host: localhost", line=f"GET {url}") == 421
    assert await status_for(sandbox, "Host: localhost", line="CONNECT evil.example:443") in (400, 404)


@pytest.mark.asyncio
async def test_a_preflight_allows_nothing(sandbox: Sandbox) -> None:
    """A browser that asks for leave to send the token from another site is refused, without a word of CORS."""
    ask = ("Origin: http://evil.example", "Access-Control-Request-Headers: x-linq-integration-token")
    answer = await raw(sandbox, head(f"OPTIONS {PREFIX}/chats", "Host: localhost", *ask))
    assert b" 403 " in answer
    assert b"access-control" not in answer.lower()


@pytest.mark.asyncio
@pytest.mark.parametrize("token", [None, "", "wrong", DEFAULT_TOKEN[:-1], f"{DEFAULT_TOKEN}x", "tokén"])
async def test_a_stranger_uses_up_nothing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    """A request without the token uses up no fault, counts as no attempt, opens no file, and reads no number."""
    opened: list[str] = []

    def note(_: object, filename: str, *_more: object) -> None:
        opened.append(filename)

    monkeypatch.setattr(UploadedFile, "__init__", note)
    sandbox.faults.answer(503)
    headers = {} if token is None else {"X-LINQ-INTEGRATION-TOKEN": token}
    async with aiohttp.ClientSession(sandbox.base_url, headers=headers) as session:
        stranger = Api(session)
        replies = [
            await stranger("POST", "/chats", data=form(*KEYED, files=(("a.bin", "", b"x"),))),
            await stranger.create_chat("one"),
            await stranger("GET", "/chats", params={"phone_number": "x" * 5000}),
        ]
    assert [reply.status for reply in replies] == [401] * 3
    assert (sandbox.faults.pending, opened, sandbox.messages) == (1, [], [])
    assert {(entry.attempt, entry.idempotency_key, entry.fault) for entry in sandbox.requests} == {(1, None, None)}
    async with aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        assert (await Api(session).create_chat("one")).status == 503
    assert sandbox.requests[-1].attempt == 1


@pytest.mark.asyncio
async def test_a_form_of_another_site_uses_up_nothing(sandbox: Sandbox) -> None:
    """A form that a page posts to the sandbox is refused for its Origin, even with the token."""
    sandbox.faults.answer(503)
    body = b"message%5Bidempotency_key%5D=one"
    headers = ("Host: localhost", "Origin: http://evil.example", "Content-Type: application/x-www-form-urlencoded")
    answer = await raw(sandbox, head(f"POST {PREFIX}/chats", *headers, f"Content-Length: {len(body)}"), body)
    assert b" 403 " in answer
    (entry,) = sandbox.requests
    assert (sandbox.faults.pending, entry.idempotency_key, entry.status) == (1, None, 403)


@pytest.mark.asyncio
@pytest.mark.parametrize("headers", [{}, {"X-LINQ-INTEGRATION-TOKEN": DEFAULT_TOKEN}])
async def test_a_packed_body_is_not_unpacked(sandbox: Sandbox, headers: dict[str, str]) -> None:
    """Of a gzip'd body only its own bytes are read, whatever they would unpack to."""
    body = gzip.compress(json.dumps(new_chat(text="x" * 20_000_000)).encode(), compresslevel=1)
    given = {"Content-Type": "application/json", "Content-Encoding": "gzip", **headers}
    async with aiohttp.ClientSession(sandbox.base_url, headers=given) as session:
        reply = await Api(session)("POST", "/chats", data=body)
    assert reply.status == 415
    assert sandbox.requests[0].size == len(body)


@pytest.mark.asyncio
async def test_little_is_read_of_a_stranger(sandbox: Sandbox) -> None:
    """A stranger hears the 401 at the end of a small body, on a living connection, also if the client waits for 100."""
    async with aiohttp.ClientSession(sandbox.base_url) as session:
        small = await Api(session)("POST", "/chats", data=b"x" * 100_000)
        large = await Api(session)("POST", "/chats", data=b"x" * 900_000, expect100=True)
    assert (small.status, large.status) == (401, 401)
    assert "Connection" not in small.headers


@pytest.mark.asyncio
async def test_an_endless_body_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who announces a terabyte hears the 401 after about a MiB, and the connection ends."""
    monkeypatch.setattr(server, "LINGERING_SECONDS", 0.05)
    promised = f"POST {PREFIX}/chats HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 40}\r\n\r\n".encode()
    async with Sandbox() as sandbox:
        answer = await raw(sandbox, promised, b"x" * (3 << 20))
    assert b" 401 " in answer.split(b"\r\n")[0]
    assert b"connection: close" in answer.lower()
    assert 1 << 20 < sandbox.requests[-1].size < 2 << 20


@pytest.mark.asyncio
async def test_a_stranger_who_stops_sending_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger whose body never comes is answered all the same, and the connection ends."""
    monkeypatch.setattr("linq_async.sandbox.request_body.DRAINED_SECONDS", 0.05)
    monkeypatch.setattr(server, "LINGERING_SECONDS", 0.05)
    async with Sandbox() as fresh:
        answer = await raw(
            fresh, f"POST {PREFIX}/chats HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n".encode()
        )
    assert b" 401 " in answer.split(b"\r\n")[0]


@pytest.mark.asyncio
async def test_little_is_logged_of_a_stranger(sandbox: Sandbox) -> None:
    """A stranger's path and type are logged in part, and the query not at all."""
    line = f"GET /{'x' * 7000}?{'y' * 500}"
    for headers in (("Host: localhost",), ("Host: evil.example",)):
        plain = head(line, *headers, f"Content-Type: {'z' * 5000}").replace(DEFAULT_TOKEN.encode(), b"wrong")
        await raw(sandbox, plain)
    for entry in sandbox.requests:
        assert (len(entry.path), entry.query, len(entry.content_type)) == (200, "", 200)
    assert [entry.status for entry in sandbox.requests] == [401, 421]


@pytest.mark.asyncio
async def test_the_root_says_what_this_is(sandbox: Sandbox) -> None:
    """A browser that opens the address sees plain words without any content, and the log does not show it."""
    async with aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        await Api(session).create_chat(text="Only for Mira")
    async with aiohttp.ClientSession(sandbox.base_url) as session, session.get("/") as response:
        text = await response.text()
        assert (response.status, response.content_type) == (200, "text/plain")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "LINQ_BASE_URL" in text
    assert not re.search(r"Mira|\d{7}", text)
    assert DEFAULT_TOKEN not in text
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_the_token_is_known_on_loopback(host: str) -> None:
    """A sandbox that only this machine reaches has the documented token."""
    assert Sandbox(host=host).token == DEFAULT_TOKEN


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "sandbox.internal", "evil.localhost"])
def test_the_token_is_random_beyond_loopback(host: str) -> None:
    """A sandbox that other machines may reach draws its own token, unless it is given one."""
    tokens = {Sandbox(host=host).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(re.fullmatch(r"sandbox-[0-9a-f]{32}", token) for token in tokens)
    assert Sandbox(host=host, token="mine").token == "mine"


@pytest.mark.parametrize("host", ["a b", "http://localhost", "a\0", "läb", "a" * 3 + "/24"])
def test_an_impossible_host_is_refused(host: str) -> None:
    """A host that no socket could listen on is refused when the sandbox is made."""
    with pytest.raises(ValueError, match="host must be"):
        Sandbox(host=host)


def test_the_guard_shows_no_token() -> None:
    """The guard's repr holds no token."""
    assert "s3cret" not in repr(Guard("s3cret", frozenset()))
