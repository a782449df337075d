"""Holds every exchange with a sandbox of this process against the contract, as it happens."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

import linq_async.sandbox.app as edge_of_the_sandbox

from .departures import unforgiven
from .exchange import ContractError, Exchange, Violation

LARGEST_BODY = 64 << 20
FILES = "/files/"
"""Where the sandbox serves what was uploaded: no part of the API."""


@dataclass
class Body:
    """The body of a request, while it comes in."""

    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = False

    def add(self, chunk: bytes) -> None:
        """Keep a chunk, up to a size."""
        self.size += len(chunk)
        if self.size <= LARGEST_BODY:
            self.chunks.append(chunk)


@dataclass
class Exemption:
    """Leave to be outside the contract, in the places named."""

    reason: str
    places: tuple[str, ...]
    strict: bool = True
    used: int = 0

    def __post_init__(self) -> None:
        if not self.reason or not self.places:
            raise ValueError("an exemption needs a reason, and the places such as 'request.body' that it is for")

    def covers(self, violation: Violation) -> bool:
        """Whether it is for this violation."""
        return violation.where in self.places

    def check_use(self) -> None:
        """Fail where nothing was outside the contract."""
        if self.strict and not self.used:
            raise AssertionError(f"nothing was outside the contract in {', '.join(self.places)}: {self.reason}")


class Recorder:
    """What was exchanged, and what of it was outside the contract."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.exemptions: list[Exemption] = []
        self.exchanges: deque[Exchange] = deque(maxlen=8)
        """The latest, for tests of the recorder."""
        self._failures: list[ContractError] = []
        self._lock = threading.Lock()

    def take(self, exchange: Exchange) -> None:
        """Hold one exchange against the contract, and keep what is wrong with it for the test's end."""
        self.exchanges.append(exchange)
        self.counts["exchanges"] += 1
        self.counts["of the client"] += exchange.from_client
        violations = [one for one in unforgiven(exchange) if not self._exempt(one)]
        if violations:
            self.fail(ContractError(exchange, violations))

    def _exempt(self, violation: Violation) -> bool:
        for exemption in self.exemptions:
            if exemption.covers(violation):
                exemption.used += 1
                self.counts["exempt"] += 1
                return True
        return False

    def fail(self, error: ContractError) -> None:
        """Keep a failure."""
        with self._lock:
            self._failures.append(error)

    def failures(self) -> list[ContractError]:
        """Return the failures since this was asked last."""
        with self._lock:
            found, self._failures = self._failures, []
        return found

    def raise_failures(self) -> None:
        """Raise what was found since this was asked last."""
        found = self.failures()
        if found:
            raise AssertionError("outside the contract:\n" + "\n".join(str(one) for one in found))


_running: list[Recorder] = []
_body: ContextVar[Body | None] = ContextVar("body", default=None)
_restore: list[Callable[[], None]] = []


def start() -> Recorder:
    """Begin to record; a recorder within another one takes all until it stops."""
    if not _running:
        _install()
    _running.append(Recorder())
    return _running[-1]


def stop(recorder: Recorder) -> None:
    """Stop to record, and give the sandbox its own functions back."""
    _running.remove(recorder)
    if not _running:
        while _restore:
            _restore.pop()()


def current() -> Recorder:
    """Give the recorder that runs."""
    if not _running:
        raise RuntimeError("no exchanges are recorded: add 'contract.plugin' to pytest_plugins in tests/conftest.py")
    return _running[-1]


@contextmanager
def off_contract(reason: str, *places: str, strict: bool = True) -> Iterator[Exemption]:
    """Let exchanges be outside the contract in places such as `request.body`; at least one must be, if strict."""
    exemption = Exemption(reason, places, strict)
    exemptions = current().exemptions
    exemptions.append(exemption)
    try:
        yield exemption
    finally:
        exemptions.remove(exemption)
    exemption.check_use()


def _install() -> None:
    """Stand between the sandbox's reading and answering. Names that are gone raise here."""
    chunks, exchange = edge_of_the_sandbox._chunks, edge_of_the_sandbox._exchange

    async def recorded_chunks(request: web.Request) -> AsyncIterator[bytes]:
        body = _body.get()
        async for chunk in chunks(request):
            if body is not None:
                body.add(chunk)
            yield chunk
        if body is not None:
            body.whole = True

    async def recorded_exchange(edge: Any, route: Any, request: web.Request, form: Any, entry: Any) -> Any:
        body = Body()
        token = _body.set(body)
        try:
            response = await exchange(edge, route, request, form, entry)
        except ConnectionError:
            current().counts["broken off"] += 1
            raise
        except Exception as error:
            what = Violation("answer.status", f"the sandbox failed: {error!r}", status=500)
            current().fail(ContractError(Exchange(request.method, request.raw_path, status=500), [what]))
            raise
        finally:
            _body.reset(token)
        _take(request, body, response, entry)
        return response

    _replace("_chunks", recorded_chunks)
    _replace("_exchange", recorded_exchange)


def _replace(name: str, value: object) -> None:
    original = getattr(edge_of_the_sandbox, name)
    setattr(edge_of_the_sandbox, name, value)
    _restore.append(lambda: setattr(edge_of_the_sandbox, name, original))


def _take(request: web.Request, body: Body, response: web.StreamResponse, entry: Any) -> None:
    """Record one exchange. What goes wrong here is told as a failure, and does not change the answer."""
    recorder = current()
    exchange = Exchange(
        method=request.method,
        url=request.raw_path,
        request_headers=request.headers,
        request_body=b"".join(body.chunks),
        **_answer(recorder, response, entry),
    )
    if not body.whole:
        # There was no whole request to be checked.
        recorder.counts["broken off"] += 1
    elif body.size > LARGEST_BODY:
        recorder.fail(ContractError(exchange, [Violation("request.body", "too large to be recorded")]))
    elif not request.path.startswith(FILES):
        try:
            recorder.take(exchange)
        except Exception as error:
            recorder.fail(ContractError(exchange, [Violation("recorder", repr(error))]))


def _answer(recorder: Recorder, response: web.StreamResponse, entry: Any) -> dict[str, Any]:
    """Take the answer, unless a fault that the test scripted stands in its place."""
    fault = entry.fault or ""
    if "answer" in fault:
        recorder.counts["scripted answers"] += 1
    elif "drop" in fault or "cut" in fault or not isinstance(response, web.Response):
        recorder.counts["lost answers"] += 1
    else:
        content = response.body if isinstance(response.body, bytes) else b""
        return {"status": response.status, "response_headers": response.headers, "response_body": content}
    return {}
