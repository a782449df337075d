"""The command group: reports usage errors in JSON, and ends a command whose output cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import typer
from typer.core import TyperGroup

from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.failure import Failure
from linq_async.cli.render import discard_unwritable, show, show_json, write_error

BROKEN_PIPE = 141
"""The exit code that shells report for a program killed by SIGPIPE: 128 + 13."""

_WRITE_ERRORS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT})
_AS_JSON = "linq_async.as_json"
# The base class of usage errors. Recent typer releases bundle click, so it cannot be imported by name.
_UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])


class UsageError(typer.BadParameter):
    """A usage error whose message is shown as it is."""

    def format_message(self) -> str:
        """Return the message without a prefix."""
        return self.message


class MissingOptionsError(UsageError):
    """Required options are missing. The message names all of them."""

    def __init__(self, *options: str) -> None:
        super().__init__(f"Missing option{'s' * (len(options) > 1)}: {', '.join(options)}.")


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
    code = ExitCode.FAILED
    try:
        try:
            yield
        except _UsageError as error:
            code = ExitCode.USAGE
            _show_usage_error(cast("typer.BadParameter", error), as_json=as_json)
            raise typer.Exit(code) from None
    except OSError as error:
        if error.errno not in _WRITE_ERRORS:
            raise
        discard_unwritable()
        if error.errno == errno.EPIPE:
            raise typer.Exit(BROKEN_PIPE) from None
        show(write_error(error), err=True)
        raise typer.Exit(code) from None


def _show_usage_error(error: typer.BadParameter, *, as_json: bool) -> None:
    """Write a usage error to standard error, and then also in JSON to standard output, which may not take it."""
    error.show()
    if as_json:
        key = None if error.ctx is None else error.ctx.params.get("key")
        failure = Failure.of("UsageError", error.format_message(), ExitCode.USAGE, idempotency_key=key)
        show_json(failure.as_dict(), indent=None)  # some commands write JSON Lines
