"""linq_async/integrations/opentelemetry.py: spans and metrics of calls, with the exporters in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, cast

import aiohttp
import attrs
import pytest
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from yarl import URL

from linq_async import DecodeError, InvalidArgumentError, LinqClient, Outcome
from linq_async.calls import CallHook
from linq_async.integrations.opentelemetry import telemetry
from linq_async.sandbox import Sandbox
from linq_async.timing import Timing
from tests.support.clients import AT_ONCE, MESSAGE, ONCE, TOKEN, client_of, failure_of
from tests.support.clock import Clock
from tests.support.loopback import CREATED, HANG_UP, Loopback, Seen, refused, replied
from tests.support.world import LINE, MIRA

Points = dict[str, list[HistogramDataPoint | NumberDataPoint]]


@attrs.define
class Telemetry:
    """A hook, and what its exporters have received."""

    hook: CallHook
    tracers: TracerProvider
    meters: MeterProvider
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended."""
        return list(self.exporter.get_finished_spans())

    def points(self) -> Points:
        """Return the points of each metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        found = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
        return {metric.name: cast("Any", list(metric.data.data_points)) for metric in found}


def _telemetry(**options: Any) -> Telemetry:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(**options)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader])
    return Telemetry(telemetry(tracer_provider=tracers, meter_provider=meters), tracers, meters, exporter, reader)


@pytest.fixture
def seen() -> Iterator[Telemetry]:
    """Return a hook with exporters in memory."""
    found = _telemetry()
    yield found
    found.tracers.shutdown()
    found.meters.shutdown()


def _events(span: ReadableSpan) -> list[dict[str, Any]]:
    """Return the attributes of the events of a span, without the time that an attempt took."""
    assert {event.name for event in span.events} <= {"linq.attempt"}
    events = [dict(event.attributes or {}) for event in span.events]
    assert all(cast("float", event.pop("linq.attempt.duration")) >= 0 for event in events)
    return events


def _attributes(thing: ReadableSpan | HistogramDataPoint | NumberDataPoint) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", thing.attributes))


@pytest.mark.asyncio
async def test_a_call_is_a_span_with_its_attempts(seen: Telemetry) -> None:
    """A send that is retried is one span, with an event for each attempt, the number of resends, outcome and key."""
    async with (
        Loopback(refused(503), HANG_UP, CREATED) as server,
        client_of(server, on_call=seen.hook, timing=Clock().timing()) as linq,
    ):
        chat = await linq.chats.create(**MESSAGE)
        port = URL(server.url).port
    (span,) = seen.spans
    assert (span.name, span.kind, span.status.status_code) == ("chats.create", SpanKind.CLIENT, StatusCode.UNSET)
    request = {"http.request.method": "POST", "server.address": "127.0.0.1", "server.port": port}
    assert _attributes(span) == {
        **request,
        "url.template": "/api/partner/v2/chats",
        "http.request.resend_count": 2,
        "http.response.status_code": 201,
        "linq.outcome": "sent",
        "linq.idempotency_key": chat.idempotency_key,
    }
    again = {"linq.outcome": "unknown"}
    assert _events(span) == [
        {
            "linq.attempt.number": 1,
            "linq.attempt.wait": 0.25,
            "http.response.status_code": 503,
            "error.type": "ServerError",
            **again,
        },
        {"linq.attempt.number": 2, "linq.attempt.wait": 0.5, "error.type": "ConnectionLostError", **again},
        {"linq.attempt.number": 3, "http.response.status_code": 201, "linq.outcome": "sent"},
    ]
    points = seen.points()
    labels = {"linq.operation": "chats.create", "linq.outcome": "sent", "http.response.status_code": 201, **request}
    assert [_attributes(point) for found in points.values() for point in found] == [labels] * 3
    (duration,), (attempts,) = points["linq.client.call.duration"], points["linq.client.call.attempts"]
    assert isinstance(duration, HistogramDataPoint)
    assert isinstance(attempts, HistogramDataPoint)
    assert (duration.count, attempts.count, attempts.sum) == (1, 1, 3)
    assert duration.sum > 0
    assert duration.explicit_bounds[:3] == (0.005, 0.01, 0.025)


@pytest.mark.asyncio
async def test_failures_are_errors_with_their_outcome(seen: Telemetry) -> None:
    """A call that fails is a span with the class of its error and its outcome, and without the error's text."""
    script = [refused(404), replied({"data": 1}), HANG_UP, refused(409)]
    async with Loopback(*script) as server, client_of(server, retry=ONCE, on_call=seen.hook) as linq:
        errors = [
            await failure_of(linq.chats.create(send_from="", phone_numbers=[], text="")),
            await failure_of(linq.chats.get(45)),
            *[await failure_of(linq.chats.create(**MESSAGE)) for _ in range(3)],
        ]
    assert isinstance(errors[0], InvalidArgumentError)
    assert isinstance(errors[2], DecodeError)
    outcomes = [error.outcome for error in errors]
    assert outcomes == [Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.SENT, Outcome.UNKNOWN, Outcome.UNKNOWN]
    found = [_attributes(span) for span in seen.spans]
    assert [one["error.type"] for one in found] == [type(error).__name__ for error in errors]
    assert [one["linq.outcome"] for one in found] == [outcome.value for outcome in outcomes]
    assert [one.get("linq.idempotency_key") for one in found] == [error.idempotency_key for error in errors]
    assert [one.get("http.response.status_code") for one in found] == [None, 404, 200, None, 409]
    assert [len(span.events) for span in seen.spans] == [0, 1, 1, 1, 1]
    assert {span.status.status_code for span in seen.spans} == {StatusCode.ERROR}
    assert {span.status.description for span in seen.spans} == {None}
    attempts = seen.points()["linq.client.call.attempts"]
    assert [point.sum for point in attempts if isinstance(point, HistogramDataPoint)] == [0, 1, 1, 1, 1]


