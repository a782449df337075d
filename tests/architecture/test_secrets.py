"""The token, phone numbers and texts of messages are never printed.

They are not in log records at DEBUG, in any ``repr`` or message, or in a traceback with the locals of all its frames,
as error reporters send it. The tests keep the canaries in an object with an empty repr.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import aiohttp
import attrs
import pytest

from linq_async import APIError, Attempt, DecodeError, LinqClient, LinqError, NewChat, Response, Timeouts, Upload
from linq_async.pipeline import Call
from linq_async.wire.body import Json, Multipart
from tests.support.clients import AT_ONCE, ONCE
from tests.support.loopback import CREATED, CREATED_CHAT, HANG_UP, Loopback, Reply, Seen, Step, refused, replied

from .test_construction_secrets import REPORTERS, Reporter


class Canaries:
    """Values that must never appear in output. Its own repr is empty, as are those of its messages."""

    __slots__ = ("number", "text", "token")

    def __init__(self) -> None:
        self.token, self.number, self.text = "canary-token-5e1f", "+15550137137", "canary-text-9c2d"

    def __repr__(self) -> str:
        return "<canaries>"

    @property
    def all(self) -> tuple[str, ...]:
        """Return the canaries, the number without its plus sign, which may be escaped."""
        return self.token, self.number[1:], self.text

    def message(self, **more: Any) -> Any:
        """Return the arguments of a send, as a dict with an empty repr."""
        return _Blank(
            send_from=self.number, phone_numbers=[self.number], text=self.text, display_name=self.text, **more
        )

    def echo(self, status: int, **headers: str) -> Step:
        """Respond with everything that a careless server may echo."""
        said = f"{self.number} {self.text} {self.token}"
        entry = {"status": status, "code": self.text, "title": said, "detail": said}
        location = f"https://other.example/{self.text}?to={self.number}"
        return replied({"errors": [entry, {"code": said}], "message": said}, status, Location=location, **headers)


class _Blank(dict[str, Any]):
    def __repr__(self) -> str:
        return "<blank>"


canaries = Canaries()
Act: TypeAlias = Callable[[LinqClient], Awaitable[object]]


async def _silence(_: Seen) -> None:
    await asyncio.Event().wait()


async def _broken() -> AsyncIterator[bytes]:
    yield b"bytes"
    raise KeyError


def _create(**more: Any) -> Act:
    return lambda linq: linq.chats.create(**canaries.message(**more))


def _request(method: str = "POST", path: str = "/x", **more: Any) -> Act:
    body = _Blank(message={"text": canaries.text})
    params = _Blank(phone_number=canaries.number)
    named = _Blank({"json": body, "params": params, **more})
    return lambda linq: linq.request(method, path, **named)


def _within(seconds: float, act: Act) -> Act:
    async def limited(linq: LinqClient) -> None:
        async with asyncio.timeout(seconds):
            await act(linq)

    return limited


@attrs.define
class _Mapped:
    data: dict[str, int]


WRONG = {"data": {**CREATED_CHAT["data"], "id": canaries.text, "service": 5, "group": canaries.number}}
WRONG["data"]["chat_handles"] = [{"id": canaries.number, "joined_at": canaries.text}]
FILE = Upload.from_bytes(b"x" * 70_000, filename="a.png")
STREAM = Upload.from_chunks(_broken, filename="a.bin", size=50)
CUT = Reply(201, canaries.text.encode(), {"Content-Length": "900"}).encode()
LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + canaries.text.encode() + b"\x00\r\n\r\n"
ODD_NAMES: Any = _Blank({canaries.number: True, canaries.text: {}})
ODD_NAMES[5] = "x"
ONLY_ODD = _Blank(message={"text": canaries.text}, odd=Canaries())

EARLIER: dict[str, Any] = {
    "data": {"id": 45, "display_name": canaries.text, "chat_messages": {"id": 7, "text": "Another"}}
}
EARLIER["data"]["chat_handles"] = [{"id": 1, "phone_number": canaries.number}]


async def _create_twice(linq: LinqClient) -> None:
    await linq.chats.create(**canaries.message(idempotency_key="k-1"))
    await linq.chats.create(**canaries.message(idempotency_key="k-1", attachments=[FILE]))


FAILURES: dict[str, tuple[list[Step], Act]] = {
    **{f"{status} that echoes": ([canaries.echo(status)] * 4, _create()) for status in (307, 400, 401, 409, 422, 500)},
    "429 that echoes": ([canaries.echo(429, Retry_After="900")], _create()),
    "four times 503": ([canaries.echo(503)] * 4, _create()),
    "multipart, 422": ([canaries.echo(422)], _create(attachments=[FILE])),
    "multipart, connection lost": ([HANG_UP] * 4, _create(attachments=[FILE])),
    "decoding": ([replied(WRONG)], _create()),
    "decoding HTML": ([Reply(200, f"<html>{canaries.text}".encode())], _create()),
    "over the cap": ([Reply(200, canaries.text.encode() * 900)], _create()),
    "connection lost": ([HANG_UP] * 4, _create()),
    "cut answer": ([CUT] * 4, _create()),
    "not HTTP": ([canaries.text.encode() + b"\r\n\r\n"] * 4, _create()),
    "bad header": ([LATE] * 4, _create()),
    "read timeout": ([_silence], _create()),
    "the caller's own timeout": ([_silence], _within(0.03, _create())),
    "the caller's own timeout, multipart": ([_silence], _within(0.03, _create(attachments=[FILE]))),
    "a reused key": ([replied(EARLIER)], _create(idempotency_key="k-1")),
    "a reused key, in the client": ([replied({"data": {"id": 45, "chat_messages": {"id": 7}}})], _create_twice),
    "failing stream": ([], _create(attachments=[STREAM])),
    "arguments": ([], _create(idempotency_key="a b", attachment_urls=["x:" + canaries.number], attachments=["a.png"])),
    "no recipient": ([], lambda linq: linq.chats.send(NewChat(**canaries.message(attachments=["x"])))),
    "request, 422": ([canaries.echo(422)], _request()),
    "request, connection lost": ([HANG_UP], _request()),
    "request, PUT, connection lost": ([HANG_UP] * 4, _request("PUT")),
    "request, read timeout": ([_silence], _request()),
    "request, bad path": ([], _request(path="no path")),
    "request, bad method": ([], _request("MOVE")),
    "request, bad key": ([], _request(idempotency_key="a b")),
    "request, bad params": ([], _request(params=_Blank(to=canaries.number, flag=True))),
    "request, bad json": ([], _request(json=ONLY_ODD)),
    "request, no object": ([], _request(json=[canaries.text])),
    "request, bad names": ([], _request(params=ODD_NAMES)),
    "contact, bad names": ([], lambda linq: linq.contacts.create(**_Blank({canaries.number: "x", canaries.text: 5}))),
    "request id that holds the token": ([canaries.echo(422, X_Request_Id=f"id-{canaries.token}")], _create()),
    "request id that holds a number": ([canaries.echo(422, X_Request_Id=canaries.number)], _create()),
    "redirect to a number": ([Reply(307, headers={"Location": f"https://{canaries.number[1:]}/"})], _create()),
    "redirect to the token": ([Reply(307, headers={"Location": f"//{canaries.token}.example/"})], _create()),
    "undecodable, with an echo": ([Reply(201, b"[]", {"X-Request-Id": canaries.token})], _create()),
    "request, decoding": ([replied(WRONG)], _request(returns=int)),
    "request, decoding a mapping": ([replied({"data": {canaries.number: canaries.text}})], _request(returns=_Mapped)),
}


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Collect the log at DEBUG."""
    with caplog.at_level(logging.DEBUG, "linq_async"):
        yield caplog


