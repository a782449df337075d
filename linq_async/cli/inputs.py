"""What ``linq-async send`` reads from files and from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from linq_async.cli.commands import MissingOptionsError
from linq_async.cli.render import show

SEND_FROM_VARIABLE = "LINQ_SEND_FROM"

_MAX_BYTES = 1 << 20


def require(present: dict[str, bool]) -> None:
    """Raise an error that names all options that are missing."""
    missing = [option for option, is_present in present.items() if not is_present]
    if missing:
        raise MissingOptionsError(*missing)


def check_required(send_from: str | None, to: list[str] | None, to_file: Path | None, text: str | None) -> None:
    """Raise an error that names all missing options, or if two options read standard input."""
    require(
        {
            f"--from (or {SEND_FROM_VARIABLE})": send_from is not None,
            "--to (or --to-file)": bool(to or to_file is not None),
            "--text": text is not None,
        }
    )
    if text == "-" and str(to_file) == "-":
        raise typer.BadParameter("--text and --to-file cannot both read standard input")


def read_recipients(to: list[str] | None, to_file: Path | None) -> list[str]:
    """Return the recipients given by --to, and those in the file, one per line. Blank lines are ignored."""
    if to_file is None:
        return list(to or ())
    lines = _read_stdin("recipients, one per line") if str(to_file) == "-" else _read_file(to_file)
    found = [line.strip() for line in lines.splitlines() if line.strip()]
    if not found:
        raise typer.BadParameter("--to-file contains no recipient")
    return [*(to or ()), *found]


def read_text(text: str) -> str:
    """Return the text. If it is "-", read standard input, without its last line break."""
    return _read_stdin("message").removesuffix("\n") if text == "-" else text


def _read_stdin(what: str) -> str:
    if sys.stdin.isatty():
        keys = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        show(f"Type the {what}; end with {keys} on a line of its own.", err=True)
    try:
        text = sys.stdin.read(_MAX_BYTES + 1)
    except ValueError:
        raise typer.BadParameter("standard input is not valid text") from None
    if len(text) > _MAX_BYTES:
        raise typer.BadParameter("standard input is larger than 1 MiB")
    return text


def _read_file(path: Path) -> str:
    reason = None
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) <= _MAX_BYTES:
            return data.decode("utf-8-sig")
        reason = "it is larger than 1 MiB"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is not valid UTF-8"
    raise typer.BadParameter(f"--to-file cannot be used: {reason}")
