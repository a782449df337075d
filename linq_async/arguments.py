"""Validation of a client's arguments. The only module that reads the environment.

The arguments may contain a token, a proxy password and API keys in headers. Error reporters send the local variables of
every frame, so no frame that raises has a local variable whose ``repr`` shows them.
"""

from __future__ import annotations

import functools
import inspect
import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ssl import CERT_NONE, SSLContext
from typing import TYPE_CHECKING, ParamSpec, cast
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs
from yarl import URL

from linq_async.attempts import AttemptHook
from linq_async.calls import CallHook
from linq_async.config import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    SECRET_VARIABLE,
    TOKEN_HEADER,
    TOKEN_VARIABLE,
    RetryPolicy,
    Settings,
    Timeouts,
    merged_headers,
)
from linq_async.errors import ConfigurationError, InvalidArgumentError, LinqError, Problem
from linq_async.timing import Timing

if TYPE_CHECKING:
    import aiohttp

P = ParamSpec("P")

OWN_HEADERS = frozenset(
    {
        TOKEN_HEADER.lower(),
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "transfer-encoding",
    }
)
"""The headers that the client sets, in lower case. A caller's value would break the request or reroute it."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_HOST = re.compile(r"[0-9A-Za-z._~:%-]+")


def _from_bare_frame(method: Callable[P, Settings]) -> Callable[P, Settings]:
    """Raise the errors of a method from a frame that holds no argument which its ``repr`` shows."""

    @functools.wraps(method)
    def settings(*args: P.args, **kwargs: P.kwargs) -> Settings:
        try:
            return method(*args, **kwargs)
        except LinqError as error:
            failed = error
        except Exception as error:  # noqa: BLE001  # a caller's mapping may raise anything
            failed = ConfigurationError(f"an argument cannot be read: {type(error).__name__}")
        failed.__context__ = None
        raise failed.with_traceback(None)

    return settings


@attrs.frozen(eq=False, kw_only=True)
class Arguments:
    """The arguments of a client, not yet validated. Its ``repr`` shows none of them."""

    token: str | None = attrs.field(default=None, repr=False)
    base_url: str | None = attrs.field(default=None, repr=False)
    retry: RetryPolicy = attrs.field(repr=False)
    timeouts: Timeouts = attrs.field(repr=False)
    max_connections: int = attrs.field(default=1, repr=False)
    max_response_bytes: int = attrs.field(default=1, repr=False)
    headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    proxy: str | None = attrs.field(default=None, repr=False)
    ssl: SSLContext | None = attrs.field(default=None, repr=False)
    session: aiohttp.ClientSession | None = attrs.field(default=None, repr=False)
    allow_http: bool = attrs.field(default=False, repr=False)
    on_attempt: AttemptHook | None = attrs.field(default=None, repr=False)
    on_call: CallHook | None = attrs.field(default=None, repr=False)
    show_details: bool = attrs.field(default=False, repr=False)
    timing: Timing = attrs.field(default=Timing(), repr=False)

    @_from_bare_frame
    def settings(self) -> Settings:
        """Return the settings of a new client.

        Raises:
            InvalidArgumentError: If an argument has the wrong type or is out of range.
            ConfigurationError: If the token, a URL or a header is missing or unusable.
        """
        self._check()
        url = read_base_url(self.base_url, allow_http=self.allow_http)
        return Settings(
            token=read_token(self.token),
            base_url=url,
            proxy=read_proxy(self.proxy, url, allow_http=self.allow_http),
            ssl=self.ssl,
            retry=self.retry,
            timeouts=self.timeouts,
            headers=check_headers(self.headers),
            on_attempt=self.on_attempt,
            on_call=self.on_call,
            max_response_bytes=self.max_response_bytes,
            show_details=self.show_details,
            timing=self.timing,
        )

    @_from_bare_frame
    def settings_over(self, old: Settings) -> Settings:
        """Return a copy of settings with these arguments applied. Raises the same errors as ``settings``."""
        self._check()
        return attrs.evolve(
            old,
            token=old.token if self.token is None else read_token(self.token),
            retry=self.retry,
            timeouts=self.timeouts,
            headers=merged_headers(old.headers, check_headers(self.headers)),
            on_attempt=self.on_attempt,
            on_call=self.on_call,
            show_details=self.show_details,
        )

    def external_session(self) -> aiohttp.ClientSession | None:
        """Return the session. This is a method because cgitb prints every attribute that a source line names."""
        return self.session

    def problems(self) -> list[Problem]:
        """Return the arguments that have the wrong type or are out of range."""
        valid = {
            Problem("retry", "must be a RetryPolicy"): isinstance(self.retry, RetryPolicy),
            Problem("timeouts", "must be a Timeouts"): isinstance(self.timeouts, Timeouts),
            Problem("ssl", "must be an ssl.SSLContext or None"): isinstance(self.ssl, SSLContext | None),
            Problem("headers", "must be a mapping or None"): self.headers is None or isinstance(self.headers, Mapping),
            Problem("allow_http", "must be a bool"): isinstance(self.allow_http, bool),
            Problem("show_details", "must be a bool"): isinstance(self.show_details, bool),
        }
        found = [problem for problem, holds in valid.items() if not holds]
        if not isinstance(self.timing, Timing):
            found.append(Problem("timing", "must be a Timing"))
        hooks = {"on_attempt": _hook_problem(self.on_attempt), "on_call": _hook_problem(self.on_call)}
        found += [Problem(name, problem) for name, problem in hooks.items() if problem is not None]
        return found + limit_problems(self.max_connections, self.max_response_bytes)

    def _check(self) -> None:
        problems = self.problems()
        if problems:
            raise InvalidArgumentError(problems)


def _hook_problem(hook: object) -> str | None:
    while isinstance(hook, partial):
        hook = cast("partial[object]", hook).func
    if hook is None:
        return None
    if not callable(hook):
        return "must be a function or None"
    for called in (hook, type(hook).__call__):
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            return "must be a plain function: a coroutine function would not be awaited"
    return None


def limit_problems(max_connections: object, max_response_bytes: object) -> list[Problem]:
    """Return the limits that are not ints of 1 or more."""
    limits = {"max_connections": max_connections, "max_response_bytes": max_response_bytes}
    return [
        Problem(name, "must be an int of 1 or more")
        for name, value in limits.items()
        if type(value) is not int or value < 1
    ]


def is_unverified(context: SSLContext | None) -> bool:
    """Return whether a context skips the verification of the server's certificate or host name."""
    return isinstance(context, SSLContext) and (context.verify_mode is CERT_NONE or not context.check_hostname)


