"""A bot across machines: the web server enqueues events, and workers handle them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from taskiq import Context, TaskiqEvents, TaskiqState
from taskiq.exceptions import NoResultError

from linq_async.client import LinqClient
from linq_async.errors import Outcome
from linq_async.integrations.taskiq.broker import (
    CONTEXT,
    MANUAL,
    SINCE,
    Hidden,
    ReclaimingBroker,
    acknowledge,
    enqueue,
    letter_of,
)
from linq_async.webhooks.context import State
from linq_async.webhooks.dispatcher import Dispatcher
from linq_async.webhooks.events import WebhookEvent, event_key
from linq_async.webhooks.inbox import NotAcceptedError
from linq_async.webhooks.parsing import parse

logger: logging.Logger = logging.getLogger("linq_async.queue")

_FAILED = "%s: the handler failed, and the event is left in the queue"


def register_bot(
    broker: ReclaimingBroker,
    make_client: Callable[[], LinqClient],
    bot: Dispatcher[State],
    state: State,
    *,
    repeat_within: float = 3600.0,
) -> Callable[[WebhookEvent], Awaitable[None]]:
    """Give a broker the task that handles events, and return what accepts them: ``WebhookApp(accept)``.

    The web server responds with 200 once the broker holds the event, and with 503 if it does not confirm it. A worker
    runs ``bot.handle``. An event whose handler fails is delivered again after the idle time-out, and becomes a dead
    letter when ``repeat_within`` has passed since its first delivery. Replies have the same keys in each run, so each
    is stored once. Events of a chat may run at the same time, and not in their order.

    Args:
        broker: The broker.
        make_client: Makes the client of a worker when it starts.
        bot: The dispatcher. Its inbox, ``ack`` and ``max_running`` are not used.
        state: What handlers get as ``context.state``; None for a ``Dispatcher[None]``.
        repeat_within: Seconds.
    """
    stack = AsyncExitStack()

    async def start(_: TaskiqState) -> None:
        linq = await stack.enter_async_context(make_client())
        await stack.enter_async_context(bot.running(linq, state))

    async def stop(_: TaskiqState) -> None:
        await stack.aclose()

    broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, start)
    broker.add_event_handler(TaskiqEvents.WORKER_SHUTDOWN, stop)

    @broker.task("linq.event", ack_type=MANUAL)
    async def handle(body: Any, context: Context = CONTEXT) -> None:
        since, event = context.message.labels.get(SINCE), None
        with contextlib.suppress(Exception):  # whatever it is, it is a dead letter
            event = parse(body["event"])
        del body  # error reporters show the local variables of frames
        if event is None:
            logger.error("%s: dead letter: malformed", context.message.task_id)
            await broker.dead_letters.add(letter_of(context, "event", Outcome.UNKNOWN, "malformed"))
        elif since is not None and time.time() - since > repeat_within:
            logger.error("%s: dead letter: its handler has failed until it was too old", event_key(event))
            await broker.dead_letters.add(letter_of(context, "event", Outcome.UNKNOWN, "too old"))
        else:
            try:
                await bot.handle(event)
            except Exception as error:
                logger.error(_FAILED, event_key(event), exc_info=error)
                raise NoResultError from None
        await acknowledge(context)

    async def accept(event: WebhookEvent) -> None:
        cause = await enqueue(handle, event_key(event), Hidden({"event": event.body.decode()}))
        if cause is not None:
            raise NotAcceptedError(f"the broker did not confirm the event: {cause}")

    return accept
