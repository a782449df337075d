"""Output to a terminal or a pipe: no markup, no control characters, no token."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, cast

import typer

from linq_async.attempts import Attempt

_LABELS = {
    "ConnectionLostError": "lost",
    "RequestTimeoutError": "timed out",
    "ConnectError": "no connection",
    "UploadError": "unreadable file",
    "CancelledError": "interrupted",
}
_MIN_SECRET_LENGTH = 6


def printable(value: object) -> str:
    """Return a value as text, with everything escaped that could control the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(value))


def reworded(message: str) -> str:
    """Replace the client's arguments in a message by the options of the command."""
    return message.replace("pass token=", "pass --token-file").replace(", or pass allow_http=True", "")


def redact(value: Any, token: str | None) -> Any:
    """Return a JSON value without the token, which a server may echo."""
    if token is None or len(token) < _MIN_SECRET_LENGTH:  # a test token such as "t" occurs in any text
        return value
    if isinstance(value, str):
        return value.replace(token, "<token>")
    if isinstance(value, list):
        return [redact(item, token) for item in cast("list[Any]", value)]  # type: ignore[redundant-cast]
    if isinstance(value, dict):
        return {name: redact(item, token) for name, item in cast("dict[str, Any]", value).items()}
    return value


def show(line: str = "", *, err: bool = False) -> None:
    """Write one line, and flush it."""
    typer.echo(line, err=err)


def show_json(value: dict[str, Any], *, indent: int | None = 2) -> None:
    """Write one JSON object to standard output, in ASCII, which any terminal can encode."""
    typer.echo(json.dumps(value, indent=indent))


def discard_unwritable() -> None:
    """Discard what standard output or standard error cannot take. The interpreter flushes both again at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_error(error: OSError) -> str:
    """Return the line that says why the output cannot be written."""
    return f"cannot write the output: {error.strerror or type(error).__name__}"


def aligned(pairs: list[tuple[str, object]]) -> list[str]:
    """Return one line per pair of name and value, in two columns. A value of None is left out."""
    return [f"  {name:<12}{printable(value)}" for name, value in pairs if value is not None]


def describe_attempt(record: Attempt) -> str:
    """Return the result of one attempt, as a status or a short label."""
    if record.error is None or record.error not in _LABELS:
        return str(record.status or record.error or "in progress")
    label = _LABELS[record.error]
    return label if record.status is None else f"{record.status}, {label}"
