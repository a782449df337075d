"""What the send command reads from files, from standard input and from the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from linq_async.cli.commands import MissingOptionsError
from linq_async.cli.render import show

SEND_FROM_VARIABLE = "LINQ_SEND_FROM"

_MOST_BYTES = 1 << 20


def check_given(send_from: str | None, to: list[str] | None, to_file: Path | None, text: str | None) -> None:
    """Raise for all options that are missing, and for two that both read standard input."""
    given = {
        f"--from (or {SEND_FROM_VARIABLE})": send_from is not None,
        "--to (or --to-file)": bool(to or to_file is not None),
        "--text": text is not None,
    }
    missing = [option for option, is_given in given.items() if not is_given]
    if missing:
        raise MissingOptionsError(*missing)
    if text == "-" and str(to_file) == "-":
        raise typer.BadParameter("--text and --to-file cannot both read standard input")


def recipients(to: list[str] | None, to_file: Path | None) -> list[str]:
    """Return the recipients of --to and those of the file, one a line. Blank lines are left out."""
    if to_file is None:
        return list(to or ())
    lines = _standard_input("recipients, one a line") if str(to_file) == "-" else _content(to_file)
    found = [line.strip() for line in lines.splitlines() if line.strip()]
    if not found:
        raise typer.BadParameter("--to-file names no recipient")
    return [*(to or ()), *found]


def message_text(text: str) -> str:
    """Return the text, or standard input without its last line end for "-"."""
    return _standard_input("message").removesuffix("\n") if text == "-" else text


def _standard_input(what: str) -> str:
    if sys.stdin.isatty():
        show(f"Type the {what}; end with {_end_of_input()} on a line of its own.", err=True)
    try:
        return sys.stdin.read()
    except ValueError:
        raise typer.BadParameter("standard input is not text") from None


def _end_of_input() -> str:
    return "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"


def _content(path: Path) -> str:
    reason = None
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) <= _MOST_BYTES:
            return data.decode("utf-8-sig")
        reason = "it is larger than 1 MiB"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is not text"
    raise typer.BadParameter(f"--to-file cannot be used: {reason}")
