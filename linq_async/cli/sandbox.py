"""``linq-async sandbox``: runs a local Linq to send to."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from linq_async.arguments import is_loopback
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.live import LiveOutput, listen_error
from linq_async.cli.render import printable, show
from linq_async.cli.runtime import run
from linq_async.cli.sandbox_options import (
    AllowHosts,
    Fail,
    Host,
    Keep,
    Latency,
    Numbers,
    Port,
    RateLimit,
    Token,
    Webhook,
    WebhookSecret,
    seconds_or_range,
    webhook_hosts,
)
from linq_async.cli.sandbox_summary import RunSummary
from linq_async.config import BASE_URL_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE

if TYPE_CHECKING:
    from linq_async.sandbox import LoggedRequest, Sandbox, SandboxDelivery, SandboxSubscription

_PHONE_OR_EMAIL = re.compile(r"\+?\d(?:[\s().-]{0,3}\d){6,}|[^/\s]+@[^/\s]+")
_MAX_CHARS = 200
_MAX_METHOD_CHARS = 20


def sandbox(
    port: Port = 8080,
    token: Token = None,
    number: Numbers = None,
    host: Host = "127.0.0.1",
    webhook: Webhook = None,
    webhook_secret: WebhookSecret = None,
    allow_host: AllowHosts = None,
    latency: Latency = "0",
    fail: Fail = 0.0,
    rate_limit: RateLimit = None,
    keep: Keep = None,
) -> None:
    """Run a local Linq until Ctrl-C, and show each request that it receives."""
    # Imported here, so that other commands do not load a server.
    from linq_async.sandbox import DEFAULT_PHONE_NUMBERS, KeepError, Sandbox
    from linq_async.sandbox.server import random_token

    output, summary = LiveOutput(), RunSummary()

    def show_request(entry: LoggedRequest) -> None:
        summary.add_request(entry)
        output.show(request_line(entry))

    def show_delivery(entry: SandboxDelivery) -> None:
        summary.add_delivery(entry)
        output.show(delivery_line(entry))

    try:
        server = Sandbox(
            host=host,
            port=port,
            token=random_token() if token is None else token,
            phone_numbers=number or DEFAULT_PHONE_NUMBERS,
            on_request=show_request,
            on_delivery=show_delivery,
            allow_hosts=allow_host or (),
            webhook_hosts=webhook_hosts(webhook),
            latency=seconds_or_range(latency),
            fail=fail,
            rate_limit=rate_limit,
            keep=keep,
        )
    except ValueError as error:
        raise typer.BadParameter(printable(error)) from None
    try:
        reason = run(_serve(server, host, output, summary, webhook, webhook_secret or None))
    except KeyboardInterrupt:
        left = "gone" if keep is None else f"in {printable(keep)}"
        show("\n".join([f"The sandbox has stopped. What it stored is {left}.", *summary.lines(server)]))
    except KeepError as error:
        show(f"cannot keep what is stored in {printable(keep)}: {printable(error)}", err=True)
        raise typer.Exit(ExitCode.FAILED if summary.started else ExitCode.USAGE) from None
    else:
        show(f"cannot listen on {printable(host)}:{port}: {printable(reason)}", err=True)
        raise typer.Exit(ExitCode.FAILED)


async def _serve(
    server: Sandbox, host: str, output: LiveOutput, summary: RunSummary, webhook: str | None, secret: str | None
) -> str:
    """Serve until a signal cancels it. If it cannot listen, return the reason and what to try.

    Raises:
        KeepError: If the file that keeps what is stored cannot be used.
        OSError: If a line cannot be written.
    """
    try:
        await server.start()
    except (OSError, UnicodeError) as error:
        return listen_error(error)
    summary.started = True
    try:
        subscription = None if webhook is None else await subscribed(server, webhook, secret)
        for line in greeting(server, host, subscription):
            show(line)
        await output.wait()
    finally:
        await server.close()


async def subscribed(server: Sandbox, url: str, secret: str | None) -> SandboxSubscription:
    """Return the subscription of an earlier run, unless it has another secret, or a new one."""
    for kept in server.subscriptions:
        if kept.webhook_url == url:
            if kept.secret and secret in (None, kept.secret):
                return kept
            await server.unsubscribe(kept)
    return await server.subscribe(url, secret=secret)


def greeting(server: Sandbox, host: str, subscription: SandboxSubscription | None = None) -> list[str]:
    """Return the lines to show at the start: the address, and the variables to set."""
    url, sender = server.base_url, server.phone_numbers[0]
    lines = [
        f"Linq sandbox on {url}, token {server.token}. Press Ctrl-C to stop.",
        f"Numbers to send from: {', '.join(server.phone_numbers)}",
        f"Open {url} in a browser to see what is sent, and to answer it.",
        "",
        f"  export {BASE_URL_VARIABLE}={shlex.quote(url)}",
        f"  export {TOKEN_VARIABLE}={shlex.quote(server.token)}",
        *([] if subscription is None else [f"  export {SECRET_VARIABLE}={shlex.quote(subscription.secret or '')}"]),
        f"  linq-async send --from {sender} --to +12025550123 --text Hello",
        "",
    ]
    if not is_loopback(host):
        lines.append("warning: other machines can reach it, over plain http: do not use real data.")
        lines.append("warning: from another machine, the client accepts an http URL only with allow_http=True.")
        lines.append("warning: requests for a name other than its address are rejected without --allow-host NAME.")
    return lines


def delivery_line(entry: SandboxDelivery) -> str:
    """Return a line that describes an attempt to deliver a webhook, without its contents."""
    result = "failed" if entry.status is None else str(entry.status)
    reason = entry.error or ("" if entry.delivered else "not 200")
    line = f"webhook {entry.event_type} to {_target(entry.url)} {result}"
    return f"{line}{reason and f' ({reason})'} attempt={entry.attempt}"


def _target(url: str) -> str:
    """Return the host, the port and the path of a URL. The rest of it may hold a password or a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid URL"
    return printable(parts.netloc.rpartition("@")[2][:_MAX_CHARS]) + _shown(parts.path)


def request_line(entry: LoggedRequest) -> str:
    """Return a line that describes a request, without texts, phone numbers or control characters."""
    status = "lost" if entry.status is None else entry.status
    line = f"{printable(entry.method[:_MAX_METHOD_CHARS])} {_shown(entry.path)} {status}"
    if entry.idempotency_key is not None:
        line += f" key={printable(entry.idempotency_key[:_MAX_CHARS])[:_MAX_CHARS]} attempt={entry.attempt}"
    if entry.replayed:
        line += " replayed"
    return line


def _shown(path: str) -> str:
    """Return a path without phone numbers, addresses or control characters."""
    if len(path) > _MAX_CHARS:
        # Cut first, because the search takes quadratic time, and at a slash, so that no part of a number remains.
        path = path[:_MAX_CHARS].rpartition("/")[0] + "/..."
    return printable(_PHONE_OR_EMAIL.sub("<number>", path))[:_MAX_CHARS]
