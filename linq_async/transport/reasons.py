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
_ASK_AGAIN = frozenset({408, 425, 429})  # the 4xx after which a proxy may answer differently a moment later
_HUNG_UP = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


def connect_reason(error: Exception, *, https: bool) -> ConnectReason:
    """Return the ``reason`` of a ConnectError."""
    if isinstance(error, aiohttp.ClientHttpProxyError) and 400 <= error.status <= 499:
        return "proxy" if error.status in _ASK_AGAIN else "proxy_denied"
    reason: ConnectReason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
    if reason == "refused" and isinstance(error, aiohttp.ClientConnectorError):
        # The server accepted the connection before it hung up: over https, during the handshake.
        return "tls" if https and isinstance(error.os_error, _HUNG_UP) else reason
    return reason
