"""``linq-async webhooks``: show events as they are received, and say why a request is not verified."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.live import LiveOutput, listen_error
from linq_async.cli.render import printable, show
from linq_async.cli.runtime import run
from linq_async.config import SECRET_VARIABLE
from linq_async.errors import ConfigurationError, LinqError

if TYPE_CHECKING:
    from linq_async.webhooks import WebhookEvent

app: typer.Typer = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Receive webhooks, or say why one is not verified."
)

_MAX_BYTES = 1 << 20

Secret = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help=f"The secret of the subscription. {SECRET_VARIABLE} keeps it out of the process list.",
    ),
]


@app.command(short_help="Show events as they are received.")
def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free port.")] = 8000,
    secret: Secret = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as one line of JSON, and nothing else to standard output.")
    ] = False,
) -> None:
    """Receive webhooks on this machine until Ctrl-C, and show each verified event.

    Events are acknowledged once they are shown. To receive them from Linq, a tunnel has to forward a public URL to the
    port.
    """
    output = LiveOutput()
    try:
        reason = run(_listen(_secrets(secret), port, output, as_json=as_json))
    except KeyboardInterrupt:
        show("Stopped.", err=as_json)
    else:
        show(f"cannot listen on 127.0.0.1:{port}: {printable(reason)}", err=True)
        raise typer.Exit(ExitCode.FAILED)


async def _listen(secrets: tuple[bytes, ...], port: int, output: LiveOutput, *, as_json: bool) -> str:
    """Receive until a signal cancels it. If it cannot listen, return the reason and what to try.

    Raises:
        OSError: If a line cannot be written.
    """
    from linq_async.integrations.server import serving  # other commands do not load a server

    async def accept(event: WebhookEvent) -> None:
        output.show(_as_text(event, as_json=as_json))
        if output.error is not None:
            raise output.error  # so that the event is not acknowledged

    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(serving(accept, secrets, port=port))
        except OSError as error:
            return listen_error(error)
        output.show(f"Receiving webhooks on {url}. Press Ctrl-C to stop.", err=as_json)
        return await output.wait()


def _as_text(event: WebhookEvent, *, as_json: bool) -> str:
    """Return an event as text in ASCII, in which nothing can control the terminal."""
    text = json.dumps(event.raw, indent=None if as_json else 2).replace("\x7f", "\\u007f")
    return text if as_json else f"{printable(event.event_type)} {printable(event.event_id)}\n{text}"


@app.command(short_help="Say whether a webhook request is verified, and why not.")
def verify(
    body: Annotated[
        Path, typer.Argument(metavar="BODY", help='The file with the body as it was received; "-" for standard input.')
    ],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="NAME:VALUE", help="A header of the request. Can be repeated."),
    ] = None,
    secret: Secret = None,
) -> None:
    """Say whether a webhook request is verified and, if not, which mistake explains it.

    Exits with 1 if it is not verified, or is not an event.
    """
    from linq_async.webhooks import explain, unwrap

    headers = [_header(one) for one in header or ()]
    secrets = _secrets(secret)
    data = _read(body)
    show(explain(data, headers, secrets))
    try:
        unwrap(data, headers, secrets)
    except LinqError:
        raise typer.Exit(ExitCode.FAILED) from None


def _secrets(secret: str | None) -> tuple[bytes, ...]:
    from linq_async.arguments import webhook_secrets

    try:
        return webhook_secrets(secret)
    except ConfigurationError as error:
        raise typer.BadParameter(error.message.replace("pass secret=", "pass --secret")) from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise typer.BadParameter("--header must be a name, a colon and a value")
    return name.strip(), value.strip()


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"the body cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > _MAX_BYTES:
        raise typer.BadParameter("the body is larger than 1 MiB")
    return data
