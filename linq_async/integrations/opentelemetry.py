"""OpenTelemetry: a span for each call, with its attempts as events, and metrics.

Requires the extra ``otel``, which installs the API of OpenTelemetry; your program installs and sets up an SDK.

Example::

    async with LinqClient(on_call=telemetry()) as linq:
        await linq.chats.create(send_from=LINE, phone_numbers=[number], text="Welcome!")

No span and no metric contains a phone number, a text, an id or the token.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs
from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from linq_async._version import __version__
from linq_async.attempts import Attempt, AttemptHook
from linq_async.calls import CallHook, CallInfo
from linq_async.errors import LinqError, Outcome

Attributes: TypeAlias = dict[str, str | int | float]

SCHEMA_URL = "https://opentelemetry.io/schemas/1.27.0"
"""The version of the semantic conventions that the names of the attributes are from."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0)
"""The buckets of durations: those of the conventions for HTTP, and above them, since a call includes its waits."""
ATTEMPTS = (0, 1, 2, 3, 4, 8, 16)


def telemetry(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> CallHook:
    """Return a hook for ``LinqClient(on_call=...)`` that makes spans and metrics of the calls.

    A span is named after its operation. Its attributes are those of HTTP clients in the semantic conventions, except
    for ``url.full``, which may contain a phone number: ``http.request.method``, ``http.request.resend_count``,
    ``http.response.status_code`` (of the last attempt), ``url.template``, ``server.address``, ``server.port`` and
    ``error.type``; and ``linq.outcome`` and ``linq.idempotency_key``. Each attempt that has ended is an event,
    ``linq.attempt``. Spans of requests, such as those of ``opentelemetry-instrumentation-aiohttp-client``, become its
    children.

    The metrics are the histograms ``linq.client.call.duration`` (seconds, with all attempts and waits) and
    ``linq.client.call.attempts``, and the counter ``linq.client.calls``. They have ``linq.operation``,
    ``linq.outcome`` and the attributes of the span, but neither the key nor the template.

    Args:
        tracer_provider: Where spans go. Default: the global provider.
        meter_provider: Where metrics go. Default: the global provider.
    """
    tracer = trace.get_tracer("linq_async", __version__, tracer_provider, SCHEMA_URL)
    meter = metrics.get_meter("linq_async", __version__, meter_provider, SCHEMA_URL)
    return _Instruments(
        tracer,
        meter.create_histogram(
            "linq.client.call.duration",
            "s",
            "The time of a call, with all attempts and waits.",
            explicit_bucket_boundaries_advisory=SECONDS,
        ),
        meter.create_histogram(
            "linq.client.call.attempts",
            "{attempt}",
            "The number of attempts of a call.",
            explicit_bucket_boundaries_advisory=ATTEMPTS,
        ),
        meter.create_counter("linq.client.calls", "{call}", "The number of calls that have ended."),
    ).observe


@attrs.define(eq=False)
class _Progress:
    """What is known of a call while it runs."""

    span: Span
    attempts: int = 0
    last: Attempt | None = None

    def add(self, attempt: Attempt) -> None:
        """Count an attempt when it begins, and make an event of it when it has ended."""
        self.attempts = attempt.number
        self.last = attempt
        if attempt.idempotency_key is not None:
            self.span.set_attribute("linq.idempotency_key", attempt.idempotency_key)
        if attempt.finished:
            known = {
                "linq.attempt.number": attempt.number,
                "linq.attempt.duration": attempt.seconds,
                "linq.attempt.wait": attempt.wait,
                "linq.outcome": None if attempt.outcome is None else attempt.outcome.value,
                "http.response.status_code": attempt.status,
                "error.type": attempt.error,
            }
            self.span.add_event("linq.attempt", {name: value for name, value in known.items() if value is not None})

    def outcome(self, error: BaseException | None) -> Outcome:
        """Return what a call has come to that has ended with this error, or without one."""
        if error is None:
            return Outcome.SENT
        if isinstance(error, LinqError):
            return error.outcome
        if self.last is None:
            return Outcome.NOT_SENT
        return self.last.outcome or Outcome.UNKNOWN

    def ended(self, error: BaseException | None) -> Attributes:
        """Return the attributes of a call that has ended."""
        attributes: Attributes = {"linq.outcome": self.outcome(error).value}
        if self.last is not None and self.last.status is not None:
            attributes["http.response.status_code"] = self.last.status
        if error is not None:
            attributes["error.type"] = type(error).__name__
        return attributes


@attrs.frozen
class _Instruments:
    """What spans and metrics are made with."""

    tracer: trace.Tracer
    duration: metrics.Histogram
    attempts: metrics.Histogram
    calls: metrics.Counter

    @contextmanager
    def observe(self, call: CallInfo) -> Generator[AttemptHook]:
        """Make a span and the metrics of a call."""
        request = {"http.request.method": call.method, **_server(call.base_url)}
        route: Attributes = {} if call.route is None else {"url.template": call.route}
        started = time.perf_counter()
        with self.tracer.start_as_current_span(
            call.operation,
            kind=SpanKind.CLIENT,
            attributes={**request, **route},
            record_exception=False,  # its text may contain what the server says, and so a number
            set_status_on_exception=False,
        ) as span:
            progress = _Progress(span)
            error: BaseException | None = None
            try:
                yield progress.add
            except BaseException as raised:
                error = raised
                raise
            finally:
                ended = progress.ended(error)
                span.set_attributes(ended)
                if isinstance(error, LinqError) and error.idempotency_key is not None:
                    span.set_attribute("linq.idempotency_key", error.idempotency_key)
                if progress.attempts > 1:
                    span.set_attribute("http.request.resend_count", progress.attempts - 1)
                if error is not None:
                    span.set_status(StatusCode.ERROR)
                error = None  # a cycle: the error's traceback has this frame
                labels = {"linq.operation": call.operation, **request, **ended}
                self.duration.record(time.perf_counter() - started, labels)
                self.attempts.record(progress.attempts, labels)
                self.calls.add(1, labels)


@functools.lru_cache(maxsize=16)
def _server(base_url: str) -> Attributes:
    url = urlsplit(base_url)
    return {
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }
