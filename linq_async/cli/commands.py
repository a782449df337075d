"""The command group: reports usage errors in JSON, and ends a command whose output cannot be written."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import typer
from typer.core import TyperGroup

from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.failure import Failure
from linq_async.cli.render import show, show_json

BROKEN_PIPE = 141
"""The exit code that shells report for a program killed by SIGPIPE: 128 + 13."""

_WRITE_ERRORS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT})
_AS_JSON = "linq_async.as_json"
# The base class of usage errors. Recent typer releases bundle click, so it cannot be imported by name.
_UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])


class MissingOptionsError(typer.BadParameter):
    """Required options are missing. The message names all of them."""

    def __init__(self, *options: str) -> None:
        super().__init__(f"Missing option{'s' * (len(options) > 1)}: {', '.join(options)}.")

    def format_message(self) -> str:
        """Return the message without a prefix."""
        return self.message


class Commands(TyperGroup):
    """The command group. With ``--json``, a usage error is also reported in JSON."""

    # Contexts are typer's or click's, depending on the release of typer.
    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the options that precede the command."""
        as_json = "--json" in args
        with _errors_reported(as_json=as_json):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[_AS_JSON] = as_json
        return context

    def invoke(self, ctx: Any) -> Any:
        """Parse the options of the command, and run it."""
        with _errors_reported(as_json=ctx.meta[_AS_JSON]):
            return super().invoke(ctx)


@contextmanager
def _errors_reported(*, as_json: bool) -> Generator[None]:
    try:
        yield
    except _UsageError as error:
        if as_json:
            message = cast("typer.BadParameter", error).format_message()
            show_json(Failure.of("UsageError", message, ExitCode.USAGE).as_dict())
        raise
    except OSError as error:
        if error.errno not in _WRITE_ERRORS:
            raise
        raise typer.Exit(_abandon_output(error)) from None


def _abandon_output(error: OSError) -> int:
    """Discard output that cannot be written, and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # the interpreter flushes again at exit
    if error.errno == errno.EPIPE:
        return BROKEN_PIPE
    show(f"cannot write the output: {error.strerror}", err=True)
    return ExitCode.FAILED
