"""File names on the wire: written as browsers do, restored by Rack, and confined to their header."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.http import parse_options_header as werkzeug_options

from linq_async import InvalidArgumentError, Upload
from linq_async.uploads.filenames import MAX_FILENAME_BYTES, base_name, encode_filename, filename_problem
from linq_async.wire.body import File, Multipart, multipart

from .kinds import Workshop
from .rack import MAX_DISPOSITION, rack_filename
from .reading import RawPart, raw_parts, read_python_multipart, read_werkzeug
from .recorder import Recorder
from .sending import client, leaving_nothing, send

BOUNDARY = "linq-boundary"
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""All except TAB, which is allowed in a header and read unchanged by every parser."""
JAPANESE = "日" * 251 + ".png"

# The given name, the name on the wire, the name that Rack restores.
GOLDEN = [
    ("quote.pdf", "quote.pdf", "quote.pdf"),
    ('résumé "final".pdf', "résumé %22final%22.pdf", 'résumé "final".pdf'),
    ("日本語.png", "日本語.png", "日本語.png"),
    ("🎉 party 👩‍👧.heic", "🎉 party 👩‍👧.heic", "🎉 party 👩‍👧.heic"),
    ("50% off.jpg", "50% off.jpg", "50% off.jpg"),
    ('50% "off".jpg', "50%25 %22off%22.jpg", '50% "off".jpg'),
    ("100%", "100%", "100%"),
    ("100%25.txt", "100%2525.txt", "100%25.txt"),
    ("a%20b.txt", "a%2520b.txt", "a%20b.txt"),
    ("a%20b 5%.txt", "a%20b 5%.txt", "a%20b 5%.txt"),
    ("%2e%2e%2fpasswd", "%252e%252e%252fpasswd", "%2e%2e%2fpasswd"),
    ("../../etc/passwd", "passwd", "passwd"),
    ("C:\\dir\\f.txt", "f.txt", "f.txt"),
    ("\\\\host\\share\\dir\\f.txt", "f.txt", "f.txt"),
    ("folder/", "folder", "folder"),
    ("one\ntwo.txt", "one%0Atwo.txt", "one\ntwo.txt"),
    ("one\r\nX-Evil: 1.txt", "one%0D%0AX-Evil: 1.txt", "one\r\nX-Evil: 1.txt"),
    ("5%\n.txt", "5%25%0A.txt", "5%\n.txt"),
    ("nul\0.txt", "nul%00.txt", "nul\0.txt"),
    ("esc\x1b\x7f.txt", "esc%1B%7F.txt", "esc\x1b\x7f.txt"),
    ("tab\there.txt", "tab%09here.txt", "tab\there.txt"),
    ("a;b=c, (d) 'e' &+#.txt", "a;b=c, (d) 'e' &+#.txt", "a;b=c, (d) 'e' &+#.txt"),
    (" spaces . ", " spaces . ", " spaces . "),
    ("\u2028\x85.txt", "\u2028\x85.txt", "\u2028\x85.txt"),
    (JAPANESE, JAPANESE, JAPANESE),
    ("x" * MAX_FILENAME_BYTES, "x" * MAX_FILENAME_BYTES, "x" * MAX_FILENAME_BYTES),
]
IDS = [ascii(name)[:24] for name, _, _ in GOLDEN]


def form(name: str) -> bytes:
    """Return a body with one small file of this name."""
    upload = Upload.from_bytes(b"data", filename=name, content_type="text/plain")
    recipe: Multipart = multipart([], [File(upload, 4)], BOUNDARY)
    (body,) = recipe.parts
    assert isinstance(body, bytes)
    return body


def disposition(name: str) -> bytes:
    """Return the value of the header that carries a file name."""
    (part,) = raw_parts(form(name), f"multipart/form-data; boundary={BOUNDARY}")
    assert [key for key, _ in part.headers] == [b"Content-Disposition", b"Content-Type"]
    return part.headers[0][1]


@pytest.mark.asyncio
@pytest.mark.parametrize(("name", "wire", "rack"), GOLDEN, ids=IDS)
async def test_a_name_is_sent_as_browsers_write_it(server: Recorder, name: str, wire: str, rack: str) -> None:
    """The header of the part is exact, over real HTTP, and Rack restores the name from it."""
    async with client(server) as linq:
        await send(linq, Upload.from_bytes(b"data", filename=name, content_type="text/plain"))
    request = server.log[0]
    part: RawPart = raw_parts(request.body, request.headers["content-type"])[-1]
    value = f'form-data; name="message[attachments][]"; filename="{wire}"'.encode()
    assert part.headers == [(b"Content-Disposition", value), (b"Content-Type", b"text/plain")]
    assert part.data == b"data"
    assert rack_filename(value) == rack


