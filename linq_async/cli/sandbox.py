"""``linq-async sandbox``: a local Linq to send to."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from linq_async.arguments import is_loopback
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.render import plain, show
from linq_async.cli.running import run
from linq_async.config import BASE_URL_VARIABLE, TOKEN_VARIABLE

if TYPE_CHECKING:
    from linq_async.sandbox import LoggedRequest, Sandbox

_NUMBER = re.compile(r"\+?\d{7,}|[^/\s]+@[^/\s]+")
_LONGEST = 200


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free one.")] = 8080,
    token: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The token to ask for. Never use a real one here.")
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option(metavar="+1…", help="A number to send from, such as +12223334444. Repeat it for more."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run a local Linq, until Ctrl-C, and show each request that comes in."""
    # Here, for no other command should pay for loading a server.
    from linq_async.sandbox import DEFAULT_PHONE_NUMBERS, DEFAULT_TOKEN, Sandbox

    try:
        server = Sandbox(
            host=host,
            port=port,
            token=DEFAULT_TOKEN if token is None else token,
            phone_numbers=number or DEFAULT_PHONE_NUMBERS,
            on_request=tell,
        )
    except ValueError as error:
        raise typer.BadParameter(plain(error)) from None
    try:
        reason = run(_serve(server, host))
    except KeyboardInterrupt:
        show("The sandbox has ended; what it stored is gone.")
    else:
        show(f"cannot listen on {plain(host)}:{port}: {plain(reason)}. Try another --port, or 0.", err=True)
        raise typer.Exit(ExitCode.FAILED)


async def _serve(server: Sandbox, host: str) -> str:
    """Serve until a signal comes, or return the reason for which it cannot."""
    try:
        await server.start()
    except OSError as error:
        return (error.strerror or str(error)).rpartition(": ")[2]  # the system's words, without asyncio's before them
    try:
        for line in greeting(server, host):
            show(line)
        while True:  # a signal cancels the wait
            await asyncio.Event().wait()
    finally:
        await server.close()


def tell(entry: LoggedRequest) -> None:
    """Show one request."""
    with contextlib.suppress(OSError):  # the reader of the pipe may have gone; the sandbox serves on
        show(request_line(entry))


def greeting(server: Sandbox, host: str) -> list[str]:
    """Say where it listens, and what to paste."""
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
    return lines


def request_line(entry: LoggedRequest) -> str:
    """Tell of one request in a line that holds no text, no number and no control character."""
    path = _NUMBER.sub("<number>", plain(entry.path))[:_LONGEST]
    status = "lost" if entry.status is None else entry.status
    line = f"{plain(entry.method)} {path} {status}"
    if entry.idempotency_key is not None:
        line += f" key={plain(entry.idempotency_key)[:_LONGEST]} attempt={entry.attempt}"
    if entry.replayed:
        line += " replayed"
    return line
