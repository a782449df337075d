"""The deliveries that wait: in order for each chat and subscription, and repeated if they fail."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from time import perf_counter
from typing import TypeVar

import attrs

from linq_async.sandbox.clock import SandboxClock
from linq_async.sandbox.events import Event, MessageStored
from linq_async.sandbox.records import SandboxDelivery
from linq_async.sandbox.state import State

from .log import Deliveries
from .payloads import WebhookEvent, webhook_event
from .post import MAX_CONNECTIONS, Poster, PostResult

T = TypeVar("T")
REPEAT_AFTER = (1.0, 5.0, 30.0)
"""Seconds from the end of a failed attempt to the next one. Linq's are not documented."""
OnDelivery = Callable[[SandboxDelivery], object]
logger: logging.Logger = logging.getLogger("linq_async.sandbox")


@attrs.define(eq=False, kw_only=True)
class Delivery:
    """One event for one subscription, until it is delivered or given up."""

    event: WebhookEvent
    subscription_id: int
    fault: str | None = None
    attempts: int = 0
    due: datetime | None = None
    """When it is attempted again."""
    awaits_next: bool = False
    """Whether it lets the next one of its lane go first."""
    attempted: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set after the first attempt, or once that cannot be made soon."""


@attrs.define(eq=False)
class Lane:
    """The deliveries of one chat or contact to one subscription, which are made one at a time."""

    waiting: deque[Delivery] = attrs.field(factory=deque[Delivery])
    task: "asyncio.Task[None] | None" = None
    stuck: bool = False
    """Whether it is held, or waits to repeat an attempt."""

    def push(self, delivery: Delivery) -> None:
        """Add a delivery at the end, or before the one that lets it go first."""
        last = self.waiting[-1] if self.waiting else None
        self.waiting.append(delivery)
        if last is not None and last.awaits_next:
            last.awaits_next = False
            self.waiting[-2], self.waiting[-1] = delivery, last

    def set_stuck(self, stuck: bool) -> None:
        """Note whether the lane makes progress."""
        self.stuck = stuck
        if stuck:
            for delivery in self.waiting:
                delivery.attempted.set()


class Outbox:
    """Delivers the events of a sandbox to its subscriptions."""

    def __init__(self, state: State, clock: SandboxClock, hosts: Iterable[str], on_delivery: OnDelivery | None) -> None:
        limits = state.limits
        self.deliveries: Deliveries = Deliveries(limits.logged_deliveries, limits.delivery_bytes, self.wake)
        self.poster: Poster = Poster(hosts)
        self._state = state
        self._clock = clock
        self._on_delivery = on_delivery
        self._waiting = 0
        self._waiting_bytes = 0
        self._lanes: dict[tuple[int, str], Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._caused: list[Delivery] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)

    def start(self) -> None:
        """Deliver on the current event loop from now on."""
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def close(self) -> None:
        """Stop at once, and drop what waits."""
        self._loop = None
        self.drop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.poster.close()

    def drop(self) -> None:
        """Drop what waits, and cancel the attempts under way."""
        lanes, self._lanes = list(self._lanes.values()), {}
        self._waiting = self._waiting_bytes = 0
        for lane in lanes:
            lane.set_stuck(True)
            if lane.task is not None:
                lane.task.cancel()

    def emit(self, change: Event) -> None:
        """Deliver the event of a change to each active subscription that lists it."""
        active = [one for one in self._state.subscriptions.values() if one.active]
        event = webhook_event(self._state, change) if active and self._loop is not None else None
        if event is not None:
            for subscription in active:
                if event.event_type in subscription.events:
                    self._add(event, subscription.id, self.deliveries.take(event.event_type) or self._fault_of(change))

    def _fault_of(self, change: Event) -> str | None:
        """Return the fault for the messages of a number of fixed behaviour."""
        twice = isinstance(change, MessageStored) and self._state.behaviour(change.send_from).twice
        return "twice" if twice else None

    def deliver_again(self, delivery: SandboxDelivery) -> None:
        """Deliver the event of an earlier attempt again, to the same subscription."""
        event = WebhookEvent(delivery.event_type, delivery.event_id, delivery.subject, delivery.body)
        self._add(event, delivery.subscription_id, None)

    async def attempt(self, act: Callable[[], T]) -> T:
        """Do something, and wait until each delivery that it causes was attempted, or has to wait for longer."""
        self._caused = caused = list[Delivery]()
        try:
            result = act()
        finally:
            self._caused = None
        for delivery in caused:
            await delivery.attempted.wait()
        return result

    async def delivered(self) -> None:
        """Wait until everything is delivered or given up, except what is held."""
        await asyncio.sleep(0)  # what was just released starts now
        while self._tasks:
            await asyncio.wait(self._tasks)

    def wake(self) -> None:
        """Deliver what was held. May be called in any thread."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it was closed in the meantime
                loop.call_soon_threadsafe(self._start_all)

    def _start_all(self) -> None:
        for key, lane in self._lanes.items():
            for delivery in lane.waiting:
                delivery.awaits_next = False
            self._start(key, lane)

    def _add(self, event: WebhookEvent, subscription_id: int, fault: str | None) -> None:
        delivery = Delivery(event=event, subscription_id=subscription_id, fault=fault)
        delivery.awaits_next = fault == "out_of_order"
        limits, size = self._state.limits, self._waiting_bytes + len(event.body)
        if self._waiting >= limits.waiting_deliveries or size > limits.delivery_bytes:
            logger.warning("a webhook was not delivered, because too many others wait")
            subscription = self._state.subscriptions.get(subscription_id)
            url = "" if subscription is None else subscription.webhook_url
            self._record(delivery, url, PostResult(error="dropped: too many deliveries wait"), 0.0)
            return
        self._waiting, self._waiting_bytes = self._waiting + 1, size
        key = (subscription_id, event.subject)
        lane = self._lanes.setdefault(key, Lane())
        lane.push(delivery)
        if self._caused is not None:
            self._caused.append(delivery)
        self._start(key, lane)
        if lane.stuck:
            delivery.attempted.set()

    def _start(self, key: tuple[int, str], lane: Lane) -> None:
        """Run the lane, unless it runs or is held."""
        if lane.task is None and self._loop is not None:
            lane.set_stuck(self._is_held(lane))
            if not lane.stuck:
                lane.task = self._loop.create_task(self._run(key, lane))
                self._tasks.add(lane.task)
                lane.task.add_done_callback(self._tasks.discard)

    def _is_held(self, lane: Lane) -> bool:
        return self.deliveries.held or lane.waiting[0].awaits_next

    async def _run(self, key: tuple[int, str], lane: Lane) -> None:
        """Make the deliveries of a lane until there are no more, or the next one is held."""
        try:
            while lane.waiting and not self._is_held(lane):
                delivery = lane.waiting[0]
                if delivery.due is None:
                    await self._attempt(lane, delivery)
                else:
                    lane.set_stuck(True)
                    await self._clock.sleep_until(delivery.due)
                    lane.set_stuck(False)
                    delivery.due = None
        finally:
            lane.task = None
            lane.set_stuck(True)
            if not lane.waiting and self._lanes.get(key) is lane:
                del self._lanes[key]

    async def _attempt(self, lane: Lane, delivery: Delivery) -> None:
        async with self._slots:
            subscription = self._state.subscriptions.get(delivery.subscription_id)
            if subscription is None or not subscription.active:
                self._finish(lane, delivery)
                return
            started = perf_counter()
            url = subscription.webhook_url
            result = await self.poster.post(url, delivery.event.body, subscription.secret)
        delivery.attempts += 1
        if delivery.fault == "lose_answer" and delivery.attempts == 1:
            result = PostResult(error="the response was lost")
        self._record(delivery, url, result, perf_counter() - started)
        delivery.attempted.set()
        if result.status == 200 or result.final or delivery.attempts > len(REPEAT_AFTER):
            self._finish(lane, delivery, delivered=result.status == 200)
        else:
            delivery.due = self._clock() + timedelta(seconds=REPEAT_AFTER[delivery.attempts - 1])

    def _finish(self, lane: Lane, delivery: Delivery, *, delivered: bool = False) -> None:
        """Remove a delivery, or put its second one in its place."""
        event = delivery.event
        delivery.attempted.set()
        if delivered and delivery.fault in ("twice", "twice_with_new_id"):
            again = event.with_new_id() if delivery.fault == "twice_with_new_id" else event
            lane.waiting[0] = Delivery(event=again, subscription_id=delivery.subscription_id)
        else:
            lane.waiting.popleft()
            self._waiting -= 1
            self._waiting_bytes -= len(event.body)

    def _record(self, delivery: Delivery, url: str, result: PostResult, seconds: float) -> None:
        entry = SandboxDelivery(
            number=self.deliveries.total + 1,
            subscription_id=delivery.subscription_id,
            url=url,
            event_type=delivery.event.event_type,
            event_id=delivery.event.event_id,
            subject=delivery.event.subject,
            body=delivery.event.body,
            attempt=delivery.attempts,
            status=result.status,
            seconds=seconds,
            ended_at=self._state.now(),
            error=result.error,
            fault=delivery.fault,
        )
        self.deliveries.add(entry)
        self._state.count_delivery(entry)
        if self._on_delivery is not None:
            try:
                self._on_delivery(entry)
            except Exception:
                logger.exception("on_delivery failed")
