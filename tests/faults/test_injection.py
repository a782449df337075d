"""Any value in headers, paths, parameters, names and fields gives one request with exactly this value."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_async import ConfigurationError, InvalidArgumentError, LinqClient, LinqError, Upload
from tests.multipart.reading import READERS
from tests.support.replies import CREATED
from tests.support.scripted_server import ScriptedServer

KEY = "order-1017"
REQUEST_LINES = {b"POST", b"GET", b"PUT", b"DELETE"}
CONTROLS = ["\r\n", "\n", "\r", "\0", "\t", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028"]
SIGNS = [*" :;,=&?#/\\\"'%+<>[]{}", "..", "--", "%0d%0a", "%22", "%2e", "\u00e9", "\u5b57", "\U0001f389"]
INJECTIONS = ["X-Evil: 1", "Content-Length: 0", "Transfer-Encoding: chunked", "GET / HTTP/1.1", "\r\n\r\n", "--linq-"]
hostile = st.sampled_from([*CONTROLS, *SIGNS, *INJECTIONS, "a", "A-b"])
harmless = st.sampled_from([*SIGNS, "a", "A-b", "Evil: 1"])
words = st.lists(hostile, max_size=5).map("".join) | st.lists(harmless, max_size=6).map("".join) | st.text(max_size=12)
names = st.text("aBc-_09", min_size=1, max_size=8) | words
filled = st.builds("{}{}".format, st.sampled_from("ab"), words)
types = st.sampled_from(["image/png", "text/plain; charset=utf-8", "application/x-y; a=b"])
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
at_length = settings(max_examples=2_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


Act = Callable[[LinqClient], Awaitable[object]]


class Recorder(ScriptedServer):
    """Keeps all bytes that arrive, and creates a chat for each whole request."""

    def __init__(self) -> None:
        super().__init__(default=CREATED)

    @property
    def heads(self) -> list[list[bytes]]:
        """The lines of each whole head."""
        return [request.head[:-4].split(b"\r\n") for request in self.log if request.head_complete]

    @property
    def bodies(self) -> list[bytes]:
        """The bodies that belong to them."""
        return [request.body for request in self.seen]

    @property
    def rest(self) -> bytes:
        """What arrived after the last whole request."""
        return b"".join(request.head + request.body for request in self.log if not request.body_complete)

    def check_single(self) -> None:
        """Hold what arrived to one request, nothing after it, and no line of its head that is not a field."""
        assert (len(self.heads), self.rest) == (1, b"")
        first, *lines = self.heads[0]
        assert first.split(b" ")[0] in REQUEST_LINES
        assert (first.count(b" "), first.endswith(b" HTTP/1.1")) == (2, True)
        fields = [line.split(b":", 1)[0].lower() for line in lines]
        assert len(fields) == len(set(fields))
        assert not {b"x-evil", b"transfer-encoding"} & set(fields)
        assert not any(byte in b"\r\n\0" for line in self.heads[0] for byte in line)


async def recorded(call: Act, **options: Any) -> Recorder | None:
    """Make a call, and return what arrived; None if it was refused here."""
    async with Recorder() as recorder:
        try:
            async with LinqClient("token", base_url=recorder.url, **options) as linq:
                await call(linq)
        except (ConfigurationError, InvalidArgumentError):
            assert recorder.heads == []
            return None
        except LinqError:  # the response does not matter here
            pass
    recorder.check_single()
    return recorder


def create(**fields: Any) -> Act:
    """Create a chat with these fields in place of the usual ones."""
    usual: dict[str, Any] = {
        "send_from": "+15175269229",
        "phone_numbers": ["+13343284472"],
        "text": "Hello!",
        "idempotency_key": KEY,
    }
    arguments = usual | fields
    return lambda linq: linq.chats.create(**arguments)


def head_of(found: Recorder) -> set[bytes]:
    """Return the lines of a request's head but for the address, which differs from server to server."""
    return {line for line in found.heads[0] if not line.startswith(b"Host")}


@functools.cache
def plain_head() -> set[bytes]:
    """Return the head of a request without headers of the caller's."""
    found = asyncio.run(recorded(create()))
    assert found is not None
    return head_of(found)


def check_header(name: str, value: str) -> None:
    """Hold a header of the caller's to being one line more, which says what it should, or to being refused."""
    found = asyncio.run(recorded(create(), headers={name: value}))
    if found is None:
        return
    # A User-Agent of the caller's replaces the one of the client.
    plain = {line for line in plain_head() if name.lower() != "user-agent" or not line.startswith(b"User-Agent:")}
    assert head_of(found) - plain == {f"{name}: {value}".encode()}
    assert head_of(found) >= plain


