"""Messages as dicts, for a journal or a queue."""

from __future__ import annotations

import io
import json
import traceback
from collections import UserDict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_async import InvalidArgumentError, NewChat, NewMessage, Upload
from linq_async.models.outgoing import DerivedKey

WORDS = st.text(min_size=1).filter(lambda text: text.isprintable())
NAMES = st.from_regex(r"[a-zß 🎂%-]{1,20}\.(png|pdf|heic|xyz)", fullmatch=True)
FOLDERS = st.sampled_from(["", "/srv/files/", "./a//b/", "../", "Grüße/"])


def _path(folder: str, name: str) -> Path:
    return Path(folder + name)


PATHS = st.builds(
    Upload.from_path,
    st.builds(_path, FOLDERS, NAMES),
    filename=st.none() | NAMES,
    content_type=st.sampled_from([None, "image/png", "text/plain; charset=utf-8"]),
)
MESSAGE = {
    "text": WORDS,
    "attachments": st.lists(PATHS, max_size=3),
    "attachment_urls": st.lists(st.sampled_from(["https://example.com/a.pdf", "http://example.org/%C3%BC"])),
    "idempotency_key": st.none() | st.from_regex(r"[a-zA-Z0-9_-]{1,30}", fullmatch=True),
}
CHAT = {
    **MESSAGE,
    "send_from": WORDS,
    "phone_numbers": st.lists(WORDS, min_size=1),
    "display_name": st.none() | WORDS,
}
MESSAGES = st.builds(NewMessage, **MESSAGE) | st.builds(NewChat, **CHAT)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
PLAIN: dict[str, Any] = {
    "text": "Hi",
    "attachments": [{"path": "/srv/a.pdf", "filename": "a.pdf", "content_type": "application/pdf"}],
    "attachment_urls": ["https://example.com/b.pdf"],
    "idempotency_key": "key-1",
    "send_from": "+15175269229",
    "phone_numbers": ["+13343284472"],
    "display_name": None,
}


def refusal(data: Any, kind: type[NewMessage] = NewChat) -> list[str]:
    """Return why a dict is refused, problem by problem."""
    with pytest.raises(InvalidArgumentError) as caught:
        kind.from_dict(data)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.slow
@given(message=MESSAGES)
def test_a_message_survives_json(message: NewMessage) -> None:
    """A message that was written as JSON and read again, by either encoder, equals the original."""
    data = message.to_dict()
    assert type(message).from_dict(json.loads(json.dumps(data))) == message
    assert type(message).from_dict(orjson.loads(orjson.dumps(data))) == message


def test_the_dict_of_a_chat() -> None:
    """Keys are the names of the fields, paths are text, and lists are lists."""
    chat = NewChat(
        send_from="+15175269229",
        phone_numbers=("+13343284472",),
        text="Hi",
        attachments=[Path("/srv/a.pdf")],
        attachment_urls=("https://example.com/b.pdf",),
        idempotency_key="key-1",
    )
    assert chat.to_dict() == PLAIN
    assert NewChat.from_dict(PLAIN) == chat
    assert all(type(chat.to_dict()[name]) is list for name in ("phone_numbers", "attachments", "attachment_urls"))


def test_optional_keys_may_be_missing() -> None:
    """A dict needs only the fields that have no default, and of an attachment only its path."""
    message = NewMessage.from_dict({"text": "Hi", "attachments": [{"path": "a.pdf"}]})
    assert message == NewMessage(text="Hi", attachments=[Path("a.pdf")])
    assert refusal({}) == ["text is required", "send_from is required", "phone_numbers is required"]


async def _chunks() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize("kind", ["bytes", "buffer", "file", "stream"])
def test_only_paths_can_be_stored(kind: str, tmp_path: Path) -> None:
    """An attachment in memory, an open file or a stream is refused by its place in the list."""
    path = tmp_path / "b.bin"
    path.write_bytes(b"x")
    with path.open("rb") as file:
        upload = {
            "bytes": lambda: Upload.from_bytes(b"x", filename="b.bin"),
            "buffer": lambda: Upload.from_file(io.BytesIO(b"x"), filename="b.bin"),
            "file": lambda: Upload.from_file(file),
            "stream": lambda: Upload.from_chunks(_chunks, filename="b.bin"),
        }[kind]()
        message = NewMessage(text="Hi", attachments=[path, upload, upload])
        with pytest.raises(InvalidArgumentError) as caught:
            message.to_dict()
    reason = "cannot be stored: only an attachment that is a path can"
    assert [str(problem) for problem in caught.value.problems] == [
        f"attachments[1] {reason}",
        f"attachments[2] {reason}",
    ]


def test_a_path_that_is_not_text_cannot_be_stored() -> None:
    """A path with undecodable bytes has no JSON form, even if the attachment has another name."""
    message = NewMessage(text="Hi", attachments=[Upload.from_path(Path("/srv/\udcff/a.png"))])
    with pytest.raises(InvalidArgumentError, match=r"attachments\[0\] cannot be stored: its path contains bytes"):
        message.to_dict()
    assert refusal({**PLAIN, "attachments": [{"path": "/srv/\udcff/a.png"}]}) == [
        "attachments[0].path contains an unpaired surrogate"
    ]


def test_a_message_that_cannot_be_sent_cannot_be_stored() -> None:
    """What a send would refuse is refused when the message is stored, not when it is read again."""
    wrong: Any = 5
    with pytest.raises(InvalidArgumentError, match="text must not be empty; idempotency_key must be one or more"):
        NewMessage(text="", idempotency_key="a b").to_dict()
    with pytest.raises(InvalidArgumentError, match="attachments must be a list, not int"):
        NewMessage(text="Hi", attachments=wrong).to_dict()


