"""The application: all commands in one group."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from linq_async._version import __version__
from linq_async.cli import bulk, demo, doctor, exit_codes, queue, sandbox, send, webhooks
from linq_async.cli.commands import Commands
from linq_async.cli.render import show

app: typer.Typer = typer.Typer(
    name="linq-async",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # rich tracebacks may show the values of locals
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(requested: bool) -> None:
    if requested:
        show(f"linq-async {__version__}")
        raise typer.Exit


@app.callback(help="Send with the Linq Partner API v2, or try it on a local sandbox.", epilog=exit_codes.HELP)
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Accept the options that precede a command."""


app.command(short_help="Run a local Linq to send to.")(sandbox.sandbox)
app.command(short_help="Send three messages to a local Linq.", epilog=exit_codes.HELP)(demo.demo)
app.command(help=send.HELP, short_help="Send a message.", epilog=exit_codes.HELP)(send.send)
app.command(help=doctor.HELP, short_help="Check the setup.", epilog=exit_codes.HELP)(doctor.doctor)
app.add_typer(bulk.app, name="bulk", short_help="Send to many recipients, from a journal.")
app.add_typer(queue.app, name="queue", short_help="Look at what workers gave up, and send it again.")
app.add_typer(webhooks.app, name="webhooks", short_help="Receive webhooks, or say why one is not verified.")


def run() -> None:
    """Run the command named by the arguments, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Flush each line into a pipe, and never fail on a character that the terminal cannot encode.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    app(prog_name="linq-async")
