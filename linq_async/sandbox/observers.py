"""Observe the exchanges of every sandbox in this process, as bytes."""

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import attrs

MAX_BODY = 64 << 20
logger: logging.Logger = logging.getLogger("linq_async.sandbox")


@attrs.define
class RecordedBody:
    """The body of a request while it comes in; the rest beyond `limit` bytes is counted but not kept."""

    limit: int = MAX_BODY
    chunks: list[bytes] = attrs.Factory(list[bytes])
    size: int = 0
    complete: bool = False

    def add(self, chunk: bytes) -> None:
        """Keep a chunk, or as much of it as there is room for."""
        if self.size < self.limit:
            self.chunks.append(chunk[: self.limit - self.size])
        self.size += len(chunk)


@attrs.frozen(kw_only=True)
class ObservedResponse:
    """The status, headers and body that were sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ObservedExchange:
    """One request that passed the checks of `Host` and `Origin`, and its response."""

    method: str
    target: str
    """Path and query, as they were sent."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    body_size: int
    """The bytes of the body that came in; more than those of `body` if it was too large to keep."""
    complete: bool
    """Whether the body was received to its end."""
    response: ObservedResponse | None
    """None if no whole response was sent."""
    fault: str | None
    """The scripted faults of this exchange, as the log shows them."""
    error: Exception | None
    """What ended the exchange: a `ConnectionError` if the client left, any other for a failure of the sandbox."""


Observer = Callable[[ObservedExchange], object]
_observers: list[Observer] = []


@contextmanager
def observe(observer: Observer) -> Generator[None]:
    """Call the observer, on the sandbox's thread, with each exchange before its response is sent.

    It sees the token, phone numbers and texts. It must be quick, since the response waits for it; if it raises, that is
    logged, and the response is sent as if it had not been there.
    """
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def current_observers() -> tuple[Observer, ...]:
    """Return the observers of this process."""
    return tuple(_observers)


def notify(exchange: ObservedExchange) -> None:
    """Show an exchange to all observers."""
    for observer in current_observers():
        try:
            observer(exchange)
        except Exception as error:  # noqa: BLE001  # an observer must not change what the client gets
            # Without its traceback, whose frames hold the exchange.
            logger.error("an observer of exchanges failed: %s", type(error).__name__)