def read_token(token: str | None) -> str:
    """Return the token from the argument or the environment.

    Raises:
        ConfigurationError: If there is none, or it cannot be sent in a header.
    """
    found = os.environ.get(TOKEN_VARIABLE) if token is None else token
    if isinstance(found, str) and _TOKEN.fullmatch(found):
        return found
    message = "the token contains whitespace, a control character or a non-ASCII character"
    if not found:
        message = f"no token: pass token=, or set {TOKEN_VARIABLE}"
    token = None
    del found
    raise ConfigurationError(message)


def webhook_secrets(secret: str | bytes | Sequence[str | bytes] | None) -> tuple[bytes, ...]:
    """Return the secrets of webhook subscriptions from the argument or the environment, as bytes.

    Raises:
        ConfigurationError: If there is none, or one of them is empty, since anybody could sign with that.
    """
    found = os.environ.get(SECRET_VARIABLE) if secret is None else secret
    every: Sequence[object] = (found,) if isinstance(found, (str, bytes)) else found or ()
    if isinstance(every, (tuple, Sequence)) and every:
        secrets = tuple([_secret_bytes(one) for one in every])
        if all(secrets):
            return secrets
        del secrets
    message = "a webhook secret must be a str or bytes that is not blank"
    if not found:
        message = f"no webhook secret: pass secret=, or set {SECRET_VARIABLE}"
    secret = None
    del found, every
    raise ConfigurationError(message)