def _printed(error: BaseException) -> str:
    """Show an error in every way: text, repr, and a traceback with the locals of every frame and cause."""
    full = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([str(error), repr(error), *full.format()])


def _logged(records: list[logging.LogRecord]) -> str:
    """Show a log, with the tracebacks of its records."""
    own = [record for record in records if record.name == "linq_async"]
    causes = [record.exc_info[1] for record in own if record.exc_info]
    lines = [f"{record.getMessage()} {record.args}" for record in own]
    return "\n".join([*lines, *[_printed(cause) for cause in causes if cause is not None]])


def _leaks(text: str) -> list[str]:
    """Return the lines that hold a canary, without showing it."""
    found = [line for line in text.splitlines() if any(word in line for word in canaries.all)]
    for word in canaries.all:
        found = [line.replace(word, "<CANARY>").strip()[:200] for line in found]
    return found


def _client(url: str, **options: Any) -> LinqClient:
    settings: dict[str, Any] = {"retry": AT_ONCE, "max_response_bytes": 4_096, **options}
    return LinqClient(canaries.token, base_url=url, **settings)


async def _raised(linq: LinqClient, act: Act) -> BaseException:
    try:
        await act(linq)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FAILURES)
async def test_no_failure_shows_a_secret(log: pytest.LogCaptureFixture, name: str) -> None:
    """A failure shows no token, number or text in its error, its traceback with locals, or the log."""
    script, act = FAILURES[name]
    options = {"retry": ONCE, "timeouts": Timeouts(read=0.05)} if name.endswith("read timeout") else {}
    async with Loopback(*script) as server, _client(server.url, **options) as linq:
        error = await _raised(linq, act)
    assert isinstance(error, LinqError | TimeoutError)
    assert _leaks(_printed(error)) == []
    assert _leaks(_logged(log.records)) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("report", REPORTERS)
