"""The body of a request, encoded once and written again for each attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeAlias, cast

import attrs
import orjson

from linq_async._unset import UNSET
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.outgoing import NewChat, NewMessage
from linq_async.uploads import BytesSource, Upload
from linq_async.uploads.filenames import encode_filename
from linq_async.wire.request import Request

_FILES_FIELD = "message[attachments][]"


@attrs.frozen(eq=False)
class Empty:
    """No body."""

    content_type: ClassVar[str] = ""
    size: ClassVar[int] = 0


NO_BODY = Empty()


@attrs.define(eq=False)  # not frozen: internal, and made for each call
class Json:
    """A JSON body."""

    content_type: ClassVar[str] = "application/json"
    data: bytes = attrs.field(repr=False)

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.data)


@attrs.define(eq=False)
class File:
    """An upload within a multipart body."""

    upload: Upload
    size: int | None
    index: int = 0
    """The index among the attachments."""
    most: int = 0
    """The most bytes that an attempt has read from a stream. A later attempt must not end with fewer."""


@attrs.frozen(eq=False)
class Multipart:
    """A multipart/form-data body: bytes, with files in between."""

    content_type: str
    parts: tuple[bytes | File, ...] = attrs.field(repr=False)
    size: int | None
    """The length in bytes; None if the length of a stream is unknown."""

    @property
    def replayable(self) -> bool:
        """Whether every file can be read again."""
        return all(part.upload.replayable for part in self.parts if isinstance(part, File))


Body: TypeAlias = Empty | Json | Multipart


def key_of(request: Request) -> str:
    """Return the idempotency key of a message.

    Raises:
        InvalidArgumentError: If it is missing or empty. The server would take all such messages for one.
    """
    if not request.idempotency_key:
        raise InvalidArgumentError([Problem("idempotency_key", "is missing")])
    return request.idempotency_key


def encode_plain(request: Request) -> Body | None:
    """Return the body of a request without files, or None for a message that must be multipart.

    Raises:
        InvalidArgumentError: If the key is missing, or a value cannot be encoded as JSON.
    """
    body = request.body
    if isinstance(body, NewChat) and not body.attachments:
        return new_chat_json(body, key_of(request))
    if isinstance(body, NewMessage):
        return None
    if body is None:
        return NO_BODY
    encoded = encode_json(body)
    if encoded is None:
        raise InvalidArgumentError([Problem("json", "contains something that cannot be encoded as JSON")])
    return encoded


def encode_json(value: Mapping[str, Any]) -> Json | None:
    """Return a JSON object as a body, or None if it cannot be encoded. Does not raise, because a local is the object.

    Members that are UNSET are omitted, in nested objects, too.
    """
    try:
        return Json(orjson.dumps(_without_unset(value)))
    except (TypeError, ValueError, RecursionError):
        return None


def _without_unset(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_unset(cast("Mapping[str, Any]", inner)) if isinstance(inner, Mapping) else inner
        for name, inner in value.items()
        if inner is not UNSET
    }


def new_chat_json(chat: NewChat, key: str) -> Json:
    """Return a new chat without files as JSON."""
    about: dict[str, Any] = {"phone_numbers": chat.phone_numbers}
    if chat.display_name is not None:
        about["display_name"] = chat.display_name
    message: dict[str, Any] = {"text": chat.text, "idempotency_key": key}
    if chat.attachment_urls:
        message["attachment_urls"] = chat.attachment_urls
    return Json(orjson.dumps({"send_from": chat.send_from, "chat": about, "message": message}))


def encode_multipart(message: NewMessage, key: str, sizes: Iterable[int | None], boundary: str) -> Multipart:
    """Return a message or a new chat as multipart/form-data, with field names as Rails reads them.

    Only the message endpoint documents the names. Those of a new chat are inferred from them.
    """
    texts: list[tuple[str, str]] = []
    if isinstance(message, NewChat):
        texts.append(("send_from", message.send_from))
        if message.display_name is not None:
            texts.append(("chat[display_name]", message.display_name))
        texts += [("chat[phone_numbers][]", number) for number in message.phone_numbers]
    texts += [("message[text]", message.text), ("message[idempotency_key]", key)]
    texts += [("message[attachment_urls][]", url) for url in message.attachment_urls]
    pairs = zip(message.uploads(), sizes, strict=True)
    files = [File(upload, size, index) for index, (upload, size) in enumerate(pairs)]
    return multipart(texts, files, boundary)


def multipart(texts: Iterable[tuple[str, str]], files: Iterable[File], boundary: str) -> Multipart:
    """Return text fields and files as browsers encode them: no Content-Type for text, names in UTF-8."""
    delimiter = f"--{boundary}\r\n".encode("ascii")
    run = bytearray()
    parts: list[bytes | File] = []
    for name, value in texts:
        run += delimiter + f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for file in files:
        upload, name = file.upload, encode_filename(file.upload.filename)
        head = f'Content-Disposition: form-data; name="{_FILES_FIELD}"; filename="{name}"\r\n'
        run += delimiter + f"{head}Content-Type: {upload.content_type}\r\n\r\n".encode()
        if isinstance(upload.source, BytesSource) and len(upload.source.data) < 1 << 16:
            run += upload.source.data
        else:
            parts += [bytes(run), file]
            run = bytearray()
        run += b"\r\n"
    run += f"--{boundary}--\r\n".encode("ascii")
    parts.append(bytes(run))
    return Multipart(f"multipart/form-data; boundary={boundary}", tuple(parts), _total(parts))


def _total(parts: Iterable[bytes | File]) -> int | None:
    total = 0
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part.size
        if size is None:
            return None
        total += size
    return total