def test_a_derived_key_is_stored_as_text() -> None:
    """The key of a bot's reply is stored like any other."""
    data = NewMessage(text="Hi", idempotency_key=DerivedKey("event-1")).to_dict()
    assert json.loads(json.dumps(data))["idempotency_key"] == "event-1"
    assert NewMessage.from_dict(data).idempotency_key == "event-1"


WRONG: list[tuple[dict[Any, Any], list[str]]] = [
    ({"emial": 1, "x.y[]": 2}, ["emial is not a known key", "x.y[] is not a known key"]),
    ({"+13343284472": 1}, ["data has an unknown key"]),
    ({5: 1, None: 2}, ["data has an unknown key", "data has an unknown key"]),
    ({"text": 5}, ["text must be a str, not int"]),
    ({"text": None, "emial": 1}, ["emial is not a known key", "text must be a str, not NoneType"]),
    ({"send_from": ""}, ["send_from must not be empty"]),
    ({"phone_numbers": "+13343284472"}, ["phone_numbers must be a list, not str"]),
    ({"phone_numbers": {"+13343284472": 1}}, ["phone_numbers must be a list, not dict"]),
    ({"phone_numbers": []}, ["phone_numbers must not be empty"]),
    ({"phone_numbers": ["a", 5]}, ["phone_numbers[1] must be a str, not int"]),
    ({"display_name": ["a"]}, ["display_name must be a str, not list"]),
    ({"idempotency_key": "a b"}, ["idempotency_key must be one or more letters, digits, '-' or '_'"]),
    ({"attachment_urls": None}, ["attachment_urls must be a list, not NoneType"]),
    ({"attachment_urls": ["file:///etc/passwd"]}, ["attachment_urls[0] must be an http or https URL"]),
    ({"attachments": {}}, ["attachments must be a list, not dict"]),
    ({"attachments": ["a.png"]}, ["attachments[0] must be a dict, not str"]),
    ({"attachments": [{}]}, ["attachments[0].path is required"]),
    ({"attachments": [{"path": "a", "size": 1}]}, ["attachments[0].size is not a known key"]),
    ({"attachments": [{"path": "a", "+1334": 1}]}, ["attachments[0] has an unknown key"]),
    ({"attachments": [{"path": None}]}, ["attachments[0].path must be a str, not NoneType"]),
    ({"attachments": [{"path": ""}]}, ["attachments[0].path must not be empty"]),
    ({"attachments": [{"path": "/"}]}, ["attachments[0].filename must be a non-empty str"]),
    ({"attachments": [{"path": "a", "filename": 5}]}, ["attachments[0].filename must be a str, not int"]),
    (
        {"attachments": [{"path": "a", "content_type": "x"}]},
        ["attachments[0].content_type must look like image/png"],
    ),
    ({"attachments": [{"path": "a"}, 5]}, ["attachments[1] must be a dict, not int"]),
]


@pytest.mark.parametrize(("change", "problems"), WRONG)
def test_a_wrong_dict_is_refused_by_its_keys(change: dict[Any, Any], problems: list[str]) -> None:
    """Unknown keys, missing keys and wrong values are refused with the name of the key, and all of them at once."""
    assert refusal({**PLAIN, **change}) == problems


def test_a_chat_is_not_a_message() -> None:
    """The dict of a NewChat is not read as a NewMessage, which would drop its recipients."""
    assert refusal(PLAIN, NewMessage) == [
        f"{name} is not a known key" for name in ("send_from", "phone_numbers", "display_name")
    ]


class _Broken(UserDict[str, Any]):
    def __iter__(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize("data", [None, 5, "text", [], [("text", "Hi")], _Broken(text="Hi")])
def test_what_is_not_a_dict_is_refused(data: Any) -> None:
    """Anything that is not a mapping, or cannot be read, is an InvalidArgumentError."""
    (problem,) = refusal(data, NewMessage)
    assert problem.startswith(("data must be a dict, not ", "data cannot be read: it raised ZeroDivisionError"))


def _changed(key: str, value: object) -> dict[str, Any]:
    return {**PLAIN, key: value}


@given(data=JSON | st.builds(_changed, st.sampled_from(list(PLAIN)), JSON))
def test_no_json_value_raises_anything_else(data: Any) -> None:
    """Any JSON value, also one in place of a field, gives a sendable message or an InvalidArgumentError."""
    for kind in (NewMessage, NewChat):
        try:
            message = kind.from_dict(data)
        except InvalidArgumentError:
            continue
        assert message.problems() == []
        assert kind.from_dict(message.to_dict()) == message


def test_a_refused_dict_shows_no_value() -> None:
    """Neither the error nor the local variables of its traceback contain a text, a number or a path."""
    data = {**PLAIN, "text": "canary-text", "phone_numbers": ["+15550137137"], "canary-key": 1}
    data["attachments"] = [{"path": "/canary/a.png", "canary-name": "canary-value"}, "canary-entry"]
    with pytest.raises(InvalidArgumentError) as caught:
        NewChat.from_dict(data)
    trace = caught.tb.tb_next  # without the frame of this test
    full = traceback.TracebackException(type(caught.value), caught.value, trace, capture_locals=True)
    shown = "".join([str(caught.value), repr(caught.value), *full.format()])
    assert "from_dict" in shown
    assert [word for word in ("canary", "5550137137") if word in shown] == []
