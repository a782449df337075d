"""linq_async/uploads: sizes, and what the constructors and sources reject."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest

from linq_async import InvalidArgumentError, Upload
from linq_async.uploads import ChunkSource, SourceError
from linq_async.wire.body import key_of
from linq_async.wire.request import Request


async def _chunks() -> AsyncIterator[bytes]:
    yield b"data"


def test_only_streams_have_a_declared_size() -> None:
    """``size`` is the declared size of a stream, and None for other sources."""
    assert Upload.from_chunks(_chunks, filename="a.txt", size=4).size == 4
    assert Upload.from_chunks(_chunks, filename="a.txt").size is None
    assert Upload.from_bytes(b"data", filename="a.txt").size is None


def test_file_with_an_invalid_media_type_is_rejected() -> None:
    """``from_file`` rejects an invalid media type by the name of the argument."""
    with pytest.raises(InvalidArgumentError) as caught:
        Upload.from_file(io.BytesIO(b"x"), filename="a.txt", content_type="text\n")
    assert [problem.argument for problem in caught.value.problems] == ["content_type"]


def test_one_shot_stream_is_opened_once() -> None:
    """A second attempt to open a one-shot stream is an error, not an empty stream."""
    source = ChunkSource(None, _chunks(), None)
    source.open()
    with pytest.raises(SourceError):
        source.open()
    with pytest.raises(SourceError):
        source.measure()


@pytest.mark.parametrize("key", [None, ""])
def test_message_without_a_key_is_not_encoded(key: str | None) -> None:
    """A message without a key is rejected: the server would take all such messages for one."""
    with pytest.raises(InvalidArgumentError, match="idempotency_key"):
        key_of(Request(operation="chats.create", method="POST", path="/chats", idempotency_key=key))
