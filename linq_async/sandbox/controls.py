"""What a test, and the control calls of the page, can do with a sandbox."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from . import people
from .api.webhook_subscriptions import EVENTS, add_subscription, remove_subscription
from .behaviour import FIXED, ORDINARY, checked_behaviour
from .changes import Changes
from .clock import SandboxClock
from .conditions import Conditions
from .delivery_status_timer import DeliveryStatusTimer
from .events import ConditionsChanged, Event
from .faults import Faults, checked_number
from .keeper import Keeper
from .limits import Limits
from .log import RequestLog
from .meter import Meter
from .people import FileOrURL
from .rack.params import Params
from .recipients import Recipients
from .records import SandboxChat, SandboxDelivery, SandboxMessage, SandboxReaction, SandboxSubscription
from .refusals import RefusalError
from .state import State
from .webhooks.log import Deliveries
from .webhooks.outbox import OnDelivery, Outbox

MAX_NUMBERS = 10_000
"""For how many numbers a behaviour can be set."""
T = TypeVar("T")


class Controls:
    """Everything about a sandbox but its server: what is stored, and what happens to it."""

    def __init__(
        self,
        phone_numbers: tuple[str, ...],
        user_emails: tuple[str, ...],
        clock: Callable[[], datetime],
        limits: Limits,
        webhook_hosts: Iterable[str],
        on_delivery: OnDelivery | None,
        keep: Path | None,
    ) -> None:
        self.phone_numbers: tuple[str, ...] = phone_numbers
        self.limits: Limits = limits
        self.changes: Changes = Changes()
        self.faults: Faults = Faults(self.changes.publish)
        self.requests: RequestLog = RequestLog(limits.logged_requests, self.changes.publish)
        self._clock = SandboxClock(clock)
        self._meter = Meter(self._clock)
        self._state = State(phone_numbers, user_emails, self._clock, 0.0, limits, self.changes)
        self._outbox = Outbox(self._state, self._clock, webhook_hosts, on_delivery)
        self._recipients = Recipients(self._state)
        self._keeper = Keeper(self._state, self._clock, keep)
        self._state.on_change = self._on_change
        self.deliveries: Deliveries = self._outbox.deliveries
        self._delivery_status_timer = DeliveryStatusTimer(self._state.delivery_status)

    def _on_change(self, event: Event) -> None:
        self._keeper.follow(event)
        self._outbox.emit(event)
        self._recipients.follow(event)

    @property
    def deliver_after(self) -> float | None:
        """Seconds after which a message shows as delivered; None for never."""
        return self._state.delivery_status.after

    @deliver_after.setter
    def deliver_after(self, seconds: float | None) -> None:
        after = None if seconds is None else checked_seconds("deliver_after", seconds)
        self._state.delivery_status.set_after(after, self._state.messages.values())
        self._delivery_status_timer.update()

    @property
    def imessage_interval(self) -> float:
        """Seconds that must lie between two iMessage checks."""
        return self._state.imessage_interval

    @imessage_interval.setter
    def imessage_interval(self, seconds: float) -> None:
        self._state.imessage_interval = checked_seconds("imessage_interval", seconds)

    @property
    def conditions(self) -> Conditions:
        """What all requests meet: latency, failures, a rate limit. Setting it starts to count requests again."""
        return self._meter.conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        self._meter.set(conditions)
        self.changes.publish(ConditionsChanged(conditions))

    @property
    def base_url(self) -> str:
        """The URL of the server, such as `http://127.0.0.1:40321`."""
        if not self._state.base_url:
            raise RuntimeError("the sandbox is not running: use `async with Sandbox()`")
        return self._state.base_url

    @property
    def messages(self) -> list[SandboxMessage]:
        """Every stored message in order, including deleted ones."""
        return list(self._state.messages.values())

    @property
    def chats(self) -> list[SandboxChat]:
        """Every chat, in order."""
        return list(self._state.chats.values())

    @property
    def subscriptions(self) -> list[SandboxSubscription]:
        """Every webhook subscription, in order."""
        return list(self._state.subscriptions.values())

    @property
    def without_imessage(self) -> set[str]:
        """Numbers without iMessage. Add to it to change checks and the service of chats."""
        return self._state.without_imessage

    def behave(self, number: str, *, delivery: float | str | None = None, service: str | None = None) -> None:
        """Set how messages to a number are delivered, and the service of chats with it. None follows the settings.

        `delivery` is a number of seconds, or the delivery status that messages to it keep, such as `paused`. In a
        group, the first number counts for which something is set.

        Raises:
            ValueError: If the number, `delivery` or `service` cannot be used.
        """
        person = checked_number(number) or ""
        if len(self._state.behaviours) >= MAX_NUMBERS and person not in self._state.behaviours:
            raise ValueError(f"a behaviour is set for {MAX_NUMBERS} numbers already")
        self._state.behave(person, checked_behaviour(FIXED.get(person, ORDINARY), delivery, service))
        self._delivery_status_timer.update()

    def messages_to(self, number: str) -> list[SandboxMessage]:
        """Return the messages that the organisation sent to a phone number or email address, oldest first.

        Raises:
            ValueError: If it is neither.
        """
        person = checked_number(number)
        return [message for message in self.messages if message.from_me and person in message.recipients]

    async def wait_for_message(
        self, *, to: str | None = None, text: str = "", after: int = 0, timeout: float = 5.0
    ) -> SandboxMessage:
        """Return the first message that the organisation sent, as soon as there is one that matches.

        `to` is a recipient, `text` a part of the text, and `after` the id of an earlier message.

        Raises:
            TimeoutError: If there is none within `timeout` seconds.
            ValueError: If `to` is not a phone number or email address.
        """
        person = checked_number(to)
        async with asyncio.timeout(timeout):
            while True:
                position = self.changes.number
                for message in self.messages:
                    found = message.from_me and message.id > after and text in message.text
                    if found and (person is None or person in message.recipients):
                        return message
                await self.changes.wait(position)

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock forward: messages become delivered, and failed deliveries are repeated.

        Raises:
            ValueError: If `seconds` is negative or too large.
        """
        self._clock.advance(checked_seconds("seconds", seconds))
        self._keeper.note_advance()
        self._delivery_status_timer.update()

    async def subscribe(
        self, url: str, *, secret: str | None = None, events: Iterable[str] = tuple(sorted(EVENTS))
    ) -> SandboxSubscription:
        """Create a webhook subscription, by default to all events. Its `secret` is random if none is given.

        Raises:
            ValueError: If the URL or the events cannot be used.
        """
        given: Params = {"webhook_url": url, "events": [*events], "version": 2}
        given["secret"] = secrets.token_hex(16) if secret is None else secret
        try:
            return await self._act(lambda: add_subscription(self._state, given))
        except RefusalError as error:
            raise ValueError(error.detail) from None

    async def unsubscribe(self, subscription: SandboxSubscription) -> None:
        """Delete a webhook subscription, if it still exists. Its deliveries end after the attempt under way."""

        def delete() -> None:
            found = self._state.subscriptions.get(subscription.id)
            if found is not None:
                remove_subscription(self._state, found)

        await self._act(delete)

    async def receive(
        self, *, from_: str, to: str | None = None, text: str = "", attachments: Iterable[FileOrURL] = ()
    ) -> SandboxMessage:
        """Receive a message from anybody. It starts a chat, unless there is one with the number.

        `to` is one of the sandbox's own numbers, by default the first. An attachment is a URL, or the name and
        the content of a file. The message is stored, and its event delivered: this returns after the first attempt
        for each subscription, or at once if that has to wait, because deliveries are held or an earlier one failed.

        Raises:
            ValueError: If a number, the text or an attachment cannot be used.
        """
        return await self._act(lambda: people.receive(self._state, from_, to, text, attachments))

    async def reply(
        self, chat_id: int, text: str = "", attachments: Iterable[FileOrURL] = (), *, from_: str | None = None
    ) -> SandboxMessage:
        """Receive a message from a recipient of a chat, by default the first; see `receive`.

        Raises:
            LookupError: If there is no such chat.
            ValueError: If the text, an attachment or `from_` cannot be used.
        """
        return await self._act(lambda: people.reply(self._state, chat_id, text, attachments, from_))

    async def react(self, message_id: int, reaction: str, *, from_: str | None = None) -> SandboxReaction:
        """Receive a reaction to a message, such as `love`, from a recipient of its chat, by default the first.

        Raises:
            LookupError: If there is no such message.
            ValueError: If `reaction` or `from_` cannot be used.
        """
        return await self._act(lambda: people.react(self._state, message_id, reaction, from_))

    async def typing(self, chat_id: int, *, display: bool = True, from_: str | None = None) -> None:
        """Show, or without `display` hide, the typing indicator of a recipient of a chat, by default the first.

        Raises:
            LookupError: If there is no such chat.
            ValueError: If `from_` is not a recipient.
        """
        await self._act(lambda: people.show_typing(self._state, chat_id, display, from_))

    async def read(self, chat_id: int) -> None:
        """Let the recipients of a chat read what was sent to them.

        Raises:
            LookupError: If there is no such chat.
        """
        await self._act(lambda: people.read(self._state, chat_id))

    @property
    def keep(self) -> Path | None:
        """The file that keeps what is stored, if there is one."""
        return self._keeper.path

    async def delivered(self) -> None:
        """Wait until every event is delivered or given up. What `deliveries` holds is not waited for."""
        await self._outbox.delivered()

    async def redeliver(self, delivery: SandboxDelivery) -> None:
        """Deliver the event of an earlier delivery again, with the same id and body; returns as `receive` does."""
        await self._act(lambda: self._outbox.deliver_again(delivery))

    async def _act(self, act: Callable[[], T]) -> T:
        """Do something, and wait for the first attempts to deliver its events."""
        if not self._state.base_url:
            raise RuntimeError("the sandbox is not running: use `async with Sandbox()`")
        return await self._outbox.attempt(act)

    def reset(self) -> None:
        """Drop all messages, chats, contacts, requests, deliveries and faults; the server keeps running."""
        self._outbox.drop()
        self.deliveries.clear()
        self.requests.clear()
        self.faults.clear()
        self._keeper.drop()
        self._state.clear()


def checked_seconds(name: str, seconds: float) -> float:
    """Return the seconds if they can be waited."""
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{name} must be a number of seconds from 0 on, not {seconds!r}")
    return seconds
