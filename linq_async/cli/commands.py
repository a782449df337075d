"""The group of commands: how a wrong call is reported, and how a command ends that cannot write its output."""

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
from linq_async.errors import Outcome

BROKEN_PIPE = 141
"""The exit code of a program that SIGPIPE has ended, as shells give it: 128 and 13."""

_UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT})
_AS_JSON = "linq_async.as_json"
# What typer raises for a wrong call. Newer releases have a click of their own, so that click has no name to import.
_WRONG_CALL = cast("type[Exception]", typer.BadParameter.__mro__[1])


class MissingOptionsError(typer.BadParameter):
    """Options that a command needs are missing: all of them are named at once."""

    def __init__(self, *options: str) -> None:
        super().__init__(f"Missing option{'s' * (len(options) > 1)}: {', '.join(options)}.")

    def format_message(self) -> str:
        """Return the message as it is."""
        return self.message


class Commands(TyperGroup):
    """The commands. A wrong call is reported in JSON as well if ``--json`` was given."""

    # The contexts are those of typer or of click, according to the release.
    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the options before the command."""
        as_json = "--json" in args
        with _reported(as_json=as_json):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[_AS_JSON] = as_json
        return context

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's own options, and run it."""
        with _reported(as_json=ctx.meta[_AS_JSON]):
            return super().invoke(ctx)


@contextmanager
def _reported(*, as_json: bool) -> Generator[None]:
    try:
        yield
    except _WRONG_CALL as error:
        if as_json:
            show_json(_wrong_call(error).as_dict())
        raise
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise typer.Exit(_unwritable(error)) from None


def _wrong_call(error: Exception) -> Failure:
    return Failure(
        kind="UsageError",
        message=cast("typer.BadParameter", error).format_message(),
        outcome=Outcome.NOT_SENT,
        key=None,
        attempts=0,
        code=ExitCode.USAGE,
    )


def _unwritable(error: OSError) -> int:
    """Return the exit code of a command whose output cannot be written, and write nothing more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # Python would complain of the rest at its end
    if error.errno == errno.EPIPE:
        return BROKEN_PIPE
    show(f"cannot write the output: {error.strerror}", err=True)
    return ExitCode.FAILED
