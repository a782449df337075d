"""Attachments: uploaded, named as Rack names them, and served again safely."""

import re
from io import BytesIO

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.formparser import parse_form_data
from werkzeug.test import EnvironBuilder

from linq_async.sandbox import Sandbox
from linq_async.sandbox.rack.multipart import MultipartReader, PartEnd, PartHead, file_name_as_rack_reads_it, read_head

from .calls import CHAT_FIELDS, Api, Reply, form

PNG = b"\x89PNG\r\n\x1a\n\0\r\n--boundary\r\n"


async def upload(api: Api, filename: str, content_type: str, content: bytes = b"x") -> Reply:
    """Create a chat with one file."""
    data = form(*CHAT_FIELDS, files=((filename, content_type, content),))
    return await api("POST", "/chats", data=data)


@pytest.mark.asyncio
async def test_uploads_come_back_byte_for_byte(api: Api, sandbox: Sandbox) -> None:
    """Files of a form, small and large, are shown in the answer and served as they were."""
    large = bytes(range(256)) * 8192
    files = (("map.png", "image/png", PNG), ("film.mp4", "video/mp4", large), ("empty.pdf", "application/pdf", b""))
    urls = (("message[attachment_urls][]", "https://example.com/menu%20a.pdf?x=1"),)
    reply = await api("POST", "/chats", data=form(*CHAT_FIELDS, *urls, files=files))
    shown = reply.json["data"]["chat_messages"]["attachments"]
    assert reply.status == 200
    assert [(one["filename"], one["mime_type"], one["file_size"]) for one in shown] == [
        ("map.png", "image/png", len(PNG)),
        ("film.mp4", "video/mp4", len(large)),
        ("empty.pdf", "application/pdf", 0),
        ("menu a.pdf", "application/pdf", 0),
    ]
    assert shown[3]["url"] == "https://example.com/menu%20a.pdf?x=1"
    for one, (_, content_type, content) in zip(shown, files, strict=False):
        async with api.session.get(one["url"]) as response:
            assert response.headers["Content-Type"] == content_type
            assert await response.read() == content
    (message,) = sandbox.messages
    assert [attachment.read() for attachment in message.attachments[:3]] == [PNG, large, b""]
    assert sandbox.chats[0].display_name == "Harbour crew"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("filename", "content_type", "served", "place"),
    [
        ("a.png", "image/png", "image/png", "inline"),
        ("a.pdf", "application/pdf", "application/pdf", "attachment"),
        ("a.html", "text/html", "application/octet-stream", "attachment"),
        ("a.svg", "image/svg+xml", "application/octet-stream", "attachment"),
        ("a.js", "text/javascript; charset=utf-8", "application/octet-stream", "attachment"),
        ("a.png", "image/png, text/html", "image/png", "inline"),
        ('"; é.pdf', "application/pdf", "application/pdf", "attachment"),
    ],
)
async def test_files_are_served_with_a_safe_type(
    api: Api, filename: str, content_type: str, served: str, place: str
) -> None:
    """Only harmless types keep their name; nothing that a browser could run is ever shown inline."""
    reply = await upload(api, filename, content_type)
    url = reply.json["data"]["chat_messages"]["attachments"][0]["url"]
    async with api.session.get(url) as response:
        headers = response.headers
    assert headers["Content-Type"] == served
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(rf"{place}; filename=\"[ -~]*\"; filename\*=UTF-8''[\w%.~-]+", headers["Content-Disposition"])
    assert headers["Content-Disposition"].count('"') == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/files/x/y", "/files/00000000-0000-0000-0000-000000000000/a.png", "/files/"])
async def test_an_unknown_file_is_a_404(api: Api, path: str) -> None:
    """A file that is not there is a 404."""
    async with api.session.get(path) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("a%20b.png", "a b.png"),
        ("50% %22off%22", "50% %22off%22"),
        ("100%", "100%"),
        ("100%25", "100%"),
        ("résumé.pdf", "résumé.pdf"),
        ("C:\\dir\\f.txt", "f.txt"),
        ("/etc/passwd", "passwd"),
        ("..%2f..%2fpasswd", "passwd"),
        (r"say \"hi\".txt", 'say "hi".txt'),
        ("a%0Ab", "a\nb"),
        ("%FF.png", "\ufffd.png"),
    ],
)
def test_file_names_are_read_as_rack_reads_them(raw: str, name: str) -> None:
    """Percent escapes are decoded only if every percent sign is one, and folders fall away."""
    assert file_name_as_rack_reads_it(raw) == name


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ('form-data; name="a"; filename="b.txt"', "a", "b.txt"),
        ("form-data; name=a; filename=b.txt", "a", "b.txt"),
        ('form-data; name="a"; filename="C:\\"', "a", "C:"),
        ('FORM-DATA; NAME="a[]"; FILENAME="b;c=d.txt"', "a[]", "b;c=d.txt"),
        ("form-data; name=\"a\"; filename*=UTF-8''%c3%a9.txt", "a", "é.txt"),
        ('form-data; name="a"; filename="b.txt"; filename*=UTF-8\'\'c.txt', "a", "b.txt"),
        ('form-data; name="a"', "a", None),
        ("form-data", None, None),
        (f'form-data; name="a"; filename="{"x" * 1600}"', None, None),
    ],
)
def test_dispositions_are_read(disposition: str, name: str | None, filename: str | None) -> None:
    """Quoted, bare and extended names are read; a header longer than Rack takes is overlooked."""
    head = read_head(f"Content-Disposition: {disposition}".encode())
    assert (head.name, head.filename) == (name, filename)


