"""The checks of ``linq-async doctor``."""

from __future__ import annotations

import enum
import os
import platform
import time
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from linq_async._version import __version__
from linq_async.arguments import read_base_url, read_proxy
from linq_async.cli.render import reworded
from linq_async.cli.runtime import find_token, is_exposed
from linq_async.config import BASE_URL_VARIABLE, DEFAULT_BASE_URL, SECRET_VARIABLE, TOKEN_VARIABLE
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

MAX_CLOCK_SKEW = 60
"""Seconds that this machine's clock may differ from the server's without a warning."""
_DEPENDENCIES = ("aiohttp", "attrs", "cattrs", "tenacity", "orjson")
_DEFAULT_URL_HINT = f"set {BASE_URL_VARIABLE} to {DEFAULT_BASE_URL}, or unset it"

Result = Response[Any] | LinqError
"""The response to a request, or the error that the client raised."""


class Level(enum.StrEnum):
    """The level of a check. Only FAILED changes the exit code."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen
class Check:
    """The result of one check."""

    name: str
    level: Level
    detail: str
    hint: str | None = None
    """How to pass the check."""


def check_token(token_file: Path | None) -> tuple[str | None, Check]:
    """Return the token, or None if it is missing or invalid, and the check of its form."""
    try:
        token = find_token(token_file)
    except ConfigurationError as error:
        hint = "use the token exactly as Linq issued it, without quotes or spaces"
        return None, Check("token", Level.FAILED, reworded(error.message), hint)
    if len(token) > 1 and token[0] == token[-1] and token[0] in "\"'`":
        hint = "remove the quotes around the token"
        return token, Check("token", Level.WARNING, "begins and ends with a quote", hint)
    if is_exposed(token_file):
        hint = "set its mode to 600: chmod 600"
        return token, Check("token", Level.WARNING, "well-formed, but other users can read the token file", hint)
    source = TOKEN_VARIABLE if token_file is None else "the token file"
    return token, Check("token", Level.OK, f"well-formed, from {source}")


def check_base_url() -> tuple[str | None, Check]:
    """Return the base URL, or None if it is invalid, and the check of its form."""
    try:
        url = read_base_url(None, allow_http=False)
    except ConfigurationError as error:
        has_scheme = "://" in os.environ.get(BASE_URL_VARIABLE, "")
        hint = _DEFAULT_URL_HINT if has_scheme else f"{BASE_URL_VARIABLE} must begin with https://"
        return None, Check("base URL", Level.FAILED, reworded(error.message), hint)
    return url, Check("base URL", Level.OK, url + (", the default" if url == DEFAULT_BASE_URL else ""))


def check_proxy(url: str) -> Check | None:
    """Return a failed check if the environment names an invalid proxy, else None."""
    try:
        read_proxy(None, url)
    except ConfigurationError as error:
        hint = "correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or add the host to NO_PROXY"
        return Check("proxy", Level.FAILED, reworded(error.message), hint)
    return None


def check_server(result: Result, url: str, *, has_token: bool) -> list[Check]:
    """Check that the server responds as Linq does, and that it accepts the token."""
    if isinstance(result, AuthenticationError | PermissionDeniedError):
        return [_server_ok(url), _check_access(result, has_token=has_token)]
    no_access = Check("access", Level.SKIPPED, "not checked, because the server check failed")
    if isinstance(result, LinqError):
        hints = (hint for kind, hint in _HINTS_BY_ERROR if isinstance(result, kind))
        hint = next(hints, "check the network, and try again")
        if isinstance(result, ConnectError):
            hint = _HINTS_BY_REASON.get(result.reason, "check the address and the network")
        return [Check("server", Level.FAILED, f"{result.message}{_via_proxy(url)}", hint), no_access]
    data: object = result.data
    if not isinstance(data, dict) or not isinstance(cast("dict[str, object]", data).get("phone_numbers"), list):
        return [Check("server", Level.FAILED, "something responds, but not as Linq does", _DEFAULT_URL_HINT), no_access]
    return [_server_ok(url), _check_access(result, has_token=has_token)]


def _server_ok(url: str) -> Check:
    return Check("server", Level.OK, f"responds{_via_proxy(url)}")


def _via_proxy(url: str) -> str:
    """Name the host of the proxy. Its full URL may contain a password."""
    proxy = read_proxy(None, url)
    return "" if proxy is None else f", through the proxy {urlsplit(proxy).hostname}"


_HINTS_BY_REASON = {
    "refused": "nothing listens there: check the address and the port",
    "dns": "the name does not resolve: check its spelling, and this machine's DNS",
    "timeout": "the connection timed out: a firewall or a proxy may block it",
    "certificate": "the certificate is not trusted: check the address, the clock, and any proxy that intercepts TLS",
    "tls": "the server does not speak TLS: check https and the port",
    "proxy": "the proxy refused the connection: check HTTPS_PROXY and NO_PROXY",
    "proxy_denied": "the proxy denied access: check user and password in HTTPS_PROXY, or set NO_PROXY",
}
_HINTS_BY_ERROR: tuple[tuple[type[LinqError], str], ...] = (
    (NotFoundError, f"Linq's API is not at this address: set {BASE_URL_VARIABLE} to {DEFAULT_BASE_URL}"),
    (RedirectError, f"set {BASE_URL_VARIABLE} to the redirect's target, if you trust it"),
    (RateLimitError, "too many requests: try again later"),
    (DecodeError, _DEFAULT_URL_HINT),
    (APIError, "the problem is on the server's side: try again later"),
)


def _check_access(result: Result, *, has_token: bool) -> Check:
    if not has_token:
        return Check("access", Level.SKIPPED, "not checked, because it needs a token")
    if isinstance(result, AuthenticationError):
        hint = "ask Linq for the token again: it may be mistyped, revoked, or from another environment"
        return Check("access", Level.FAILED, "401: the server rejected the token", hint)
    if isinstance(result, LinqError):
        hint = "the token is valid, but may not list phone numbers: ask Linq about its permissions"
        return Check("access", Level.FAILED, "403: permission denied", hint)
    count = len(result.data["phone_numbers"])
    if not count:
        return Check("access", Level.WARNING, "the token is accepted, but has no number to send from", "ask Linq")
    return Check("access", Level.OK, f"the token is accepted; it has {count} number{'s' * (count != 1)} to send from")


def check_webhook_secret(secret: str | None, subscriptions: Result | None) -> Check | None:
    """Check the secret in the environment. Without one, return a check only if there are active subscriptions."""
    name = "webhooks"
    if secret is None:
        count = _active_subscriptions(subscriptions)
        if not count:
            return None
        detail = f"{count} active subscription{'s' * (count != 1)}, but {SECRET_VARIABLE} is not set"
        return Check(name, Level.WARNING, detail, "set it where events are received; to send, it is not needed")
    if not secret.strip():
        return Check(name, Level.WARNING, f"{SECRET_VARIABLE} is blank", "set it to the secret of the subscription")
    if secret != secret.strip():
        return Check(name, Level.WARNING, f"{SECRET_VARIABLE} begins or ends with whitespace", "remove it")
    if secret.startswith("whsec_"):
        hint = "API v2 signs with the secret as it is: set the secret with which the subscription was created"
        return Check(name, Level.WARNING, f"{SECRET_VARIABLE} begins with whsec_, as the secrets of other APIs", hint)
    return Check(name, Level.OK, f"{SECRET_VARIABLE} is set (not checked)")


def _active_subscriptions(result: Result | None) -> int:
    data: object = result.data if isinstance(result, Response) else None
    found = cast("dict[str, object]", data).get("webhook_subscriptions") if isinstance(data, dict) else None
    rows = cast("list[object]", found) if isinstance(found, list) else []
    return sum(isinstance(row, dict) and cast("dict[str, object]", row).get("active") is True for row in rows)


def check_clock(result: Result, now: float | None = None) -> Check:
    """Compare the clock of this machine with the ``Date`` header of the response."""
    date = result.headers.get("date") if isinstance(result, APIError | Response) else None
    try:
        server_time = None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):  # OverflowError: an absurd offset from UTC
        server_time = None
    if server_time is None:
        return Check("clock", Level.SKIPPED, "no valid Date header was received")
    skew = (time.time() if now is None else now) - server_time
    if abs(skew) <= MAX_CLOCK_SKEW:
        return Check("clock", Level.OK, "agrees with the server's")
    direction = "ahead of" if skew > 0 else "behind"
    hint = "synchronize the clock, for example by NTP"
    return Check("clock", Level.WARNING, f"{abs(skew):.0f} s {direction} the server's", hint)


def versions() -> dict[str, str]:
    """Return the versions of the package, of Python and of the main dependencies."""
    return {
        "linq_async": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _DEPENDENCIES},
    }
