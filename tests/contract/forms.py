"""Bracketed forms, and query strings, as flat names and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from python_multipart.exceptions import ParseError

from tests.multipart.reading import Part, read_python_multipart

from .document import Contract, bare, is_array


class UnreadableError(ValueError):
    """The body is not what its Content-Type says."""


def read_form(body: bytes, content_type: str) -> list[Part]:
    """Cut a multipart body into its parts."""
    boundary = content_type.partition("boundary=")[2].partition(";")[0].strip('"')
    if not boundary or not body.rstrip(b"\r\n").endswith(f"--{boundary}--".encode()):
        raise UnreadableError("the body does not end with its boundary")
    try:
        return read_python_multipart(body, content_type)
    except (ParseError, KeyError, UnicodeDecodeError) as error:
        raise UnreadableError(f"the multipart body cannot be read: {type(error).__name__}: {error}") from error


def flat_form(contract: Contract, schema: str, parts: list[Part]) -> dict[str, Any]:
    """Give the parts as one object for the schema; a part of the wrong sort becomes a value that no schema takes."""
    kinds = contract.kinds_of(schema)
    return gather(((part.name, _value(part, kinds.get(part.name, "Text"))) for part in parts), kinds)


def _value(part: Part, kind: str) -> object:
    if (bare(kind) == "File") != (part.filename is not None):
        return {"file": part.filename}
    if part.filename is not None:
        return part.filename
    try:
        return part.data.decode()
    except UnicodeDecodeError:
        return {"not UTF-8": part.data.hex()}


def gather(pairs: Iterable[tuple[str, object]], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Put pairs into one object; an array for a name that is an array, or that comes twice."""
    found: dict[str, list[object]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {
        name: values if is_array(kinds.get(name, "")) or len(values) > 1 else values[0]
        for name, values in found.items()
    }


def typed(contract: Contract, kind: str, text: str) -> object:
    """Read the text of a query by its type; what cannot be read stays a text, which the schema then refuses."""
    if contract.plain(kind).get("type") == "integer" and text.isascii() and text.isdigit():
        return int(text)
    return text
