"""Why no connection was made, in one word."""

from __future__ import annotations

import ssl

import aiohttp

from linq_async.errors import ConnectReason

_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], ConnectReason], ...] = (
    (aiohttp.ClientConnectorCertificateError, "certificate"),
    (aiohttp.ServerFingerprintMismatch, "certificate"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), "proxy"),
    (ssl.SSLError, "tls"),
    (aiohttp.ClientConnectorError, "refused"),
    (Exception, "lost"),
)
_ASK_AGAIN = frozenset({408, 425, 429})  # of 4xx, what a proxy may answer otherwise a moment later
_HUNG_UP = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


def connect_reason(error: Exception, *, https: bool) -> ConnectReason:
    """Return the ``reason`` of a ConnectError."""
    if isinstance(error, aiohttp.ClientHttpProxyError) and 400 <= error.status <= 499:
        return "proxy" if error.status in _ASK_AGAIN else "proxy_denied"
    reason = _reason_of(error)
    if reason == "refused" and isinstance(error, aiohttp.ClientConnectorError):
        # Who hangs up took the connection first: over https, that is in the handshake.
        return "tls" if https and isinstance(error.os_error, _HUNG_UP) else reason
    return reason


def _reason_of(error: Exception) -> ConnectReason:
    """Return the reason for the first of the classes above that the error belongs to."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "lost"
