"""linq_async/integrations/fastapi.py: events in a route of one's own, and errors as responses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import FastAPI

from linq_async import ConfigurationError, LinqError, Outcome
from linq_async.integrations.fastapi import add_problem_handlers, webhook_event, webhook_router
from linq_async.integrations.problems import problem_of
from linq_async.webhooks import WebhookEvent
from tests.support.errors import error_classes, make_error

from .deliveries import CANARY_TEXT, SECRET, CountingBot, event_body, signed, starlette_client


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, list[WebhookEvent]]]:
    """Run an application with a route of its own for events."""
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    app, events = FastAPI(), list[WebhookEvent]()

    @app.post("/hook", status_code=202)
    async def hook(event: Annotated[WebhookEvent, webhook_event()]) -> None:
        events.append(event)

    with starlette_client(app) as http:
        yield http, events


def test_a_route_of_ones_own_gets_the_event(hooked: tuple[Any, list[WebhookEvent]]) -> None:
    """A handler with ``webhook_event`` gets the verified event, and its own status is the response."""
    http, events = hooked
    assert http.post("/hook", content=event_body(), headers=signed(event_body())).status_code == 202
    assert [event.event_id for event in events] == ["evt-1"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (event_body(), {}, 401),
        (event_body(), signed(event_body(), "another"), 401),
        (b"[]", signed(b"[]"), 500),
        (event_body(size=(1 << 20) + 1), {}, 413),
    ],
)
def test_a_route_of_ones_own_is_not_run_for_anything_else(
    hooked: tuple[Any, list[WebhookEvent]], body: bytes, headers: dict[str, str], status: int
) -> None:
    """What is not a signed event is refused before the handler, with nothing about the reason in the response."""
    http, events = hooked
    response = http.post("/hook", content=body, headers=headers)
    assert (response.status_code, list(response.json())) == (status, ["detail"])
    assert CANARY_TEXT not in response.text
    assert response.headers.get("connection") == ("close" if status == 413 else None)
    assert events == []


def test_an_empty_secret_is_refused_at_once() -> None:
    """An empty secret is refused when the application is made, not when the first event comes."""
    webhook_event("another")
    with pytest.raises(ConfigurationError, match="no webhook secret"):
        webhook_event("")
    with pytest.raises(ConfigurationError, match="no webhook secret"):
        webhook_router(CountingBot(), "")


def _raising(error: Exception) -> Any:
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/raise")
    async def fail() -> None:
        raise error

    return starlette_client(app).get("/raise")


@pytest.mark.parametrize("outcome", [*Outcome])
@pytest.mark.parametrize("kind", [*error_classes()])
def test_every_error_becomes_a_problem(kind: type[LinqError], outcome: Outcome, caplog: Any) -> None:
    """Every LinqError is a response of its problem, logged from 500 on, without anything that was sent."""
    error = make_error(kind, outcome)
    response = _raising(error)
    status, problem = problem_of(error)
    assert (response.status_code, response.json()) == (status, problem)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.get("retry-after") == ("7" if status == 503 else None)
    assert [record.levelno for record in caplog.records if record.name == "linq_async"] == [logging.ERROR] * (
        status >= 500
    )
    shown = response.text + str(response.headers) + caplog.text
    assert [part for part in ("5550001111", "nine") if part in shown] == []


def test_other_errors_are_not_touched() -> None:
    """An exception of the handler's own is not made a problem."""
    with pytest.raises(ValueError, match="of my own"):
        _raising(ValueError("of my own"))
