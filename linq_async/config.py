"""Settings of a client: frozen values, checked when given. The one reader of the environment."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping
from ssl import SSLContext
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs
from multidict import CIMultiDict

from linq_async._version import __version__
from linq_async.attempts import Attempt
from linq_async.errors import ConfigurationError, InvalidArgumentError, Problem

DEFAULT_BASE_URL = "https://api.linqapp.com"
TOKEN_HEADER = "X-LINQ-INTEGRATION-TOKEN"  # noqa: S105  # the header's name, not a token
TOKEN_VARIABLE = "LINQ_INTEGRATION_TOKEN"  # noqa: S105
BASE_URL_VARIABLE = "LINQ_BASE_URL"

AttemptHook = Callable[[Attempt], None]

_TOKEN = re.compile(r"[\x21-\x7e]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")
_OWN_HEADERS = frozenset(
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


def _is_number(value: object, *, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidArgumentError(problems)


@attrs.frozen
class Timeouts:
    """How long the phases of one attempt may take, in seconds. None is no limit."""

    connect: float | None = 5.0
    """To get a connection: name look-up, TCP and TLS together."""
    write: float | None = 30.0
    """Without progress while the body goes out. An upload that moves may take longer, up to ``max_elapsed``."""
    read: float | None = 60.0
    """From the body's end to the answer's end. 30 s are added for each attachment URL, for they are fetched first."""
    total: float | None = None
    """One attempt in all."""

    def __attrs_post_init__(self) -> None:
        _refuse(
            [
                Problem(name, "must be a number of seconds above 0, or None")
                for name, value in attrs.asdict(self).items()
                if value is not None and not (_is_number(value, least=0) and value > 0)
            ]
        )


@attrs.frozen
class RetryPolicy:
    """How often, and for how long, a call is repeated. What is repeated at all is not a matter of taste."""

    max_attempts: int = 4
    """Attempts in all, the first one counted."""
    initial_delay: float = 0.5
    """Seconds: the first wait is drawn between 0 and this; each later one from twice as much."""
    max_delay: float = 8.0
    """Seconds: no wait of ours is longer. A server's Retry-After may be."""
    max_elapsed: float = 120.0
    """Seconds for the whole call, waits included. It starts when a connection slot is held and cuts every attempt."""

    def __attrs_post_init__(self) -> None:
        problems = [
            Problem(name, "must be a number of seconds, 0 or more")
            for name in ("initial_delay", "max_delay")
            if not _is_number(getattr(self, name), least=0)
        ]
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            problems.append(Problem("max_attempts", "must be an int of 1 or more"))
        if not _is_number(self.max_elapsed, least=0) or not self.max_elapsed > 0:
            problems.append(Problem("max_elapsed", "must be a number of seconds above 0"))
        _refuse(problems)

    @classmethod
    def none(cls) -> RetryPolicy:
        """Return the policy of a single attempt, which never waits for the server either."""
        return cls(max_attempts=1)


@attrs.frozen(kw_only=True)
class Settings:
    """What one client, or one that ``with_options`` derived from it, sends with."""

    token: str = attrs.field(repr=False)
    base_url: str
    proxy: str | None = attrs.field(default=None, repr=False)
    ssl: SSLContext | None = attrs.field(default=None, repr=False)
    retry: RetryPolicy = RetryPolicy()
    timeouts: Timeouts = Timeouts()
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    on_attempt: AttemptHook | None = None
    max_response_bytes: int = 8 << 20

    @functools.cached_property
    def request_headers(self) -> CIMultiDict[str]:
        """The headers of every request; the caller's own may replace the agent and what is accepted."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        own = {"Accept": "application/json", "User-Agent": f"linq-async/{__version__} python/{python}"}
        return CIMultiDict({**merged_headers(own, self.headers), TOKEN_HEADER: self.token})


def read_token(token: str | None) -> str:
    """Return the token, the argument before the environment, once it can stand in a header."""
    found = os.environ.get(TOKEN_VARIABLE) if token is None else token
    if not found:
        raise ConfigurationError(f"no token: pass token=, or set {TOKEN_VARIABLE}")
    if not isinstance(found, str) or not _TOKEN.fullmatch(found):
        raise ConfigurationError("the token holds whitespace, a control or a non-ASCII character")
    return found


def read_base_url(base_url: str | None, *, allow_http: bool) -> str:
    """Return the base URL without its last slash: https, or http to this machine, or http that was asked for."""
    found = base_url if base_url is not None else os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    parts = _split(found)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("the base URL must look like https://api.linqapp.com")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError("the base URL must hold no user, query or fragment")
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname):
        raise ConfigurationError(
            f"http to {parts.hostname} would show the token to the network: use https, or pass allow_http=True"
        )
    return found.rstrip("/")


def _split(url: object) -> SplitResult | None:
    if not isinstance(url, str) or re.search(r"[\s\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is not a number
    except ValueError:
        return None
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_proxy(proxy: str | None, base_url: str) -> str | None:
    """Return the proxy for a base URL, the argument before the environment. Resolved once: per request it is slow."""
    found = _environment_proxy(base_url) if proxy is None else proxy
    if found is None:
        return None
    parts = _split(found)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("the proxy must look like http://proxy.example:3128")
    return found


def _environment_proxy(base_url: str) -> str | None:
    target = urlsplit(base_url)
    if is_loopback(target.hostname or "") or proxy_bypass(target.netloc):
        return None
    found = getproxies()
    return found.get(target.scheme) or found.get("all") or None


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the caller's headers, once they can be sent and replace none that the body depends on."""
    found = dict(headers or {})
    for name, value in found.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError("a header's name is not a token")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(f"the header {name} is set by the client")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigurationError(f"the header {name} holds a control character, or is not a str")
    return found


def merged_headers(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Add headers to others, replacing a name in whatever case it stands."""
    replaced = {name.lower() for name in new}
    return {**{name: value for name, value in old.items() if name.lower() not in replaced}, **new}


def check_limits(max_connections: int, max_response_bytes: int) -> None:
    """Refuse limits that are not whole numbers above 0."""
    _refuse(
        [
            Problem(name, "must be an int of 1 or more")
            for name, value in (
                ("max_connections", max_connections),
                ("max_response_bytes", max_response_bytes),
            )
            if type(value) is not int or value < 1
        ]
    )
