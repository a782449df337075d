"""Bots under test: events without a server, and handlers that a test lets go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from linq_async import LinqClient
from linq_async.webhooks import Context, Dispatcher, Event, MessageReceived, WebhookEvent, parse
from tests.support.clock import until

from .samples import SAMPLES, envelope

CHAT = 8102


def event_of(event_id: str, chat_id: int | None = CHAT, kind: type[WebhookEvent] = MessageReceived) -> WebhookEvent:
    """Return an event of a class, as it is received."""
    event_type, data = SAMPLES[kind]
    chat = {} if chat_id is None else {"chat_id": chat_id}
    return parse(json.dumps(envelope(event_type, {**data, **chat}, event_id=event_id)))


def messages(*event_ids: str, chat_id: int = CHAT) -> list[WebhookEvent]:
    """Return received messages of one chat."""
    return [event_of(event_id, chat_id) for event_id in event_ids]


@asynccontextmanager
async def running(bot: Dispatcher[None]) -> AsyncGenerator[Dispatcher[None]]:
    """Run a bot whose handlers send nothing."""
    async with LinqClient("token", base_url="http://127.0.0.1:1") as linq, bot.running(linq, None):
        yield bot


class Recorder:
    """A handler that notes the ids of events, and holds those that a test has named."""

    def __init__(self, *held: str) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self._gates = {event_id: asyncio.Event() for event_id in held}

    async def __call__(self, event: Event, context: Context[None]) -> None:
        """Note the event, and wait if it is held."""
        self.started.append(event.event_id)
        try:
            if event.event_id in self._gates:
                await self._gates[event.event_id].wait()
        except asyncio.CancelledError:
            self.cancelled.append(event.event_id)
            raise
        self.ended.append(event.event_id)

    def release(self, *event_ids: str) -> None:
        """Let events go on."""
        for event_id in event_ids:
            self._gates[event_id].set()

    async def has_started(self, *event_ids: str) -> None:
        """Wait until events have started."""
        await until(lambda: set(event_ids) <= set(self.started))
