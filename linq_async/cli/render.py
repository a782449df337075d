"""How values are written to a terminal: no markup, no control characters, no token."""

from __future__ import annotations

import json
from typing import Any, cast

import typer

from linq_async.attempts import Attempt

_LOST = {
    "ConnectionLostError": "lost",
    "RequestTimeoutError": "timed out",
    "ConnectError": "no connection",
    "UploadError": "unreadable file",
    "CancelledError": "interrupted",
}
_SHORTEST_SECRET = 6


def plain(value: object) -> str:
    """Spell a value so that it can neither move the cursor nor colour the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(value))


def reworded(message: str) -> str:
    """Name what a command takes where the client's message names an argument of its own."""
    return message.replace("pass token=", "pass --token-file").replace(", or pass allow_http=True", "")


def hidden(value: Any, token: str | None) -> Any:
    """Return a JSON value without the token, which a server may have echoed."""
    if token is None or len(token) < _SHORTEST_SECRET:  # a toy token such as "t" would be found everywhere
        return value
    if isinstance(value, str):
        return value.replace(token, "<token>")
    if isinstance(value, list):
        return [hidden(item, token) for item in cast("list[Any]", value)]  # type: ignore[redundant-cast]
    if isinstance(value, dict):
        return {name: hidden(item, token) for name, item in cast("dict[str, Any]", value).items()}
    return value


def show(line: str = "", *, err: bool = False) -> None:
    """Write one line, at once: whoever reads a pipe sees it now."""
    typer.echo(line, err=err)


def show_json(value: dict[str, Any]) -> None:
    """Write one JSON object to standard output, in ASCII, for no terminal's encoding is sure."""
    typer.echo(json.dumps(value, indent=2))


def facts(pairs: list[tuple[str, object]]) -> list[str]:
    """Set names and values in two columns, leaving out what is not known."""
    return [f"  {name:<12}{plain(value)}" for name, value in pairs if value is not None]


def result_of(record: Attempt) -> str:
    """Name how one attempt ended, in a word or a status."""
    if record.error is None or record.error not in _LOST:
        return str(record.status or record.error or "under way")
    word = _LOST[record.error]
    return word if record.status is None else f"{record.status}, {word}"
