"""``linq-async sandbox``: a local Linq to send to."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from linq_async.arguments import is_loopback
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.render import plain, show
from linq_async.cli.runtime import run
from linq_async.config import BASE_URL_VARIABLE, TOKEN_VARIABLE

if TYPE_CHECKING:
    from linq_async.sandbox import LoggedRequest, Sandbox

_NUMBER = re.compile(r"\+?\d(?:[\s().-]{0,3}\d){6,}|[^/\s]+@[^/\s]+")
_MAX_CHARS = 200
_MAX_METHOD_CHARS = 20
_PORT_ERRORS = frozenset({errno.EADDRINUSE, errno.EACCES})


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free one.")] = 8080,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="The token to ask for; by default a new random one. Never use a real one here."
        ),
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option(metavar="+1…", help="A number to send from, such as +12223334444. Repeat it for more."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Answer requests for this name or address too: one by which other machines or containers reach it."
            " Repeat it for more.",
        ),
    ] = None,
) -> None:
    """Run a local Linq, until Ctrl-C, and show each request that comes in."""
    # Imported here, so that only this command loads a server.
    from linq_async.sandbox import DEFAULT_PHONE_NUMBERS, Sandbox
    from linq_async.sandbox.server import random_token

    try:
        server = Sandbox(
            host=host,
            port=port,
            token=random_token() if token is None else token,
            phone_numbers=number or DEFAULT_PHONE_NUMBERS,
            on_request=show_request,
            allow_hosts=allow_host or (),
        )
    except ValueError as error:
        raise typer.BadParameter(plain(error)) from None
    try:
        reason = run(_serve(server, host))
    except KeyboardInterrupt:
        show("The sandbox has ended; what it stored is gone.")
    else:
        show(f"cannot listen on {plain(host)}:{port}: {plain(reason)}", err=True)
        raise typer.Exit(ExitCode.FAILED)


async def _serve(server: Sandbox, host: str) -> str:
    """Serve until a signal comes, or return why it cannot, and what to try."""
    try:
        await server.start()
    except (OSError, UnicodeError) as error:
        return listen_error(error)
    try:
        for line in greeting(server, host):
            show(line)
        while True:  # a signal cancels the wait
            await asyncio.Event().wait()
    finally:
        await server.close()


def listen_error(error: OSError | UnicodeError) -> str:
    """Return why a server cannot listen, and which option to change."""
    if not isinstance(error, OSError):
        return "it is not a name. Pass an address of this machine as --host."
    reason = (error.strerror or str(error)).rpartition(": ")[2]  # the system's words, without asyncio's before them
    if error.errno in _PORT_ERRORS:
        return f"{reason}. Try another --port, or 0."
    return f"{reason}. Pass an address of this machine as --host, or 0.0.0.0 for all of them."


def show_request(entry: LoggedRequest) -> None:
    """Show one request."""
    with contextlib.suppress(OSError):  # the reader of the pipe may have left; the sandbox keeps running
        show(request_line(entry))


def greeting(server: Sandbox, host: str) -> list[str]:
    """Return the lines that show the address and the variables to set."""
    url, sender = server.base_url, server.phone_numbers[0]
    lines = [
        f"Linq sandbox on {url}, token {server.token}. Ctrl-C ends it.",
        f"Sends from {', '.join(server.phone_numbers)}.",
        "",
        f"  export {BASE_URL_VARIABLE}={shlex.quote(url)}",
        f"  export {TOKEN_VARIABLE}={shlex.quote(server.token)}",
        f"  linq-async send --from {sender} --to +12025550123 --text Hello",
        "",
    ]
    if not is_loopback(host):
        lines.append("warning: other machines can reach it, in plain http: use it with nothing real.")
        lines.append("warning: from another machine, the client takes an http URL only with allow_http=True.")
        lines.append("warning: calls by another name than its address are refused without --allow-host NAME.")
    return lines


def request_line(entry: LoggedRequest) -> str:
    """Return one request as a line without texts, numbers and control characters."""
    status = "lost" if entry.status is None else entry.status
    line = f"{plain(entry.method[:_MAX_METHOD_CHARS])} {_shown_path(entry.path)} {status}"
    if entry.idempotency_key is not None:
        line += f" key={plain(entry.idempotency_key[:_MAX_CHARS])[:_MAX_CHARS]} attempt={entry.attempt}"
    if entry.replayed:
        line += " replayed"
    return line


def _shown_path(path: str) -> str:
    """Return a path without numbers, cut first because the search takes quadratic time."""
    if len(path) > _MAX_CHARS:
        # At a slash, so that no part of a number or an address remains.
        path = path[:_MAX_CHARS].rpartition("/")[0] + "/..."
    return plain(_NUMBER.sub("<number>", path))[:_MAX_CHARS]
