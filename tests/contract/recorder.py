"""Check every exchange with a sandbox of this process against the contract, as it happens."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from linq_async.sandbox import ObservedExchange, observe

from .departures import unforgiven
from .exchange import ContractError, Exchange, Violation


@dataclass
class Exemption:
    """Permission to be outside the contract in some places."""

    reason: str
    places: tuple[str, ...]
    strict: bool = True
    used: int = 0

    def __post_init__(self) -> None:
        if not self.reason or not self.places:
            raise ValueError("an exemption needs a reason, and the places such as 'request.body' that it is for")

    def covers(self, violation: Violation) -> bool:
        """Return whether this covers a violation."""
        return violation.where in self.places

    def check_use(self) -> None:
        """Fail if nothing was outside the contract."""
        if self.strict and not self.used:
            raise AssertionError(f"nothing was outside the contract in {', '.join(self.places)}: {self.reason}")


class Recorder:
    """What was exchanged, and what of it was outside the contract."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.exemptions: list[Exemption] = []
        self.exchanges: deque[Exchange] = deque(maxlen=8)
        """The latest exchanges, which only tests of the recorder read."""
        self._failures: list[ContractError] = []
        self._lock = threading.Lock()

    def take(self, exchange: Exchange) -> None:
        """Check one exchange against the contract, and keep its violations until the end of the test."""
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
        """Return the failures since the last call."""
        with self._lock:
            found, self._failures = self._failures, []
        return found

    def raise_failures(self) -> None:
        """Raise the failures since the last call."""
        found = self.failures()
        if found:
            raise AssertionError("outside the contract:\n" + "\n".join(str(one) for one in found))


_running: list[Recorder] = []
_observing = ExitStack()


def start() -> Recorder:
    """Start recording. A recorder started within another one takes its place until it stops."""
    if not _running:
        _observing.enter_context(observe(_take))
    _running.append(Recorder())
    return _running[-1]


def stop(recorder: Recorder) -> None:
    """Stop recording; the last recorder stops observing the sandboxes."""
    _running.remove(recorder)
    if not _running:
        _observing.close()


def current() -> Recorder:
    """Return the running recorder."""
    if not _running:
        raise RuntimeError("no exchanges are recorded: tests/conftest.py must name tests.contract.plugin")
    return _running[-1]


@contextmanager
def off_contract(reason: str, *places: str, strict: bool = True) -> Generator[Exemption]:
    """Let exchanges be outside the contract in places such as `request.body`; at least one must be, if strict."""
    exemption = Exemption(reason, places, strict)
    exemptions = current().exemptions
    exemptions.append(exemption)
    try:
        yield exemption
    finally:
        exemptions.remove(exemption)
    exemption.check_use()


def _take(observed: ObservedExchange) -> None:
    """Record one exchange. What goes wrong here is kept as a failure, and does not change the response."""
    recorder = current()
    exchange = Exchange(
        method=observed.method,
        url=observed.target,
        request_headers=observed.headers,
        request_body=observed.body,
    )
    if isinstance(observed.error, ConnectionError):
        recorder.counts["broken off"] += 1
    elif observed.error is not None:
        what = Violation("answer.status", f"the sandbox failed: {observed.error!r}", status=500)
        recorder.fail(ContractError(replace(exchange, status=500), [what]))
    elif not observed.complete:
        # Only a part of the request arrived, which cannot be checked.
        recorder.counts["broken off"] += 1
    elif observed.body_size > len(observed.body):
        recorder.fail(ContractError(exchange, [Violation("request.body", "too large to be recorded")]))
    else:
        try:
            recorder.take(_answered(recorder, exchange, observed))
        except Exception as error:
            recorder.fail(ContractError(exchange, [Violation("recorder", repr(error))]))


def _answered(recorder: Recorder, exchange: Exchange, observed: ObservedExchange) -> Exchange:
    """Add the response, unless a test scripted it or it was lost."""
    response = observed.response
    if "answer" in (observed.fault or ""):
        recorder.counts["scripted answers"] += 1
    elif response is None:
        recorder.counts["lost answers"] += 1
    else:
        return replace(exchange, status=response.status, response_headers=response.headers, response_body=response.body)
    return exchange
