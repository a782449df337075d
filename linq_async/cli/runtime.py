"""What the commands share: the token's source, and a run that a signal ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Coroutine
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
        help=f"Read the token from this file. Without it, {TOKEN_VARIABLE} is read. No option takes the token itself.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, on failure too.")]

_MOST_BYTES = 16 << 10


def find_token(token_file: Path | None) -> str:
    """Return the token from the file, else from the environment. Raises ConfigurationError."""
    return read_token(None if token_file is None else _content(token_file))


def is_exposed(token_file: Path | None) -> bool:
    """Whether other users of the machine may read or change the file. Windows does not say so in the mode."""
    if token_file is None or os.name == "nt":
        return False
    try:
        mode = token_file.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def _content(path: Path) -> str:
    reason = None
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        text = data.decode("utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is not text"
    else:
        if text and len(data) <= _MOST_BYTES:
            return text
        reason = "it is too long for a token" if text else "it is empty"
    raise ConfigurationError(f"the token file cannot be used: {reason}")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end. SIGINT and SIGTERM cancel it, let it clean up, and raise KeyboardInterrupt."""
    try:
        return asyncio.run(_guarded(main))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _guarded(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None
    # Windows has no such handlers, and threads may set none.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await main