@pytest.mark.asyncio
async def test_a_cancelled_call_says_what_became_of_it(seen: Telemetry) -> None:
    """A call that is cancelled before, during or between attempts is a span with what is known of its outcome."""
    silence, waiting = asyncio.Event(), asyncio.Event()

    async def silent(_: Seen) -> None:
        await silence.wait()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    options: dict[str, Any] = {"on_call": seen.hook, "timing": Timing(sleep, Clock().monotonic, lambda: 0.5)}
    async with Loopback(silent, refused(503)) as server, client_of(server, max_connections=1, **options) as linq:
        during = asyncio.create_task(linq.chats.create(**MESSAGE))
        await server.arrived(1)
        before = asyncio.create_task(linq.chats.create(**MESSAGE))
        await asyncio.sleep(0)
        before.cancel()
        during.cancel()
        await asyncio.gather(before, during, return_exceptions=True)
        silence.set()
        between = asyncio.create_task(linq.chats.create(**MESSAGE))
        await waiting.wait()
        between.cancel()
        await asyncio.gather(between, return_exceptions=True)
    assert [task.cancelled() for task in (before, during, between)] == [True] * 3
    found = [_attributes(span) for span in seen.spans]
    assert [
        (one["error.type"], one["linq.outcome"], len(span.events)) for one, span in zip(found, seen.spans, strict=True)
    ] == [
        ("CancelledError", "not_sent", 0),
        ("CancelledError", "unknown", 1),
        ("CancelledError", "unknown", 1),
    ]


@pytest.mark.asyncio
async def test_concurrent_calls_have_spans_of_their_own(seen: Telemetry) -> None:
    """Calls at once have a span each, below the span of their task, and only their own attempts."""
    tracer = seen.tracers.get_tracer("test")
    async with (
        Loopback(*[refused(503)] * 5) as server,
        client_of(server, retry=AT_ONCE, on_call=seen.hook) as linq,
    ):

        async def send(name: str) -> str | None:
            with tracer.start_as_current_span(name):
                return (await linq.chats.create(**MESSAGE)).idempotency_key

        keys = await asyncio.gather(*[send(str(number)) for number in range(10)])
    calls = [span for span in seen.spans if span.name == "chats.create"]
    parents = {span.context.span_id: span.name for span in seen.spans if span.name != "chats.create" and span.context}
    named = {parents[span.parent.span_id]: _attributes(span) for span in calls if span.parent is not None}
    assert [named[str(number)]["linq.idempotency_key"] for number in range(10)] == keys
    assert sum(len(span.events) for span in calls) == 15
    assert [_attributes(span).get("http.request.resend_count", 0) + 1 for span in calls] == [
        len(span.events) for span in calls
    ]


