"""Why no connection was made, in one word."""

from __future__ import annotations

import ssl

import aiohttp

_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
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


def connect_reason(error: Exception, *, https: bool) -> str:
    """Return the ``reason`` of a ConnectError."""
    if isinstance(error, aiohttp.ClientHttpProxyError) and 400 <= error.status <= 499:
        return "proxy" if error.status in _ASK_AGAIN else "proxy_denied"
    reason = next((word for kind, word in _REASONS if isinstance(error, kind)), "lost")
    if reason == "refused" and isinstance(error, aiohttp.ClientConnectorError):
        # Who hangs up took the connection first: over https, that is in the handshake.
        return "tls" if https and isinstance(error.os_error, _HUNG_UP) else reason
    return reason
