"""A session that belongs to the caller: what it must not send, and what each request sets in its place."""

from __future__ import annotations

import functools
import ssl
from typing import Any

import aiohttp

from linq_async.arguments import OWN_HEADERS
from linq_async.config import Settings
from linq_async.errors import ConfigurationError, InvalidArgumentError, LinqError, Problem

NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

_NOT_BY_DEFAULT = OWN_HEADERS - {"content-type"}  # each request with a body replaces it


def external_session_error(session: object, settings: Settings) -> LinqError | None:
    """Return the error if a session must not be used: it would break requests, or show the token to the network."""
    if not isinstance(session, aiohttp.ClientSession):
        return InvalidArgumentError([Problem("session", "must be an aiohttp.ClientSession, or None")])
    names = sorted(_NOT_BY_DEFAULT.intersection(map(str.lower, session.headers)))
    if names:
        return ConfigurationError(
            f"the session's default headers must not contain {', '.join(names)}: the client sets it"
        )
    if settings.proxy is not None or _is_https(settings):
        return None
    if session.trust_env:
        return ConfigurationError("over http, a session with trust_env=True may show the token to a proxy: pass proxy=")
    if getattr(session, "_default_proxy", None) is not None:  # aiohttp has no public name for it
        return ConfigurationError("over http, a session with a proxy of its own shows the token to it: pass proxy=")
    return None


def external_options(settings: Settings) -> dict[str, Any]:
    """Return the options of each request, which replace the settings of the session."""
    return {
        "raise_for_status": False,
        "auto_decompress": True,
        "timeout": NO_TIMEOUT,
        "proxy": settings.proxy,
        "ssl": settings.ssl or (_verifying_context() if _is_https(settings) else True),
        "middlewares": (),  # those of the session might send again
    }


def _is_https(settings: Settings) -> bool:
    return settings.base_url.lower().startswith("https:")


@functools.cache
def _verifying_context() -> ssl.SSLContext:
    """Return a context that verifies the server, in place of the one of the session, which may not."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context