@pytest.mark.asyncio
async def test_a_part_with_an_empty_file_name_is_dropped(api: Api) -> None:
    """A file field in which nothing was chosen does not become an attachment."""
    fields = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in CHAT_FIELDS
    )
    empty = '--b\r\nContent-Disposition: form-data; name="message[attachments][]"; filename=""\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    reply = await api("POST", "/chats", data=(fields + empty).encode(), headers=headers)
    assert reply.status == 200
    assert reply.json["data"]["chat_messages"]["attachments"] == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=other", "multipart/form-data; boundary=" + "b" * 99],
)
@pytest.mark.parametrize("body", [b"", b"--b\r\n\r\n", b"\0" * 200_000, b"--b--\r\n"])
async def test_broken_multipart_is_a_400(api: Api, content_type: str, body: bytes) -> None:
    """A form without a boundary, or without its end, is refused, however long."""
    reply = await api("POST", "/chats", data=body, headers={"Content-Type": content_type})
    assert (reply.status, reply.error["code"]) == (400, "bad_request")


@pytest.mark.asyncio
async def test_too_many_parts_are_a_400(api: Api, sandbox: Sandbox) -> None:
    """More files than Rack takes are refused, and none of them is kept."""
    files = tuple((f"{number}.txt", "text/plain", b"x") for number in range(129))
    reply = await api("POST", "/chats", data=form(*CHAT_FIELDS, files=files))
    assert (reply.status, sandbox.messages) == (400, [])


@pytest.mark.asyncio
async def test_a_replay_keeps_no_second_copy(api: Api, sandbox: Sandbox) -> None:
    """A repeated upload under the same key answers with the first file."""
    fields = (*CHAT_FIELDS, ("message[idempotency_key]", "one"))
    replies = [
        await api("POST", "/chats", data=form(*fields, files=(("a.txt", "text/plain", content),)))
        for content in (b"first" * 300_000, b"second" * 300_000)
    ]
    assert replies[0].body == replies[1].body
    assert sandbox.messages[0].attachments[0].read() == b"first" * 300_000


@pytest.mark.asyncio
async def test_closing_deletes_the_files() -> None:
    """After closing, an upload can no longer be read."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.base_url) as session:
        headers = {"X-LINQ-INTEGRATION-TOKEN": sandbox.token}
        data = form(*CHAT_FIELDS, files=(("a.bin", "", b"x" * 2_000_000),))
        async with session.post("/api/partner/v2/chats", data=data, headers=headers) as response:
            assert response.status == 200
    with pytest.raises(ValueError, match="closed"):
        sandbox.messages[0].attachments[0].read()


@given(
    texts=st.lists(st.tuples(st.sampled_from(["a", "m[text]", "c[]"]), st.text(st.characters(codec="utf-8")))),
    content=st.binary() | st.just(b"\r\n--bound\r\n--boundar\r\n--boundaryX--"),
    size=st.integers(1, 70),
)
def test_parts_are_read_like_werkzeug_reads_them(texts: list[tuple[str, str]], content: bytes, size: int) -> None:
    """However the bytes are cut into chunks, parts come out as another parser reads them."""
    head = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n'
    parts = [(head.format(name, "").encode(), value.encode()) for name, value in texts]
    parts.append((head.format("file", '; filename="a.bin"\r\nContent-Type: image/png').encode(), content))
    body = b"".join(b"--boundary\r\n" + part + value + b"\r\n" for part, value in parts) + b"--boundary--\r\n"
    reader = MultipartReader(b"boundary")
    seen: list[tuple[str | None, bytes]] = []
    name: str | None = None
    value = b""
    for start in range(0, len(body), size):
        for event in reader.feed(body[start : start + size]):
            if isinstance(event, PartHead):
                name, value = event.name, b""
            elif isinstance(event, PartEnd):
                seen.append((name, value))
            else:
                value += event
    builder = EnvironBuilder(
        method="POST",
        input_stream=BytesIO(body),
        content_type="multipart/form-data; boundary=boundary",
        content_length=len(body),
    )
    _, fields, files = parse_form_data(builder.get_environ())
    expected = [(name, text.encode()) for name in ("a", "m[text]", "c[]") for text in fields.getlist(name)]
    with files["file"].stream as stream:
        expected_content = stream.read()
    assert reader.done
    assert sorted(seen[:-1], key=lambda pair: pair[0] or "") == sorted(expected, key=lambda pair: pair[0])
    assert seen[-1] == ("file", expected_content)
