"""``linq-async doctor``: is all there that a send needs, and if not, how to fix it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import typer

from linq_async.arguments import read_base_url
from linq_async.cli.exit_codes import ExitCode
from linq_async.cli.findings import Finding, Level, clock_finding, proxy_finding, reach_findings, versions
from linq_async.cli.render import hidden, plain, reworded, show, show_json
from linq_async.cli.runtime import AsJson, TokenFile, find_token, is_exposed, run
from linq_async.client import LinqClient
from linq_async.config import BASE_URL_VARIABLE, DEFAULT_BASE_URL, TOKEN_VARIABLE, RetryPolicy, Timeouts
from linq_async.errors import ConfigurationError, LinqError
from linq_async.models.response import Response
from linq_async.wire.request import API

HELP = """Check what a send needs: the token, the server, the clock, the versions. Sends nothing.

The server is asked once for your phone numbers. Any check that failed makes the exit code 1.
"""

_TIMEOUTS = Timeouts(connect=5.0, read=10.0)
# No server knows it; it lets the address be checked while the token is missing.
_NO_TOKEN = "no-token"  # noqa: S105


def doctor(token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Check, and say what was found."""
    token, findings = examine(token_file)
    told = hidden(_as_dict(findings), token)
    if as_json:
        show_json(told)
    else:
        for line in _lines(told):
            show(line)
    if not told["ok"]:
        raise typer.Exit(ExitCode.FAILED)


def examine(token_file: Path | None) -> tuple[str | None, list[Finding]]:
    """Return the token, if there is one, and all findings."""
    token, about_token = _token(token_file)
    url, about_url = _base_url()
    findings = [about_token, about_url]
    about_proxy = None if url is None else proxy_finding(url)
    if about_proxy is not None:
        return token, [*findings, about_proxy]
    if url is not None:
        answer = run(_ask(token or _NO_TOKEN, url))
        findings += [*reach_findings(answer, url, has_token=token is not None), clock_finding(answer)]
    return token, findings


def _token(token_file: Path | None) -> tuple[str | None, Finding]:
    source = TOKEN_VARIABLE if token_file is None else "the token file"
    try:
        token = find_token(token_file)
    except ConfigurationError as error:
        hint = "take the token as Linq gave it, alone, without quotes or spaces"
        return None, Finding("token", Level.FAILED, reworded(error.message), hint)
    if is_exposed(token_file):
        hint = "set its mode to 600: chmod 600"
        return token, Finding("token", Level.WARNING, "well-formed, but other users can read the token file", hint)
    return token, Finding("token", Level.OK, f"well-formed, from {source}")


def _base_url() -> tuple[str | None, Finding]:
    try:
        url = read_base_url(None, allow_http=False)
    except ConfigurationError as error:
        hint = f"set {BASE_URL_VARIABLE} to {DEFAULT_BASE_URL}, or unset it"
        return None, Finding("base URL", Level.FAILED, reworded(error.message), hint)
    return url, Finding("base URL", Level.OK, url + (", the default" if url == DEFAULT_BASE_URL else ""))


async def _ask(token: str, url: str) -> Response[Any] | LinqError:
    """Ask a question that changes nothing, once."""
    async with LinqClient(token, base_url=url, retry=RetryPolicy.none(), timeouts=_TIMEOUTS) as linq:
        try:
            return await linq.request("GET", f"{API}/phone_numbers")
        except LinqError as error:
            return error


def _as_dict(findings: list[Finding]) -> dict[str, Any]:
    return {
        "ok": all(finding.level is not Level.FAILED for finding in findings),
        "checks": [{**attrs.asdict(finding), "level": finding.level.value} for finding in findings],
        "versions": versions(),
    }


def _lines(told: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for check in told["checks"]:
        lines.append(f"{check['level']:<8}{check['name']:<10}{plain(check['detail'])}")
        if check["hint"] is not None:
            lines.append(f"{'':18}{plain(check['hint'])}")
    named = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    return [*lines, f"{'ok':<8}{'versions':<10}{named}"]
