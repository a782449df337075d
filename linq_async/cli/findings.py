"""What the doctor makes of the server's answer, of the clock and of what is installed."""

from __future__ import annotations

import enum
import platform
import time
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from linq_async._version import __version__
from linq_async.arguments import read_proxy
from linq_async.cli.render import reworded
from linq_async.config import BASE_URL_VARIABLE, DEFAULT_BASE_URL
from linq_async.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    DecodeError,
    LinqError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
)
from linq_async.models.response import Response

MOST_SECONDS_APART = 60
_DEPENDENCIES = ("aiohttp", "attrs", "cattrs", "tenacity", "orjson")

Answer = Response[Any] | LinqError


class Level(enum.StrEnum):
    """How bad a finding is. Only FAILED changes the exit code."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen
class Finding:
    """One thing that was checked, and how to fix it if it failed."""

    name: str
    level: Level
    detail: str
    hint: str | None = None


def reach_findings(answer: Answer, url: str, *, has_token: bool) -> list[Finding]:
    """Tell whether the server answers, and whether it takes the token."""
    if not isinstance(answer, LinqError) and not _is_list_of_numbers(answer):
        hint = f"set {BASE_URL_VARIABLE} to {DEFAULT_BASE_URL}, or unset it"
        return [Finding("server", Level.FAILED, "something answers, but not as Linq does", hint), _unasked()]
    if isinstance(answer, LinqError) and not isinstance(answer, AuthenticationError | PermissionDeniedError):
        return [_unreachable(answer, url), _unasked()]
    return [Finding("server", Level.OK, f"answers{_way(url)}"), _access(answer, has_token=has_token)]


def proxy_finding(url: str) -> Finding | None:
    """Tell of a proxy in the environment that cannot be used; None if there is no such proxy."""
    try:
        read_proxy(None, url)
    except ConfigurationError as error:
        hint = "correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or name the server in NO_PROXY"
        return Finding("proxy", Level.FAILED, reworded(error.message), hint)
    return None


def _is_list_of_numbers(answer: Response[Any]) -> bool:
    data: object = answer.data
    return isinstance(data, dict) and isinstance(cast("dict[str, object]", data).get("phone_numbers"), list)


def _unasked() -> Finding:
    return Finding("access", Level.SKIPPED, "the server could not be asked")


def _way(url: str) -> str:
    """Name the proxy's host: the rest of its address may hold a password."""
    proxy = read_proxy(None, url)
    return "" if proxy is None else f", through the proxy {urlsplit(proxy).hostname}"


_BY_REASON = {
    "refused": "nothing listens there: check the address and the port",
    "dns": "the name is not known: check its spelling, and this machine's DNS",
    "timeout": "no answer to the connection: a firewall or a proxy may be in the way",
    "certificate": "the certificate is not trusted: check the address, the clock, and any proxy that opens TLS",
    "tls": "it does not speak TLS: check https and the port",
    "proxy": "the proxy refuses: check HTTPS_PROXY and NO_PROXY",
    "proxy_denied": "the proxy does not let you through: check user and password in HTTPS_PROXY, or set NO_PROXY",
}
_BY_ERROR: tuple[tuple[type[LinqError], str], ...] = (
    (NotFoundError, f"Linq's API is not at this address: set {BASE_URL_VARIABLE} to {DEFAULT_BASE_URL}"),
    (RedirectError, f"set {BASE_URL_VARIABLE} to where it points, if you trust it"),
    (RateLimitError, "too many requests: try again later"),
    (DecodeError, f"set {BASE_URL_VARIABLE} to {DEFAULT_BASE_URL}, or unset it"),
    (APIError, "the fault is on the server's side: try again later"),
)


def _unreachable(error: LinqError, url: str) -> Finding:
    if isinstance(error, ConnectError):
        hint = _BY_REASON.get(error.reason, "check the address and the network")
    else:
        hint = next((text for kind, text in _BY_ERROR if isinstance(error, kind)), "check the network, and try again")
    return Finding("server", Level.FAILED, f"{error.message}{_way(url)}", hint)


def _access(answer: Answer, *, has_token: bool) -> Finding:
    if not has_token:
        return Finding("access", Level.SKIPPED, "there is no token to try")
    if isinstance(answer, AuthenticationError):
        hint = "ask for the token again: it may be mistyped, withdrawn, or one of another server"
        return Finding("access", Level.FAILED, "401: the server does not accept the token", hint)
    if isinstance(answer, LinqError):
        hint = "the token is known, but may not list phone numbers: ask Linq what it may do"
        return Finding("access", Level.FAILED, "403: permission denied", hint)
    count = len(answer.data["phone_numbers"])
    if not count:
        return Finding("access", Level.WARNING, "the token is accepted, but has no number to send from", "ask Linq")
    return Finding("access", Level.OK, f"the token is accepted; it has {count} number{'s' * (count != 1)} to send from")


def clock_finding(answer: Answer, now: float | None = None) -> Finding:
    """Compare this machine's clock with the answer's Date."""
    date = answer.headers.get("date") if isinstance(answer, APIError | Response) else None
    try:
        server = None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):  # the second if the offset from UTC is out of all proportion
        server = None
    if server is None:
        return Finding("clock", Level.SKIPPED, "the server did not say what time it is")
    apart = (time.time() if now is None else now) - server
    if abs(apart) <= MOST_SECONDS_APART:
        return Finding("clock", Level.OK, "agrees with the server's")
    way = "ahead of" if apart > 0 else "behind"
    hint = "set the clock, by NTP for instance: signed webhooks are refused otherwise"
    return Finding("clock", Level.WARNING, f"{abs(apart):.0f} s {way} the server's", hint)


def versions() -> dict[str, str]:
    """Return the versions of all that takes part."""
    return {
        "linq_async": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _DEPENDENCIES},
    }