def _secret_bytes(secret: object) -> bytes:
    """Return a secret as bytes, or no bytes if it cannot be one."""
    if isinstance(secret, str):
        try:
            secret = secret.encode("utf-8", "surrogateescape")  # as os.environ decodes
        except UnicodeEncodeError:
            return b""
    return secret if isinstance(secret, bytes) and secret.strip() else b""


def read_base_url(base_url: str | None, *, allow_http: bool) -> str:
    """Return the base URL from the argument or the environment, without a trailing slash.

    Raises:
        ConfigurationError: If it is not an http or https URL, or would send the token in clear text.
    """
    found = base_url if base_url is not None else os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    problem = _base_url_problem(found, allow_http=allow_http)
    if problem is None:
        return found.rstrip("/")
    base_url = None
    del found
    raise ConfigurationError(problem)


def _base_url_problem(url: object, *, allow_http: bool) -> str | None:
    parts = _split(url)
    if parts is None:
        return "the base URL must look like https://api.linqapp.com"
    if "?" in str(url) or "#" in str(url) or "@" in parts.netloc:
        return "the base URL must not contain a user, a query or a fragment"
    host = parts.hostname or ""
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        return f"http to {host} would expose the token on the network: use https or pass allow_http=True"
    return None


def _split(url: object) -> SplitResult | None:
    """Split an http or https URL that aiohttp can use. Return None for anything else."""
    if not isinstance(url, str) or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        return None
    try:
        parts = urlsplit(url)
        usable = URL(url)
        host = usable.raw_host or ""
        readable = bool(usable.authority)  # error messages print it, and yarl decodes it lazily
        same = (usable.scheme, usable.explicit_port) == (parts.scheme, parts.port)
    except (ValueError, IndexError):  # yarl raises both
        return None
    usable_host = readable and parts.hostname and _HOST.fullmatch(host)
    return parts if same and parts.scheme in {"http", "https"} and usable_host else None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or address alone. DNS is not consulted."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_proxy(proxy: str | None, base_url: str, *, allow_http: bool = False) -> str | None:
    """Return the proxy for a base URL, from the argument or the environment, or None if there is none.

    Read once per client, because aiohttp's ``trust_env`` uses two threads for each request.

    Raises:
        ConfigurationError: If it is not an http or https URL, or would send the token in clear text.
    """
    found = _environment_proxy(base_url) if proxy is None else proxy
    problem = None if found is None else _proxy_problem(found, base_url, allow_http=allow_http)
    if problem is None:
        return found
    proxy = None
    del found
    raise ConfigurationError(problem)


def _proxy_problem(proxy: object, base_url: str, *, allow_http: bool) -> str | None:
    parts = _split(proxy)
    if parts is None:
        return "the proxy must look like http://proxy.example:3128"
    in_clear = urlsplit(base_url).scheme == parts.scheme == "http" and not allow_http
    if in_clear and not is_loopback(parts.hostname or ""):
        return "http through this proxy would expose the token on the network: use https or pass allow_http=True"
    return None


def _environment_proxy(base_url: str) -> str | None:
    target = urlsplit(base_url)
    if is_loopback(target.hostname or "") or proxy_bypass(target.netloc):
        return None
    found = getproxies()
    return found.get(target.scheme) or found.get("all") or None


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the caller's headers.

    Raises:
        ConfigurationError: If a header cannot be sent, or the client sets it.
    """
    found = dict(headers or {})
    problem = next((one for one in map(_header_problem, found, found.values()) if one is not None), None)
    if problem is None:
        return found
    headers = None
    del found
    raise ConfigurationError(problem)


def _header_problem(name: object, value: object) -> str | None:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        return "invalid header name"
    if name.lower() in OWN_HEADERS:
        return f"the header {name} is set by the client"
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        return f"the header {name} contains a control character or is not a str"
    return None