@pytest.mark.asyncio
async def test_a_path_on_disk_is_named_by_its_last_part(server: Recorder, workshop: Workshop) -> None:
    """A file with a newline, a quote and a percent sign in its name is sent under its base name."""
    path = workshop.file('5% "a"\nb.txt', b"data")
    async with client(server) as linq:
        await send(linq, path)
        await send(linq, workshop.enter_context(path.open("rb")))
    for request in server.log:
        part = raw_parts(request.body, request.headers["content-type"])[-1]
        assert part.headers[0][1].endswith(b'; filename="5%25 %22a%22%0Ab.txt"')


@pytest.mark.parametrize("name", ["1:30 meeting.txt", "Q: what.pdf", "a:b", "c:", "\\\\host\\f.txt"])
def test_a_colon_is_no_folder(name: str) -> None:
    """A name keeps its colon and the last component of a path, as Rack would."""
    assert base_name(name) == name.rpartition("\\")[2]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name", ["x" * 1_301, "日" * 434, '"' * 434, "\n" * 434, "/", "..", "a/..", ".", "\\", "half \ud800.txt"]
)
async def test_a_name_that_rack_would_lose_is_refused(server: Recorder, name: str) -> None:
    """A name that is empty, or too long once it is escaped, is rejected before anything is sent."""
    async with leaving_nothing(server) as linq:
        with pytest.raises(InvalidArgumentError) as caught:
            await send(linq, Upload.from_bytes(b"data", filename=name))
    assert [problem.argument for problem in caught.value.problems] in (["attachments[0]"], ["filename"])
    assert len(str(caught.value)) < 200
    assert server.log == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("..", "has no file name after its folders are stripped"),
        ("half \ud800.txt", "has an unpaired surrogate in its name"),
        ("x" * 1_301, "has a name of 1301 bytes; the server's framework accepts at most 1300"),
        ("x" * 1_300, None),
        (".a", None),
    ],
)
def test_a_name_is_refused_with_its_reason(name: str, message: str | None) -> None:
    """Each reason to reject a name has its own message; a name of the maximum length is accepted."""
    assert filename_problem(name) == message


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1))
@example("a%20b\t.txt")
@example('%22"')
@example("%%41")
@example("%4%41")
@example("\ufeff\u202e.txt")
@example("'; filename*=utf-8''evil.txt; x=\"")
def test_any_name_stays_in_its_header(name: str) -> None:
    """Any name gives one header line with one file name, which Rack restores."""
    if filename_problem(name) is not None:
        return
    value = disposition(name)
    assert not CONTROLS.search(value.decode())
    assert len(value) <= MAX_DISPOSITION
    assert rack_filename(value) == base_name(name)
    assert set(werkzeug_options(value.decode())[1]) == {"name", "filename"}


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1))
@example("%22")
@example('5% "off" %22')
@example('a;b=c\\"d')
def test_parsers_agree_on_any_name(name: str) -> None:
    """Both parsers find the name as it is spelled; werkzeug then reads %22 as the quote that browsers mean by it."""
    if filename_problem(name) is not None:
        return
    body, content_type = form(name), f"multipart/form-data; boundary={BOUNDARY}"
    (first,), (second,) = read_python_multipart(body, content_type), read_werkzeug(body, content_type)
    spelled = encode_filename(name)
    assert first.filename == spelled
    assert second.filename == spelled.replace("%22", '"')
    assert first.data == second.data == b"data"


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*'%2Ff0"\\/é日\n\t ', "%25", "%22"]), min_size=1, max_size=12).map("".join))
def test_names_full_of_signs_survive_rack(name: str) -> None:
    """Rack restores names with any mixture of percent signs, colons and slashes."""
    if filename_problem(name) is None:
        assert rack_filename(disposition(name)) == name.replace("\\", "/").rstrip("/").rpartition("/")[2]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'form-data; name="a"; filename="a%20b.png"', "a b.png"),
        (b'form-data; name="a"; filename="50% %22off%22"', "50% %22off%22"),
        (b'form-data; name="a"; filename="r\\"x\\".txt"', 'r"x".txt'),
        (b'form-data; name="a"; filename="C:\\dir\\f.txt"', "f.txt"),
        (b'form-data; name="a"; filename=plain.txt', "plain.txt"),
        (b'form-data; name="a"; filename="\xff.txt"', "\ufffd.txt"),
        (b'form-data; name="a"', None),
        (b'form-data; name="a"; filename="' + b"x" * 1_600 + b'"', None),
    ],
)
def test_the_model_of_rack_reads_as_rack_does(value: bytes, name: str | None) -> None:
    """The model agrees with recorded results of Rack itself."""
    assert rack_filename(value) == name
