"""``linq-async doctor``: checks everything that a send needs, and says how to fix what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import typer

from linq_async.cli.checks import (
    Check,
    Level,
    Result,
    check_base_url,
    check_clock,
    check_proxy,
    check_server,
    check_token,
    check_webhook_secret,
    versions,
)
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.queue import BrokerOption, QueueName, check_extra
from linq_async.cli.render import printable, redact, show, show_json
from linq_async.cli.runtime import AsJson, TokenFile, run
from linq_async.client import LinqClient
from linq_async.config import SECRET_VARIABLE, RetryPolicy, Timeouts
from linq_async.errors import LinqError
from linq_async.wire.request import API

HELP = """Check the token, the server, the clock, the webhook secret and the versions. Sends no message.

With --broker, check what a queue needs: the version, persistence and eviction of its server, and its idle time-out.

Lists your phone numbers and, without LINQ_WEBHOOK_SECRET, your webhook subscriptions. Exits with 1 if a check failed.
"""

_TIMEOUTS = Timeouts(connect=5.0, read=10.0)
# Lets the address be checked without a token. No server accepts it.
_NO_TOKEN = "no-token"  # noqa: S105


def doctor(
    token_file: TokenFile = None, broker: BrokerOption = None, queue: QueueName = "linq", as_json: AsJson = False
) -> None:
    """Run all checks, and report the results."""
    token, checks = run_checks(token_file)
    if broker is not None:
        check_extra()
        from linq_async.cli.broker import check_broker

        checks += run(check_broker(broker, queue))
    report: dict[str, Any] = {
        "ok": all(check.level is not Level.FAILED for check in checks),
        "checks": [{**attrs.asdict(check), "level": check.level.value} for check in checks],
        "versions": versions(),
    }
    report = redact(report, token)
    if as_json:
        show_json(report)
    else:
        for line in _lines(report):
            show(line)
    if not report["ok"]:
        raise typer.Exit(ExitCode.FAILED)


def run_checks(token_file: Path | None) -> tuple[str | None, list[Check]]:
    """Return the token, or None if it is missing or invalid, and the results of all checks."""
    token, token_check = check_token(token_file)
    url, url_check = check_base_url()
    checks = [token_check, url_check]
    if url is None:
        return token, checks
    proxy_check = check_proxy(url)
    if proxy_check is not None:
        return token, [*checks, proxy_check]

    secret = os.environ.get(SECRET_VARIABLE)

    async def request() -> tuple[Result, Result | None]:
        async with LinqClient(token or _NO_TOKEN, base_url=url, retry=RetryPolicy.none(), timeouts=_TIMEOUTS) as linq:
            numbers = await _get(linq, "phone_numbers")
            if secret is not None or isinstance(numbers, LinqError):
                return numbers, None
            return numbers, await _get(linq, "webhook_subscriptions")

    result, subscriptions = run(request())
    checks += [*check_server(result, url, has_token=token is not None), check_clock(result)]
    webhooks = check_webhook_secret(secret, subscriptions)
    return token, checks if webhooks is None else [*checks, webhooks]


async def _get(linq: LinqClient, resource: str) -> Result:
    try:
        return await linq.request("GET", f"{API}/{resource}")
    except LinqError as error:
        return error


def _lines(report: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for check in report["checks"]:
        lines.append(f"{check['level']:<8}{check['name']:<10}{printable(check['detail'])}")
        if check["hint"] is not None:
            lines.append(f"{'':18}{printable(check['hint'])}")
    names = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return [*lines, f"{'ok':<8}{'versions':<10}{names}"]