def check_request(path: str, name: str, value: str) -> None:
    """Hold path and parameter to arriving as they were given, or to being refused."""

    def call(linq: LinqClient) -> Awaitable[object]:
        return linq.request("GET", f"/x{path}", params={name: value})

    found = asyncio.run(recorded(call))
    if found is None:
        return
    target = found.heads[0][0].split(b" ")[1].decode()
    before, _, query = target.partition("?")
    assert unquote(before) == unquote(f"/x{path}")
    assert parse_qsl(query, keep_blank_values=True) == [(name, value)]


def check_json(fields: dict[str, Any]) -> None:
    """Hold the fields of a message to arriving as they were given, or to being refused."""
    found = asyncio.run(recorded(create(**fields)))
    if found is None:
        return
    body = json.loads(found.bodies[0])
    assert body["message"]["text"] == fields["text"]
    assert body["chat"]["phone_numbers"] == fields["phone_numbers"]
    assert (body["send_from"], body["chat"]["display_name"]) == (fields["send_from"], fields["display_name"])
    assert set(body) == {"send_from", "chat", "message"}


def check_form(fields: dict[str, Any], filename: str, content_type: str) -> None:
    """Hold every part of a form to what was given, by two parsers, or the call to being refused."""
    try:
        upload = Upload.from_bytes(b"PNG", filename=filename, content_type=content_type)
    except InvalidArgumentError:
        return
    found = asyncio.run(recorded(create(**fields, attachments=[upload])))
    if found is None:
        return
    (kind,) = [line for line in found.heads[0] if line.lower().startswith(b"content-type:")]
    for read in READERS.values():
        parts = read(found.bodies[0], kind[13:].strip().decode())
        assert [(part.name, part.data.decode()) for part in parts] == [
            ("send_from", fields["send_from"]),
            ("chat[display_name]", fields["display_name"]),
            *(("chat[phone_numbers][]", number) for number in fields["phone_numbers"]),
            ("message[text]", fields["text"]),
            ("message[idempotency_key]", KEY),
            ("message[attachments][]", "PNG"),
        ]


fields = st.fixed_dictionaries(
    {
        "send_from": filled,
        "display_name": filled,
        "text": filled,
        "phone_numbers": st.lists(filled, min_size=1, max_size=3),
    }
)


@pytest.mark.slow
@quick
@given(names, words)
def test_headers(name: str, value: str) -> None:
    """A header of the caller's is one line, as it was given, or it is refused."""
    check_header(name, value)


@quick
@given(words, words, words)
def test_paths_and_parameters(path: str, name: str, value: str) -> None:
    """A path and a parameter arrive as they were given, or are refused."""
    check_request(path, name, value)


@quick
@given(fields)
def test_fields_of_json(given_fields: dict[str, Any]) -> None:
    """Recipients, names and texts arrive in JSON as they were given, or are refused."""
    check_json(given_fields)


@quick
@given(fields, filled, types)
def test_fields_of_a_form(given_fields: dict[str, Any], filename: str, content_type: str) -> None:
    """Recipients, texts, and names and types of files make no part of a form but their own, or are refused."""
    check_form(given_fields, filename, content_type)


@quick
@given(words)
def test_types_of_files(kind: str) -> None:
    """The media type of a file is as it was given, and makes no part and no header, or it is refused."""
    usual: dict[str, Any] = {
        "send_from": "+15175269229",
        "display_name": "x",
        "text": "Hello!",
        "phone_numbers": ["+13343284472"],
    }
    check_form(usual, "map.png", kind)
    check_form(usual, "map.png", f"image/{kind}")
    check_form(usual, "map.png", f"image/png; {kind}")


@quick
@given(st.text("aB1-_", min_size=1) | words)
def test_keys(key: str) -> None:
    """A key arrives as it was given, or is refused."""
    found = asyncio.run(recorded(create(idempotency_key=key)))
    assert found is None or json.loads(found.bodies[0])["message"]["idempotency_key"] == key


@pytest.mark.slow
@at_length
@given(names, words, words, types, fields)
def test_anything_at_length(name: str, value: str, path: str, kind: str, given_fields: dict[str, Any]) -> None:
    """The same, on thousands of hostile sets."""
    check_header(name, value)
    check_request(path, name, value)
    check_json(given_fields)
    check_form(given_fields, f"a{value}", kind)
