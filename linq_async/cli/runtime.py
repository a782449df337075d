"""What the commands share: the source of the token, and the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from linq_async.arguments import read_token
from linq_async.config import TOKEN_VARIABLE
from linq_async.errors import ConfigurationError

T = TypeVar("T")

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="PATH",
        help=f"Read the token from this file instead of {TOKEN_VARIABLE}. No option takes the token itself.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output, also on failure.")]

_MAX_BYTES = 16 << 10


def find_token(token_file: Path | None) -> str:
    """Return the token from the file if one is given, else from the environment.

    Raises:
        ConfigurationError: If the token is missing or invalid.
    """
    return read_token(None if token_file is None else _read_file(token_file))


def is_exposed(token_file: Path | None) -> bool:
    """Return whether other users can read or change the file. Always False on Windows, whose modes do not show it."""
    if token_file is None or os.name == "nt":
        return False
    try:
        mode = token_file.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def _read_file(path: Path) -> str:
    reason = None
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        text = data.decode("utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is not valid UTF-8"
    else:
        if text and len(data) <= _MAX_BYTES:
            return text
        reason = "it is too long for a token" if text else "it is empty"
    raise ConfigurationError(f"the token file cannot be used: {reason}")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. SIGINT and SIGTERM cancel it, and then raise KeyboardInterrupt."""
    try:
        return asyncio.run(_run_until_sigterm(main))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run_until_sigterm(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None
    handle_signal(signal.SIGTERM, task.cancel)
    return await main


def handle_signal(number: signal.Signals, callback: Callable[[], object]) -> None:
    """Call a function on the running loop when a signal arrives, where that is possible."""
    # Not available on Windows, nor outside the main thread.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(number, callback)