@pytest.mark.parametrize("name", ["422 that echoes", "four times 503", "decoding", "decoding HTML"])
async def test_no_reporter_shows_what_a_server_echoed(report: Reporter, name: str) -> None:
    """Reporters that print the attributes of an error show nothing of a response."""
    script, act = FAILURES[name]
    async with Loopback(*script) as server, _client(server.url) as linq:
        error = await _raised(linq, act)
    assert isinstance(error, APIError | DecodeError)
    assert canaries.text.encode() in error.body
    assert _leaks(report(error)) == []


@pytest.mark.asyncio
async def test_a_refused_connection_shows_no_secret(log: pytest.LogCaptureFixture) -> None:
    """Errors about an unreachable server, and about a proxy with a password, show no secret."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    proxied = _Blank(proxy=url.replace("//", f"//user:{canaries.token}@"))
    for options in (_Blank(), proxied):
        async with _client(url, **options) as linq:
            errors = [await _raised(linq, act) for act in (_create(), _request("GET"))]
        assert _leaks("\n".join(map(_printed, errors))) == []
    assert _leaks(_logged(log.records)) == []


@pytest.mark.asyncio
async def test_a_cancelled_call_shows_no_secret(log: pytest.LogCaptureFixture) -> None:
    """The frames of a CancelledError have no secret in their locals."""
    async with Loopback(_silence) as server, _client(server.url) as linq:
        task = asyncio.ensure_future(_create()(linq))
        await server.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert _leaks(_printed(caught.value)) == []
    assert _leaks(_logged(log.records)) == []


def test_an_interrupted_call_shows_no_secret() -> None:
    """A KeyboardInterrupt within aiohttp reaches the caller without the frames of aiohttp, which hold the headers."""

    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    async def call() -> None:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(interrupt)
        async with Loopback() as server, aiohttp.ClientSession(trace_configs=[trace]) as session:
            await _create()(_client(server.url, session=session))

    with pytest.raises(KeyboardInterrupt) as caught:
        asyncio.run(call())
    assert _leaks(_printed(caught.value)) == []


@pytest.mark.asyncio
async def test_an_echoed_token_is_not_a_request_id() -> None:
    """A request id that contains the token is dropped, from results and errors."""
    answer = Reply(201, CREATED.body, {"X-Request-Id": canaries.token})
    async with Loopback(answer, answer) as server, _client(server.url) as linq:
        chat = await _create()(linq)
        response = await _request()(linq)
    assert isinstance(response, Response)
    assert (getattr(chat, "request_id", ""), response.request_id) == (None, None)
    assert _leaks(f"{chat!r} {response!r} {response.headers}") == []


@pytest.mark.asyncio
async def test_a_failing_hook_shows_no_secret(log: pytest.LogCaptureFixture) -> None:
    """The log of a failed hook has its traceback and no secret."""

    def failing(_: Attempt) -> None:
        raise KeyError

    async with Loopback(CREATED, canaries.echo(422)) as server, _client(server.url, on_attempt=failing) as linq:
        await _create()(linq)
        error = await _raised(linq, _create())
    assert sum(record.exc_info is not None for record in log.records) == 4
    assert _leaks(_logged(log.records)) == []
    assert _leaks(_printed(error)) == []


@pytest.mark.asyncio
async def test_a_gate_and_a_closed_client_show_no_secret(log: pytest.LogCaptureFixture) -> None:
    """The errors of a delayed call, and of a call on a closed client, show no secret."""
    async with Loopback(refused(429, Retry_After="900")) as server, _client(server.url) as linq:
        errors = [await _raised(linq, _create()) for _ in range(2)]
        await linq.aclose()
        errors += [await _raised(linq, _create()), await _raised(linq, _request())]
    assert _leaks("\n".join(map(_printed, errors))) == []
    assert _leaks(_logged(log.records)) == []


@pytest.mark.asyncio
async def test_a_success_shows_no_secret(log: pytest.LogCaptureFixture) -> None:
    """Results, records, settings and messages have no secret in their repr, nor has the log of a success."""
    shown: list[Any] = []
    answer: dict[str, Any] = {"data": {**CREATED_CHAT["data"], "display_name": canaries.text}}
    answer["data"]["chat_messages"] = {**answer["data"]["chat_messages"], "text": canaries.text}
    answer["data"]["chat_handles"] = [{"id": 1, "phone_number": canaries.number}]
    async with (
        Loopback(default=replied(answer)) as server,
        _client(server.url, on_attempt=shown.append, headers={"X-Note": canaries.text}) as linq,
    ):
        chat = await linq.chats.create(**canaries.message(attachments=[FILE]))
        response = await linq.request("POST", "/x", {"a": canaries.text}, {"to": canaries.number})
        pipeline = linq._pipeline
        pool = pipeline.transport.pool()
    shown += [chat, response, linq, linq.chats, pipeline, pipeline.settings, pipeline.transport, pool]
    shown += [NewChat(**canaries.message()), Upload.from_bytes(canaries.text.encode(), filename="a.txt")]
    assert len(shown) == 14
    assert _leaks("\n".join(f"{thing!r} {thing!s}" for thing in shown)) == []
    assert _leaks(_logged(log.records)) == []


def test_bodies_and_calls_print_no_secret() -> None:
    """The repr of a body or a call, which are locals of frames, shows no secret."""
    body = Json(canaries.text.encode())
    form = Multipart("multipart/form-data", (canaries.text.encode(),), 5)
    assert _leaks(f"{body!r} {form!r}") == []
    assert {field.name for field in attrs.fields(Call) if not field.repr} >= {"body", "pool"}


def test_the_leak_detector_works() -> None:
    """The detector finds a canary in a local variable."""

    def leak() -> None:
        held = canaries.text
        raise KeyError(len(held))

    with pytest.raises(KeyError) as caught:
        leak()
    assert _leaks(_printed(caught.value)) == ["held = '<CANARY>'"]
