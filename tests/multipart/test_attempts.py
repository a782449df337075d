"""Each kind of upload arrives whole on every attempt, read by two parsers."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from linq_async import ConnectError, ConnectionLostError, LinqError, Outcome, ServerError, Upload
from tests.support.script import Behaviour
from tests.support.store import Seen

from .kinds import BIG, KINDS, SMALL, Given, Workshop, factory
from .reading import READERS, Part
from .recorder import BUSY, RESET, Recorder
from .sending import KEY, RECIPIENT, SENDER, client, leaving_nothing, send

TEXT = 'Grüße 🎉, "quoted" \\ 50% %41\nsecond line\r\n\r\n--linq-\r\nContent-Type: text/html; last\t'
NAME = '日本 "chat"\n%22'
URLS = ["https://example.com/menu.pdf?a=1&b=%20", "https://example.com/2.jpg"]
NUMBERS = [RECIPIENT, "2223334444", "someone@example.com"]
FIELDS = {"text": TEXT, "display_name": NAME, "phone_numbers": NUMBERS, "attachment_urls": URLS}
TEXT_PARTS = [
    ("send_from", SENDER),
    ("chat[display_name]", NAME),
    *(("chat[phone_numbers][]", number) for number in NUMBERS),
    ("message[text]", TEXT),
    ("message[idempotency_key]", KEY),
    *(("message[attachment_urls][]", url) for url in URLS),
]
EXTRA = Upload.from_bytes(SMALL, filename="last.png")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _facts(part: Part) -> tuple[str, str | None, str | None, str]:
    return part.name, part.filename, part.content_type, _digest(part.data)


def expected(*files: Given) -> list[tuple[str, str | None, str | None, str]]:
    """Return name, file name, type and digest of every part, in order."""
    texts: list[tuple[str, str | None, str | None, str]] = [
        (name, None, None, _digest(value.encode())) for name, value in TEXT_PARTS
    ]
    field = "message[attachments][]"
    return texts + [(field, file.filename, file.content_type, _digest(file.data)) for file in files]


def assert_arrived(request: Seen, *files: Given) -> None:
    """Assert that both parsers find exactly these parts."""
    for read in READERS.values():
        assert [_facts(part) for part in read(request.body, request.headers["content-type"])] == expected(*files)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_attempts_one_and_two_carry_what_went_in(server: Recorder, workshop: Workshop, kind: str) -> None:
    """After a 503 both attempts have the same bytes, and all parts."""
    given = KINDS[kind](workshop)
    server.script[:] = [BUSY]
    async with client(server) as linq:
        chat = await send(linq, given.attachment, EXTRA, **FIELDS)
    assert chat.attempts == 2
    first, second = server.log
    extra = Given(EXTRA, SMALL, "last.png", "image/png")
    assert_arrived(first, given, extra)
    assert (second.body, second.headers) == (first.body, first.headers)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_an_upload_restarts_after_a_reset(server: Recorder, workshop: Workshop, kind: str) -> None:
    """After two resets in the middle of the body, the third attempt carries all of it."""
    given = KINDS[kind](workshop)
    server.script[:] = [RESET, RESET]
    async with client(server) as linq:
        chat = await send(linq, given.attachment, **FIELDS)
    assert chat.attempts == len(server.log) == 3
    assert_arrived(server.log[2], given)


@pytest.mark.asyncio
async def test_one_upload_serves_many_sends(server: Recorder, workshop: Workshop) -> None:
    """An Upload of every replayable kind is sent a second time, in one message with all the others."""
    givens = [make(workshop) for make in KINDS.values()]
    async with client(server) as linq:
        for _ in range(2):
            await send(linq, *(given.attachment for given in givens), **FIELDS)
    boundaries = [request.headers["content-type"].rpartition("=")[2].encode() for request in server.log]
    assert server.log[0].body == server.log[1].body.replace(boundaries[1], boundaries[0])
    assert_arrived(server.log[1], *givens)


def one_shot(size: int | None = None) -> Upload:
    """Return an upload whose stream can be read only once."""
    return Upload.from_chunks(factory(BIG)(), filename="voice.caf", size=size)


class Countdown:
    """An async iterator that is not a generator and has no ``aclose``."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = list(chunks)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop(0)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [None, len(BIG)])
async def test_a_one_shot_stream_arrives(server: Recorder, size: int | None) -> None:
    """A one-shot stream arrives whole, with a length if its size was declared."""
    async with client(server) as linq:
        chat = await send(linq, one_shot(size), **FIELDS)
    assert chat.attempts == 1
    assert_arrived(server.log[0], Given(EXTRA, BIG, "voice.caf", "audio/x-caf"))
    assert server.log[0].chunked == (size is None)


@pytest.mark.asyncio
async def test_a_plain_iterator_arrives(server: Recorder) -> None:
    """An async iterator need not be a generator; memoryviews, bytearrays and empty chunks are accepted."""
    chunks = Countdown(b"", b"one ", bytearray(b"two "), memoryview(b"three"), b"")  # type: ignore[arg-type]
    async with client(server) as linq:
        await send(linq, Upload.from_chunks(chunks, filename="a.txt"), **FIELDS)
    assert_arrived(server.log[0], Given(EXTRA, b"one two three", "a.txt", "text/plain"))


@pytest.mark.asyncio
@pytest.mark.parametrize(("step", "kind"), [(BUSY, ServerError), (RESET, ConnectionLostError)])
async def test_a_one_shot_stream_gets_one_attempt(server: Recorder, step: Behaviour, kind: type[LinqError]) -> None:
    """A one-shot stream is sent once, and the error explains why it was not retried."""
    server.script[:] = [step]
    async with leaving_nothing(server) as linq:
        with pytest.raises(kind, match="not retried: an attachment can be read only once") as caught:
            await send(linq, one_shot())
    assert (caught.value.attempts, caught.value.outcome, len(server.log)) == (1, Outcome.UNKNOWN, 1)


@pytest.mark.asyncio
async def test_a_one_shot_stream_waits_for_a_connection(server: Recorder) -> None:
    """A stream is retried, and can be sent later, as long as no connection was made."""
    upload = one_shot()
    await server.stop_listening()
    async with client(server) as linq:
        with pytest.raises(ConnectError) as caught:
            await send(linq, upload)
    assert (caught.value.attempts, caught.value.outcome) == (4, Outcome.NOT_SENT)
    assert "only once" not in str(caught.value)
    async with Recorder() as another, client(another) as linq:
        await send(linq, upload, **FIELDS)
    assert_arrived(another.log[0], Given(EXTRA, BIG, "voice.caf", "audio/x-caf"))
