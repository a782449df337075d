"""One exchange with the server, and what its failures mean.

Errors and cancellations are raised outside the handlers that caught their causes: a traceback with locals would show
the token, which is in the frames of aiohttp.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, http_exceptions
from multidict import CIMultiDict, istr
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
from linq_async.transport.payload import AttemptPayload
from linq_async.transport.reasons import connect_reason
from linq_async.transport.session import Pool
from linq_async.transport.timeout import AttemptTimeout
from linq_async.wire.body import Body
from linq_async.wire.request import RawResponse, Request


class _DroppedError(aiohttp.ClientError):
    """A failure after which aiohttp would have sent the request again."""


async def _without_resending(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from resending a GET, PUT or DELETE by itself, so that ``attempts`` is correct."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        dropped = type(error).__name__
    raise _DroppedError(dropped)


# The methods that aiohttp resends.
_RESENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REQUEST_ID = istr("X-Request-Id")


class Exchange:
    """A request on its way, and as much of its answer as has arrived. Its ``repr`` shows nothing of them."""

    __slots__ = ("_payload", "_pool", "_received", "_request", "_response", "_settings", "_timeout")

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        request: Request,
        body: Body,
        remaining: float,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._request = request
        self._timeout = AttemptTimeout(pool.timer, settings.timeouts, remaining, request.extra_read_seconds)
        self._payload = AttemptPayload(body, self._timeout)
        self._response: ClientResponse | None = None
        self._received = bytearray()

    @property
    def may_have_sent(self) -> bool:
        """Whether anything may have reached the server."""
        return self._payload.may_have_sent

    @property
    def status(self) -> int | None:
        """The HTTP status; None before the headers of the answer have arrived."""
        return None if self._response is None else self._response.status

    @property
    def outcome(self) -> Outcome:
        """The outcome of this attempt alone, if it ended now."""
        if not self.may_have_sent:
            return Outcome.NOT_SENT
        return Outcome.SENT if self.status is not None and 200 <= self.status <= 299 else Outcome.UNKNOWN

    async def run(self) -> RawResponse:
        """Send the request and read the whole answer. Raises a LinqError with the outcome of this attempt."""
        ended: RawResponse | BaseException
        payload, pool = self._payload, self._pool
        while True:  # again only if the connection was stale: each time the pool has one less of them
            payload.stale, payload.pooled = False, pool.idle > 0
            pool.idle -= payload.pooled
            try:
                with self._timeout:
                    self._response = await pool.session.request(self._request.method, self._url(), **self._options())
                    body = self._buffered_body(self._response)
                    if body is None:
                        body = await self._read(self._response)
                    ended = self._raw_response(body)
            except Exception as error:  # noqa: BLE001  # after any fault, the caller must learn the outcome
                ended = self._translate(error)
            except BaseException as stopped:  # noqa: BLE001  # a cancellation or an interrupt, without the frames of aiohttp
                stopped.__context__ = None
                ended = stopped.with_traceback(None)
            finally:
                self._release_connection()
            if isinstance(ended, RawResponse):
                return ended
            if not payload.stale or self._timeout.expired or not isinstance(ended, ConnectError):
                raise ended
            self._response = None

    def _url(self) -> URL:  # never a local of a frame that raises: the query may contain phone numbers
        url = _parsed_url(self._settings.base_url, self._request.path)
        return url.with_query(self._request.params) if self._request.params else url

    def _release_connection(self) -> None:
        """Return the connection to the pool if the body was sent and the answer was read to its end; else drop it."""
        response = self._response
        if response is not None and response.connection is None and self._payload.fully_written:
            self._pool.idle += 1
            return
        if response is not None:
            response.close()
        elif self._payload.pooled and not self._payload.took_idle:
            self._pool.idle += 1
        self._payload.abort()

    def _options(self) -> dict[str, Any]:
        """Return the options of the request, as far as the session does not have them already."""
        options: dict[str, Any] = {"data": self._payload, "allow_redirects": False, **self._pool.options}
        headers = self._settings.request_headers
        if headers is not self._pool.headers:
            options["headers"] = self._payload.with_content_type(headers) if self._pool.external else headers
        if self._request.method in _RESENT:
            options["middlewares"] = (_without_resending,)
        if self._payload.skipped_headers:
            options["skip_auto_headers"] = self._payload.skipped_headers
        return options

    def _buffered_body(self, response: ClientResponse) -> bytes | None:
        """Return the body of the answer if it has arrived already, as it nearly always has; else None."""
        if not self._payload.may_have_sent and response.version is not None:  # aioresponses gives answers none
            self._payload.stale = self._payload.pooled
            raise ConnectionResetError("unsolicited response on an idle connection")
        content = response.content
        if (
            self._payload.fully_written
            and content.is_eof()
            and content.total_bytes <= self._settings.max_response_bytes
        ):
            return content.read_nowait()
        return None

    async def _read(self, response: ClientResponse) -> bytes:
        """Read to the end, or to one byte more than the cap, which counts decompressed bytes."""
        received = self._received
        while len(received) <= self._settings.max_response_bytes:
            chunk = await response.content.readany()
            if not chunk:
                break
            received += chunk
        if not self._payload.fully_written:
            await response.wait_for_close()
        return bytes(received)

    def _raw_response(self, body: bytes) -> RawResponse:
        assert self._response is not None
        cap = self._settings.max_response_bytes
        headers: Mapping[str, str] = self._response.headers
        if self._settings.token in headers.get(_REQUEST_ID, ""):  # it would be printed and logged
            headers = kept = CIMultiDict(headers)
            kept.popall(_REQUEST_ID)
        return RawResponse(self._response.status, headers, body[:cap], len(body) > cap)

    def _translate(self, error: Exception) -> LinqError | RawResponse:
        """Return what a failure becomes: an error, or an answer outside 2xx, even if its body is cut."""
        if self._pool.closed or self._pool.session.closed:
            closed = ClientStateError("the client was closed while the call was under way")
            closed.outcome = self.outcome
            return closed
        if not self.may_have_sent:
            return self._not_connected(error)
        if self.status is not None and not 200 <= self.status <= 299:
            return self._raw_response(bytes(self._received))
        if self._payload.failure is not None:
            self._payload.failure.outcome = self.outcome
            return self._payload.failure
        return self._lost(error)

    def _not_connected(self, error: Exception) -> ConnectError:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientConnectorError):
            return ConnectError(f"no connection within {self._limit:g} s", reason="timeout")
        url = URL(self._settings.base_url)
        reason = connect_reason(error, https=url.scheme == "https")
        return ConnectError(f"no connection to {url.authority} ({reason}): {_name(error)}", reason=reason)

    @property
    def _limit(self) -> float:
        """The limit that was reached, as the caller has set it."""
        seconds = self._timeout.seconds
        if self._timeout.phase != "total" or seconds == self._settings.timeouts.total:
            return seconds
        return self._settings.retry.max_elapsed

    def _lost(self, error: Exception) -> LinqError:
        if isinstance(error, TimeoutError):
            phase = "write" if self._timeout.phase == "connect" else self._timeout.phase  # the headers were not taken
            return RequestTimeoutError(phase, self._limit, outcome=self.outcome)
        if self.status is not None and isinstance(error.__cause__, http_exceptions.ContentEncodingError):
            return DecodeError(
                f"{self.status}, accepted, but the answer cannot be decompressed",
                paths=["$"],
                status=self.status,
            )
        when = "while the answer was read" if self.status is not None else "before a whole answer came"
        return ConnectionLostError(f"the connection was lost {when}: {_name(error)}", outcome=self.outcome)


def _name(error: Exception) -> str:
    """Name a failure without its text, which may hold a URL with a phone number in it."""
    name = str(error) if isinstance(error, _DroppedError) else type(error).__name__
    numbers = {"errno": getattr(error, "errno", None), "status": getattr(error, "status", None)}
    return ", ".join([name, *[f"{what} {number}" for what, number in numbers.items() if isinstance(number, int)]])


@functools.lru_cache(maxsize=256)
def _parsed_url(base_url: str, path: str) -> URL:
    return URL(base_url + path)
