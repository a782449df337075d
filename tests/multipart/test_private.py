"""Failures show no file name, and errors from building a message no text or number."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linq_async import InvalidArgumentError, LinqError, NewChat, Upload, UploadError
from linq_async.models.outgoing import NewMessage

from .recorder import Recorder
from .sending import client

NUMBER, TEXT, NAME = "+15550137137", "canary-text-9c2d", "canary-name-5550137137.pdf"


class Blank(dict[str, Any]):
    """Arguments that print as nothing."""

    def __repr__(self) -> str:
        return "<blank>"


def shown(error: BaseException) -> str:
    """Return an error in every way that it may be printed, with the locals of all frames."""
    full = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([str(error), repr(error), *full.format()])


def leaks(text: str, *words: str) -> list[str]:
    """Return the lines that contain one of the words."""
    return [line for line in text.splitlines() if any(word.lstrip("+") in line for word in words)]


class Raising:
    """A series that raises when it is read, compared or looked at."""

    def __iter__(self) -> Iterator[str]:
        yield "+1"
        raise KeyError("x")

    def __eq__(self, other: object) -> bool:
        raise KeyError("x")

    def __hash__(self) -> int:
        return 1


class Touchy:
    """An object that raises whatever attribute is asked for."""

    def __getattr__(self, name: str) -> Any:
        raise OSError("x")

    def __eq__(self, other: object) -> bool:
        raise KeyError("x")

    def __hash__(self) -> int:
        return 1


ODD: dict[str, Callable[[], dict[str, Any]]] = {
    "phone_numbers": lambda: {"phone_numbers": Raising()},
    "phone_numbers[1]": lambda: {"phone_numbers": [NUMBER, Touchy()]},
    "attachment_urls": lambda: {"attachment_urls": Raising()},
    "attachment_urls[0]": lambda: {"attachment_urls": [Touchy()]},
    "attachments": lambda: {"attachments": Raising()},
    "attachments[0]": lambda: {"attachments": [Touchy()]},
    "text": lambda: {"text": Touchy()},
    "display_name": lambda: {"display_name": Touchy()},
    "idempotency_key": lambda: {"idempotency_key": Touchy()},
}


@pytest.mark.asyncio
@pytest.mark.parametrize("argument", ODD)
async def test_odd_arguments_are_refused_without_the_others(server: Recorder, argument: str) -> None:
    """An argument that raises when it is looked at is refused by its name, and no frame shows text or number."""
    given = Blank({"send_from": NUMBER, "phone_numbers": [NUMBER], "text": TEXT, **ODD[argument]()})
    async with client(server) as linq:
        with pytest.raises(LinqError) as caught:
            await linq.chats.create(**given)
    assert isinstance(caught.value, InvalidArgumentError)
    assert [problem.argument for problem in caught.value.problems] == [argument]
    assert leaks(shown(caught.value), NUMBER, TEXT) == []
    assert server.log == []


def test_a_message_with_odd_lists_can_be_built() -> None:
    """Building a message raises nothing; it says what is wrong when it is asked, and after it was copied, too."""
    touchy: Any = Touchy()
    message = NewMessage(text=TEXT, attachments=touchy, attachment_urls=Raising())
    copy = NewMessage(text=TEXT, attachments=message.attachments, attachment_urls=message.attachment_urls)
    assert [problem.argument for problem in message.problems()] == ["attachment_urls", "attachments"]
    assert copy.problems() == message.problems()
    assert NewChat(send_from="+1", phone_numbers=Raising(), text=TEXT).problems()[0].message == (
        "cannot be read: it raised KeyError"
    )


def test_an_upload_that_is_refused_does_not_show_its_bytes() -> None:
    """The bytes of an attachment are in no frame of the error about its name or type."""
    held = Blank(data=TEXT.encode(), filename="", content_type=TEXT + "\n")
    for given in (held, Blank({**held, "data": bytearray(held["data"])})):
        with pytest.raises(InvalidArgumentError) as caught:
            Upload.from_bytes(given["data"], filename=given["filename"])
        assert leaks(shown(caught.value), TEXT) == []


async def _broken() -> AsyncIterator[bytes]:
    yield b"bytes"
    raise KeyError


@pytest.mark.asyncio
@pytest.mark.parametrize("upload", [None, Upload.from_chunks(_broken, filename=NAME)])
async def test_no_error_shows_the_name_of_a_file(server: Recorder, tmp_path: Path, upload: Upload | None) -> None:
    """An error gives an attachment's place; its name, which may be personal, is only in ``filename``."""
    attachment = upload or tmp_path / NAME
    async with client(server) as linq:
        with pytest.raises(UploadError) as caught:
            await linq.chats.create(send_from="+1", phone_numbers=["+2"], text="x", attachments=[attachment])
    error = caught.value
    assert (error.filename, error.index) == (NAME, 0)
    assert leaks(f"{error}\n{error!r}\n{Upload.from_bytes(b'', filename=NAME)!r}", NAME) == []