@pytest.mark.asyncio
async def test_beside_the_instrumentation_of_aiohttp(seen: Telemetry) -> None:
    """The spans of aiohttp's requests are children of the call's, and with a filter for URLs no number is in any."""
    config = create_trace_config(url_filter=lambda url: str(url.with_query(None)), tracer_provider=seen.tracers)
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession(trace_configs=[config]) as session,
        LinqClient(sandbox.token, base_url=sandbox.base_url, session=session, retry=AT_ONCE, on_call=seen.hook) as linq,
    ):
        sandbox.faults.answer(503)
        await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="We open at ten.")
        await linq.chats.find(phone_number=LINE, phone_numbers=[MIRA])
        token = sandbox.token
    calls = {span.context.span_id: span.name for span in seen.spans if span.context and "." in span.name}
    children = [calls[span.parent.span_id] for span in seen.spans if span.parent is not None]
    assert children == ["chats.create", "chats.create", "chats.find"]
    exported = "".join(span.to_json() for span in seen.spans) + str(seen.points())
    assert [word for word in (LINE[1:], MIRA[1:], "We open", token) if word in exported] == []


@pytest.mark.asyncio
async def test_nothing_that_was_sent_is_exported(seen: Telemetry) -> None:
    """Neither spans nor metrics have the number, the text or the token, also of errors that repeat them."""
    secret = {"errors": [{"code": "c", "title": MESSAGE["text"], "detail": MESSAGE["phone_numbers"][0]}]}
    async with (
        Loopback(replied(secret, 422), replied(secret, 422), CREATED) as server,
        client_of(server, on_call=seen.hook, show_details=True) as linq,
    ):
        error = await failure_of(linq.chats.create(**MESSAGE))
        await failure_of(linq.request("GET", f"/x/{MESSAGE['phone_numbers'][0]}"))
        await linq.chats.create(**MESSAGE)
    assert MESSAGE["phone_numbers"][0] in str(error)
    exported = "".join(span.to_json() for span in seen.spans) + str(seen.points())
    words = [MESSAGE["text"], TOKEN, *[number[1:] for number in (MESSAGE["send_from"], *MESSAGE["phone_numbers"])]]
    assert [word for word in words if word in exported] == []


@pytest.mark.asyncio
async def test_without_a_provider_or_a_sample_a_call_works() -> None:
    """Without an SDK, and for spans that are not sampled, calls work, and the metrics count them all the same."""
    unsampled = _telemetry(sampler=ALWAYS_OFF)
    for hook in (telemetry(), unsampled.hook):
        async with Loopback() as server, client_of(server, on_call=hook) as linq:
            assert (await linq.chats.create(**MESSAGE)).attempts == 1
    assert unsampled.spans == []
    assert [len(points) for points in unsampled.points().values()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("url", "port"), [("https://api.linqapp.com", 443), ("http://127.0.0.1", 80), ("http://127.0.0.1:8080", 8080)]
)
def test_the_port_is_the_one_of_the_scheme(seen: Telemetry, url: str, port: int) -> None:
    """A URL without a port has that of its scheme."""
    linq = LinqClient(TOKEN, base_url=url, on_call=seen.hook)
    error = asyncio.run(_refused(linq))
    assert isinstance(error, InvalidArgumentError)
    (span,) = seen.spans
    assert _attributes(span)["server.port"] == port


async def _refused(linq: LinqClient) -> BaseException:
    async with linq:
        return await failure_of(linq.chats.create(send_from="", phone_numbers=[], text=""))
