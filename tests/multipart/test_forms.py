"""Request bodies byte for byte: JSON without files, multipart with files."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from linq_async import NewChat, Upload

from .kinds import BIG, KINDS, SMALL, Workshop, factory
from .reading import raw_parts
from .recorder import BUSY, Recorder
from .sending import KEY, client, send, sent_parts

PAGE = (
    '{ "send_from": "+15175269229", "chat": { "display_name": "Sample Chat", "phone_numbers": [ "+13343284472", '
    '"+13344713465" ] }, "message": { "text": "Hello! This is a sample message from Linq API v2.", '
    '"idempotency_key": "msg-2024_01-23_abc123" } }'
)
"""The example of the page "Create Chat"."""
EXAMPLE = NewChat(
    send_from="+15175269229",
    phone_numbers=["+13343284472", "+13344713465"],
    display_name="Sample Chat",
    text="Hello! This is a sample message from Linq API v2.",
    idempotency_key="msg-2024_01-23_abc123",
)
GOLDEN_JSON = (
    b'{"send_from":"+15175269229","chat":{"phone_numbers":["+13343284472","+13344713465"],'
    b'"display_name":"Sample Chat"},"message":{"text":"Hello! This is a sample message from Linq API v2.",'
    b'"idempotency_key":"msg-2024_01-23_abc123"}}'
)
GOLDEN_FORM = (
    '--%(b)s\r\nContent-Disposition: form-data; name="send_from"\r\n\r\n+15175269229\r\n'
    '--%(b)s\r\nContent-Disposition: form-data; name="chat[display_name]"\r\n\r\nSample Chat\r\n'
    '--%(b)s\r\nContent-Disposition: form-data; name="chat[phone_numbers][]"\r\n\r\n+13343284472\r\n'
    '--%(b)s\r\nContent-Disposition: form-data; name="chat[phone_numbers][]"\r\n\r\n+13344713465\r\n'
    '--%(b)s\r\nContent-Disposition: form-data; name="message[text]"\r\n\r\n'
    "Hello! This is a sample message from Linq API v2.\r\n"
    '--%(b)s\r\nContent-Disposition: form-data; name="message[idempotency_key]"\r\n\r\nmsg-2024_01-23_abc123\r\n'
    '--%(b)s\r\nContent-Disposition: form-data; name="message[attachment_urls][]"\r\n\r\n'
    "https://example.com/menu.pdf\r\n"
    '--%(b)s\r\nContent-Disposition: form-data; name="message[attachments][]"; filename="quote.pdf"\r\n'
    "Content-Type: application/pdf\r\n\r\n%%PDF-1\r\n"
    '--%(b)s\r\nContent-Disposition: form-data; name="message[attachments][]"; filename="日本語 (1).png"\r\n'
    "Content-Type: image/png\r\n\r\nmap\r\n"
    "--%(b)s--\r\n"
)


def _with(**fields: Any) -> NewChat:
    return attrs.evolve(EXAMPLE, **fields)


@pytest.mark.asyncio
async def test_the_example_of_the_page_is_json(server: Recorder) -> None:
    """Without files the documented example is sent as JSON, byte for byte."""
    async with client(server) as linq:
        await linq.chats.send(EXAMPLE)
    (request,) = server.log
    assert request.body == GOLDEN_JSON
    assert request.json == json.loads(PAGE)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(GOLDEN_JSON))
    assert not request.chunked


@pytest.mark.asyncio
async def test_the_example_with_two_files_is_multipart(server: Recorder, workshop: Workshop) -> None:
    """With two files and a URL it is sent as multipart, byte for byte: bracketed names, no type on text."""
    files = [workshop.file("quote.pdf", b"%PDF-1"), Upload.from_bytes(b"map", filename="日本語 (1).png")]
    async with client(server) as linq:
        await linq.chats.send(_with(attachments=files, attachment_urls=["https://example.com/menu.pdf"]))
    (request,) = server.log
    media_type, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert media_type == "multipart/form-data"
    assert request.body.decode() == GOLDEN_FORM % {"b": boundary}


@pytest.mark.asyncio
async def test_optional_fields_are_left_out(server: Recorder) -> None:
    """Missing name, URLs and files have no field, in JSON or in multipart."""
    async with client(server) as linq:
        await linq.chats.send(_with(display_name=None))
        file = Upload.from_bytes(b"x", filename="a.txt")
        await linq.chats.send(_with(display_name=None, attachments=[file], idempotency_key="another"))
    as_json, as_form = server.log
    assert as_json.json["chat"] == {"phone_numbers": list(EXAMPLE.phone_numbers)}
    assert set(as_json.json["message"]) == {"text", "idempotency_key"}
    assert b"display_name" not in as_form.body
    assert b"attachment_urls" not in as_form.body


@pytest.mark.asyncio
async def test_urls_alone_stay_json(server: Recorder) -> None:
    """Attachments by URL are sent as JSON, which keeps text in any script and control characters."""
    text = 'Grüße 🎉\n"quoted" \\ \u2028 \x00 end'
    urls = ["https://example.com/menü.pdf", "http://example.com:8080/a?b=c"]
    async with client(server) as linq:
        await linq.chats.send(_with(attachment_urls=urls, text=text))
    message = server.log[0].json["message"]
    assert (message["attachment_urls"], message["text"]) == (urls, text)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_the_length_is_sent_if_it_is_known(server: Recorder, workshop: Workshop, kind: str) -> None:
    """Content-Length is exact, except with a stream of undeclared size, which is sent chunked."""
    given = KINDS[kind](workshop)
    async with client(server) as linq:
        await send(linq, given.attachment)
    (request,) = server.log
    assert request.chunked != given.sized
    assert request.headers.get("content-length") == (str(len(request.body)) if given.sized else None)


@pytest.mark.asyncio
async def test_one_stream_of_unknown_size_makes_the_body_chunked(server: Recorder, workshop: Workshop) -> None:
    """One stream without a size makes the whole body chunked."""
    stream = Upload.from_chunks(factory(SMALL), filename="a.bin")
    async with client(server) as linq:
        await send(linq, workshop.file("a.txt"), stream, Upload.from_bytes(SMALL, filename="b.bin"))
    (request,) = server.log
    assert request.chunked
    assert [part.data for part in raw_parts(request.body, request.headers["content-type"])][-3:] == [BIG, SMALL, SMALL]


@pytest.mark.asyncio
async def test_only_files_have_a_content_type(server: Recorder) -> None:
    """A text part has only Content-Disposition: some servers take a text with a type for a file."""
    async with client(server) as linq:
        await send(linq, Upload.from_bytes(SMALL, filename="a.bin"), display_name="Grüße")
    request = server.log[0]
    for part in raw_parts(request.body, request.headers["content-type"]):
        names = [name for name, _ in part.headers]
        is_file = b"filename=" in part.headers[0][1]
        assert names == [b"Content-Disposition", b"Content-Type"][: 1 + is_file]


@pytest.mark.asyncio
@pytest.mark.parametrize("attachments", [[], [Upload.from_bytes(BIG, filename="a.bin")]], ids=["json", "multipart"])
@pytest.mark.parametrize("key", [KEY, None], ids=["given", "made"])
async def test_the_key_is_the_same_on_every_attempt(
    server: Recorder, attachments: list[Upload], key: str | None
) -> None:
    """Four attempts have one key in the field that v2 reads, and the result has it."""
    server.script[:] = [BUSY, BUSY, BUSY]
    async with client(server) as linq:
        chat = await send(linq, *attachments, idempotency_key=key)
    keys = {_key(request.body, request.headers["content-type"]) for request in server.log}
    assert keys == {chat.idempotency_key}
    assert (chat.attempts, len(server.log)) == (4, 4)
    assert key is None or chat.idempotency_key == key
    assert len({request.body for request in server.log}) == 1


def _key(body: bytes, content_type: str) -> str:
    if content_type == "application/json":
        return str(json.loads(body)["message"]["idempotency_key"])
    wanted = [(b"Content-Disposition", b'form-data; name="message[idempotency_key]"')]
    (part,) = [part for part in raw_parts(body, content_type) if part.headers == wanted]
    return part.data.decode()


@pytest.mark.asyncio
async def test_two_sends_have_two_keys_and_two_boundaries(server: Recorder) -> None:
    """Keys and boundaries are not reused for the next send."""
    upload = Upload.from_bytes(b"x", filename="a.txt")
    for _ in range(2):
        await sent_parts(server, upload, idempotency_key=None)
    types = {request.headers["content-type"] for request in server.log}
    assert len(types) == len({_key(request.body, request.headers["content-type"]) for request in server.log}) == 2
