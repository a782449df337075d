"""Turn JSON, forms and query strings into nested parameters, as Rack and Rails do."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import cast
from urllib.parse import parse_qsl

import attrs

from .answers import malformed, storage_full, too_large
from .files import UploadedFile
from .limits import Limits, Storage, StorageFullError
from .multipart import MultipartError, MultipartReader, PartEnd, PartHead, boundary_of

Params = dict[str, object]

MAX_PARTS = 4096
MAX_FILES = 128
MAX_DEPTH = 32
# A body of empty lists becomes a hundred times its size, and takes the garbage collector seconds.
MAX_CONTAINERS = 50_000
NAME = re.compile(r"[\[\]]*([^\[\]]+)\]*")
CHILD_OF_LIST = re.compile(r"\[\]\[([^\[\]]+)\]|\[\](.+)", re.DOTALL)


@attrs.define
class Form:
    """The parameters of one body, its files, and how many bytes it had."""

    limits: Limits
    storage: Storage
    params: Params = attrs.Factory(Params)
    files: list[UploadedFile] = attrs.Factory(list[UploadedFile])
    size: int = 0

    def drop_files(self) -> None:
        """Close the files that no message kept."""
        for file in self.files:
            if not file.kept:
                file.close()


async def read_form(form: Form, content_type: str, chunks: AsyncIterator[bytes]) -> None:
    """Read a body of any kind into the form; what is no known kind gives no parameters.

    Raises RefusalError as soon as it is clear that the body is refused: the rest is left unread.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        await _read_multipart(form, content_type, chunks)
        return
    body = await _read_text(form, chunks)
    if kind == "application/json" and body.strip():
        form.params = params_of_json(body)
    elif kind == "application/x-www-form-urlencoded":
        form.params = params_of_pairs(pairs_of(body))


async def _read_text(form: Form, chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        form.size += len(chunk)
        if form.size > form.limits.text_bytes:
            raise too_large(f"A body without files must not be over {form.limits.text_bytes} bytes")
        body += chunk
    return bytes(body)


def params_of_json(body: bytes) -> Params:
    """Read a JSON object; any other JSON value holds no parameters."""
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise malformed("The body has too many arrays and objects")
    try:
        value: object = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed("The body is not valid JSON") from None
    return cast("Params", value) if isinstance(value, dict) else {}


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def pairs_of(encoded: bytes | str) -> list[tuple[str, str]]:
    """Split a query string or a form into its pairs."""
    text = encoded.decode("utf-8", "replace") if isinstance(encoded, bytes) else encoded
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARTS)
    except ValueError:
        raise malformed("Too many parameters") from None


def params_of_pairs(pairs: Iterable[tuple[str, object]]) -> Params:
    """Nest names such as `chat[phone_numbers][]`."""
    params: Params = {}
    for name, value in pairs:
        _put(params, name, value, MAX_DEPTH)
    return params


def _put(params: Params, name: str, value: object, depth: int) -> None:
    """Store a value under a bracketed name, by the rules of Rack."""
    found = NAME.match(name)
    if found is None:
        return
    if depth <= 0:
        raise malformed("Parameters are nested too deeply")
    key, rest = found[1], name[found.end() :]
    if rest in ("", "["):
        params[key + rest] = value
    elif rest == "[]":
        _list_in(params, key).append(value)
    elif child := CHILD_OF_LIST.fullmatch(rest):
        _put_in_last(_list_in(params, key), child[1] or child[2], value, depth)
    else:
        _put(_params_in(params, key), rest, value, depth - 1)


def _put_in_last(items: list[object], name: str, value: object, depth: int) -> None:
    last = items[-1] if items else None
    # A name that the last object holds already starts the next object.
    if not isinstance(last, dict) or name in last:
        last = Params()
        items.append(last)
    _put(cast("Params", last), name, value, depth - 1)


def _list_in(params: Params, key: str) -> list[object]:
    value = params.setdefault(key, list[object]())
    if not isinstance(value, list):
        raise malformed(f"Expected an array in {key}")
    return cast("list[object]", value)


def _params_in(params: Params, key: str) -> Params:
    value = params.setdefault(key, Params())
    if not isinstance(value, dict):
        raise malformed(f"Expected an object in {key}")
    return cast("Params", value)


async def _read_multipart(form: Form, content_type: str, chunks: AsyncIterator[bytes]) -> None:
    pairs = _PartCollector(form)
    try:
        reader = MultipartReader(boundary_of(content_type))
        async for chunk in chunks:
            form.size += len(chunk)
            if form.size > form.limits.body_bytes:
                raise too_large(f"The body must not be over {form.limits.body_bytes} bytes")
            pairs.take(reader, chunk)
    except MultipartError as error:
        raise malformed(str(error)) from None
    except StorageFullError as error:
        raise storage_full(error) from None
    if not reader.done:
        raise malformed("The multipart body ends too early")
    form.params = params_of_pairs(pairs.pairs)


class _PartCollector:
    """Gathers the parts of one form: text as strings, files as uploads."""

    def __init__(self, form: Form) -> None:
        self.pairs: list[tuple[str, object]] = []
        self._form = form
        self._text = bytearray()
        self._text_size = 0
        self._parts = 0
        self._head = PartHead(None, None, None)
        self._file: UploadedFile | None = None

    def take(self, reader: MultipartReader, chunk: bytes) -> None:
        for event in reader.feed(chunk):
            if isinstance(event, PartHead):
                self._open(event)
            elif isinstance(event, PartEnd):
                self._close()
            else:
                self._write(event)

    def _open(self, head: PartHead) -> None:
        self._head, self._text, self._file = head, bytearray(), None
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MultipartError("too many parts")
        self._count_text(len(head.name or "") + len(head.filename or ""))
        # Rack drops a part whose file name is empty: no file was chosen.
        if head.name and head.filename:
            if len(self._form.files) >= MAX_FILES:
                raise MultipartError("too many files")
            self._file = UploadedFile(head.filename, head.content_type, self._form.storage)
            self._form.files.append(self._file)

    def _write(self, data: bytes) -> None:
        if self._file is not None:
            if self._file.size + len(data) > self._form.limits.file_bytes:
                raise too_large(f"A file must not be over {self._form.limits.file_bytes} bytes")
            self._file.write(data)
        elif self._head.name and self._head.filename is None:
            self._count_text(len(data))
            self._text += data

    def _count_text(self, size: int) -> None:
        self._text_size += size
        if self._text_size > self._form.limits.text_bytes:
            raise too_large(f"The text of a form must not be over {self._form.limits.text_bytes} bytes")

    def _close(self) -> None:
        if not self._head.name or self._head.filename == "":
            return
        self.pairs.append((self._head.name, self._file or _text_of(self._head.name, self._text)))


def _text_of(name: str, data: bytearray) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise MultipartError(f"{name} is not valid UTF-8") from None
