"""A sandbox under attack: what must stay quick, small and quiet, whatever comes in."""

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import cast

import aiohttp
import pytest

from linq_async.sandbox import Sandbox, pages, request_body, server
from linq_async.sandbox.rack.params import MAX_CONTAINERS, params_of_json
from linq_async.sandbox.refusals import RefusalError
from tests.support.blocking import longest_block, young_heap

from .calls import HEADERS, LINE, MIRA, PREFIX, Api, head, raw

POST = f"POST {PREFIX}/chats"
FORM, JSON, PAIRS = "multipart/form-data; boundary=b", "application/json", "application/x-www-form-urlencoded"
MOST = 2_000_000


def parts(disposition: bytes, count: int) -> bytes:
    """Make a form of equal parts."""
    part = b"--b\r\nContent-Disposition: form-data" + disposition + b"\r\n\r\nx\r\n"
    return part * count + b"--b--\r\n"


def message(**changes: object) -> bytes:
    """Make the JSON of a chat."""
    given = {"text": "Hello", **{name: value for name, value in changes.items() if name != "phone_numbers"}}
    people = changes.get("phone_numbers", [MIRA])
    return json.dumps({"send_from": LINE, "chat": {"phone_numbers": people}, "message": given}).encode()


BODIES = {
    "ten thousand parts": (FORM, parts(b'; name="a"', 10_000)),
    "ten thousand parts without a name": (FORM, parts(b"", 10_000)),
    "semicolons in each part": (FORM, parts(b"; " * 700, 1400)),
    "quotes that never end": (FORM, parts(b'; name="' + b'\\"' * 700, 1400)),
    "spaces before nothing": (FORM, parts(b";" + b" " * 1450 + b"x", 1400)),
    "percent signs in file names": (FORM, parts(b'; name=a; filename="' + b"%41" * 450 + b'"', 128)),
    "a head that never ends": (FORM, b"--b\r\n" + b"x" * MOST),
    "many lines in a head": (FORM, (b"--b\r\n" + b"a:b\r\n" * 12_000 + b"\r\nx\r\n") * 30 + b"--b--\r\n"),
    "almost delimiters": (FORM, b"--b\r\n\r\n" + b"\r\n--bX" * (MOST // 6)),
    "delimiters alone": (FORM, b"--b\r\n" * (MOST // 5)),
    "a name nested deeply": (PAIRS, b"a" + b"[a]" * (MOST // 3) + b"=1"),
    "opening brackets": (PAIRS, b"[" * MOST + b"=1"),
    "closing brackets": (PAIRS, b"a" + b"]" * MOST + b"=1"),
    "empty brackets": (PAIRS, b"a" + b"[]" * (MOST // 2) + b"=1"),
    "lists in lists": (PAIRS, b"&".join([b"a[][b][][c][][d]=1"] * 4096)),
    "deep names in a row": (PAIRS, b"&".join([b"a[][b]" + b"[x]" * 30 + b"=1"] * 4096)),
    "a million pairs": (PAIRS, b"a&" * (MOST // 2)),
    "percent signs": (PAIRS, b"a=" + b"%41" * (MOST // 3)),
    "deep JSON": (JSON, b"[" * MOST),
    "deep objects": (JSON, b'{"a":' * (MOST // 5)),
    "a number of a million digits": (JSON, b'{"a":' + b"9" * MOST + b"}"),
    "a recipient of a megabyte": (JSON, message(phone_numbers=["1" * MOST])),
    "an address of a megabyte": (JSON, message(phone_numbers=["a@" + "b." * (MOST // 2)])),
    "an attachment of a megabyte": (JSON, message(attachment_urls=["http://[" + "a" * MOST])),
}


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("name", BODIES)
async def test_hostile_bodies_are_refused_quickly(sandbox: Sandbox, name: str) -> None:
    """A body that is made to be expensive is a 4xx, blocks the loop for well under a second, and stores nothing."""
    kind, body = BODIES[name]
    over = asyncio.Event()
    request = head(POST, "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    with young_heap():
        watch = asyncio.create_task(longest_block(over))
        answer = await raw(sandbox, request, body)
        over.set()
        assert await watch < 0.8
    assert answer.split(b" ")[1] in (b"400", b"413", b"422")
    assert (sandbox.messages, sandbox._state.storage.memory.used) == ([], 0)


@pytest.mark.timed
def test_wide_json_is_refused_before_it_is_read() -> None:
    """JSON of very many small arrays, which costs a hundred times its size, is not parsed; half as many are taken."""
    wide = b'{"a":[' + b"[]," * (MAX_CONTAINERS // 2) + b"[]]}"
    assert len(cast("list[object]", params_of_json(wide)["a"])) == MAX_CONTAINERS // 2 + 1
    start = time.process_time()
    for body in (b'{"a":[' + b"[]," * (MOST // 3) + b"[]]}", b'{"a":[' + b"{}," * (MOST // 3) + b"{}]}"):
        with pytest.raises(RefusalError, match="too many"):
            params_of_json(body)
    assert time.process_time() - start < 0.2


TOKEN_LINE = b"X-LINQ-INTEGRATION-TOKEN: s3cret-token\r\n"
HEADS = {
    "not HTTP": b"\x16\x03\x01\x02\x00" + b"s3cret" * 100 + b"\r\n\r\n",
    "a path that is too long": b"GET /" + b"s3cret" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header that is too long": b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"s3cret" * 10_000 + b"\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: s3cret\r\n" * 5000 + b"\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + TOKEN_LINE + b"s3cret\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    + TOKEN_LINE
    + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", HEADS)
async def test_what_is_not_http_is_not_logged(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Bytes that are not HTTP end the connection, and none of them reaches a log, because they may contain a token."""
    caplog.set_level(logging.DEBUG)
    with suppress(ConnectionError):
        answer = await raw(sandbox, HEADS[name])
        assert answer.split(b" ")[1] == b"400"
    assert "s3cret" not in caplog.text
    assert len(sandbox.requests) == 0


@pytest.mark.asyncio
async def test_a_failure_of_the_sandbox_itself_is_logged(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the sandbox is a 500 and shows in the log."""
    monkeypatch.setattr(pages, "WELCOME", object())
    assert b" 500 " in await raw(sandbox, head("GET /", "Host: localhost"))
    assert [record.name for record in caplog.records] == ["linq_async.sandbox.http"]


@pytest.mark.asyncio
async def test_a_head_that_never_ends_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which half a head came is closed after a while."""
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.05)
    async with Sandbox() as sandbox, asyncio.timeout(5):
        assert await raw(sandbox, b"GET / HTTP/1.1\r\nHost: local") == b""


@pytest.mark.asyncio
async def test_a_body_that_stops_is_a_408(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not go on is refused after a while, and nothing of it is stored."""
    monkeypatch.setattr(request_body, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(request_body, "DRAINED_SECONDS", 0.05)
    part = b'--b\r\nContent-Disposition: form-data; name="message[attachments][]"; filename="a"\r\n\r\nx'
    monkeypatch.setattr(server, "LINGERING_SECONDS", 0.05)
    async with Sandbox() as fresh:
        answer = await raw(fresh, head(POST, "Host: localhost", f"Content-Type: {FORM}", "Content-Length: 900"), part)
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert fresh._state.storage.memory.used == 0


@pytest.mark.asyncio
async def test_a_flood_of_strangers_leaves_the_rest_alone(sandbox: Sandbox) -> None:
    """While a hundred strangers post bodies and hold connections, a caller with the token is answered."""
    port = int(sandbox.base_url.rpartition(":")[2])
    slow = f"{POST} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n".encode()
    writers: list[asyncio.StreamWriter] = []
    for _ in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(slow + b"x" * 1000)
        writers.append(writer)
    async with asyncio.timeout(5), aiohttp.ClientSession(sandbox.base_url, headers=HEADERS) as session:
        assert (await Api(session).create_chat("one")).status == 200
    assert sandbox._state.storage.memory.used < 10_000
    for writer in writers:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
