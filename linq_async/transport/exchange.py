"""One exchange with the server, and what its failures mean.

Errors are raised outside the handlers that caught their causes, a cancellation too: a frame of aiohttp, linked to an
error, would show the token to whoever prints a traceback with its locals.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, http_exceptions
from multidict import CIMultiDict
from yarl import URL

from linq_async.config import Settings
from linq_async.errors import (
    ClientStateError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    LinqError,
    Outcome,
    RequestTimeoutError,
)
from linq_async.transport.clock import AttemptClock
from linq_async.transport.payload import AttemptBody
from linq_async.transport.reasons import connect_reason
from linq_async.transport.session import Pool
from linq_async.wire.body import Body
from linq_async.wire.request import RawResponse, Request


class _DroppedError(aiohttp.ClientError):
    """What aiohttp would have answered by sending the request once more."""


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from resending a GET, PUT or DELETE by itself, so that ``attempts`` is true."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        dropped = type(error).__name__
    raise _DroppedError(dropped)


# aiohttp resends these; for POST and PATCH there is nothing to keep it from.
_RESENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class Exchange:
    """A request on its way, and its answer as far as it has come. Prints as nothing but its name."""

    __slots__ = ("_body", "_clock", "_pool", "_received", "_request", "_response", "_settings")

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        request: Request,
        recipe: Body,
        remaining: float,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._request = request
        self._clock = AttemptClock(pool.watch, settings.timeouts, remaining, request.extra_read_seconds)
        self._body = AttemptBody(recipe, self._clock)
        self._response: ClientResponse | None = None
        self._received = bytearray()

    @property
    def left(self) -> bool:
        """Whether anything may have reached the server."""
        return self._body.left

    @property
    def status(self) -> int | None:
        """The status, once it has come."""
        return None if self._response is None else self._response.status

    @property
    def outcome(self) -> Outcome:
        """What is known of this attempt alone, were it to end now."""
        if not self.left:
            return Outcome.NOT_SENT
        return Outcome.SENT if self.status is not None and 200 <= self.status <= 299 else Outcome.UNKNOWN

    async def run(self) -> RawResponse:
        """Send the request and read the whole answer. Raises a LinqError that knows whether anything had left."""
        ended: RawResponse | BaseException
        body, pool = self._body, self._pool
        while True:  # once, but for connections of the pool that turn out stale: each time it has one less of them
            body.stale, body.pooled = False, pool.idle > 0
            pool.idle -= body.pooled
            try:
                with self._clock:
                    self._response = await pool.session.request(self._request.method, self._url(), **self._options())
                    read = self._at_hand(self._response)
                    if read is None:
                        read = await self._read(self._response)
                    ended = self._answer(read)
            except Exception as error:  # noqa: BLE001  # a fault of aiohttp's or of ours, too, must tell what became of a send
                ended = self._translate(error)
            except BaseException as stopped:  # noqa: BLE001  # a cancellation or an interrupt, without aiohttp's frames
                stopped.__context__ = None
                ended = stopped.with_traceback(None)
            finally:
                self._let_go()
            if isinstance(ended, RawResponse):
                return ended
            if not body.stale or self._clock.expired or not isinstance(ended, ConnectError):
                raise ended
            self._response = None

    def _url(self) -> URL:
        root = _root(self._settings.base_url, self._request.path)
        return root.with_query(self._request.params) if self._request.params else root

    def _let_go(self) -> None:
        """Leave a connection to the pool only where the body has gone out and the answer was read to its end."""
        response = self._response
        if response is not None and response.connection is None and self._body.out:
            self._pool.idle += 1
            return
        if response is not None:
            response.close()
        elif self._body.pooled and not self._body.took_idle:
            self._pool.idle += 1
        self._body.abort()

    def _options(self) -> dict[str, Any]:
        """Return what makes the request, beyond what the session does by itself."""
        options: dict[str, Any] = {"data": self._body, "allow_redirects": False, **self._pool.options}
        headers = self._settings.request_headers
        if headers is not self._pool.headers:
            options["headers"] = self._body.over(headers) if self._pool.lent else headers
        if self._request.method in _RESENT:
            options["middlewares"] = (_send_once,)
        if self._body.without_headers:
            options["skip_auto_headers"] = self._body.without_headers
        return options

    def _at_hand(self, response: ClientResponse) -> bytes | None:
        """Return the answer's body if it has come already, as it nearly always has; None if it must be waited for."""
        if not self._body.left and response.version is not None:  # an answer made by aioresponses has none
            self._body.stale = self._body.pooled
            raise ConnectionResetError("the connection had received an answer before the request")
        content = response.content
        if self._body.out and content.is_eof() and content.total_bytes <= self._settings.max_response_bytes:
            return content.read_nowait()
        return None

    async def _read(self, response: ClientResponse) -> bytes:
        """Read on to the end, or to one byte more than the cap: counted after decompression."""
        received = self._received
        while len(received) <= self._settings.max_response_bytes:
            chunk = await response.content.readany()
            if not chunk:
                break
            received += chunk
        if not self._body.out:
            await response.wait_for_close()
        return bytes(received)

    def _answer(self, body: bytes) -> RawResponse:
        assert self._response is not None
        cap = self._settings.max_response_bytes
        headers: Mapping[str, str] = self._response.headers
        if self._settings.token in headers.get("X-Request-Id", ""):
            headers = _without_request_id(headers)
        return RawResponse(self._response.status, headers, body[:cap], len(body) > cap)

    def _translate(self, error: Exception) -> LinqError | RawResponse:
        """Say what a failure means. A status outside 2xx stands, though its body be cut."""
        if self._pool.closed or self._pool.session.closed:
            closed = ClientStateError("the client was closed while the call was under way")
            closed.outcome = self.outcome
            return closed
        if not self.left:
            return self._not_connected(error)
        if self.status is not None and not 200 <= self.status <= 299:
            return self._answer(bytes(self._received))
        if self._body.failure is not None:
            self._body.failure.outcome = self.outcome
            return self._body.failure
        return self._lost(error)

    def _not_connected(self, error: Exception) -> ConnectError:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientConnectorError):
            return ConnectError(f"no connection within {self._limit:g} s", reason="timeout")
        url = URL(self._settings.base_url)
        reason = connect_reason(error, https=url.scheme == "https")
        return ConnectError(f"no connection to {url.authority} ({reason}): {_name(error)}", reason=reason)

    @property
    def _limit(self) -> float:
        """The limit that was reached, as the caller has set it, not what earlier attempts have left of it."""
        seconds = self._clock.seconds
        if self._clock.phase != "total" or seconds == self._settings.timeouts.total:
            return seconds
        return self._settings.retry.max_elapsed

    def _lost(self, error: Exception) -> LinqError:
        if isinstance(error, TimeoutError):
            phase = "write" if self._clock.phase == "connect" else self._clock.phase  # the headers alone stood still
            return RequestTimeoutError(phase, self._limit, outcome=self.outcome)
        if self.status is not None and isinstance(error.__cause__, http_exceptions.ContentEncodingError):
            return DecodeError(
                f"{self.status}, accepted, but the answer cannot be decompressed",
                paths=["$"],
                status=self.status,
            )
        when = "while the answer was read" if self.status is not None else "before a whole answer came"
        return ConnectionLostError(f"the connection was lost {when}: {_name(error)}", outcome=self.outcome)


def _without_request_id(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Drop a request id that repeats the token: it would be printed and logged."""
    kept = CIMultiDict(headers)
    kept.popall("X-Request-Id")
    return kept


def _name(error: Exception) -> str:
    """Name a failure without its text, which may hold a URL with a phone number in it."""
    name = str(error) if isinstance(error, _DroppedError) else type(error).__name__
    numbers = {"errno": getattr(error, "errno", None), "status": getattr(error, "status", None)}
    return ", ".join([name, *[f"{what} {number}" for what, number in numbers.items() if isinstance(number, int)]])


@functools.lru_cache(maxsize=256)
def _root(base_url: str, path: str) -> URL:
    return URL(base_url + path)
