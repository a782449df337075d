"""The delivery status of messages, and the changes that show it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from heapq import heappop, heappush

from .changes import Changes
from .events import DeliveryStatusChanged
from .records import SandboxMessage

PENDING, DELIVERED = "pending", "delivered"


class DeliveryStatus:
    """Shows each message as delivered `after` seconds after it was sent, or never if that is None.

    `delivery_to` returns other seconds for a message, or the status that it keeps, if its recipients have their own.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        changes: Changes,
        delivery_to: Callable[[SandboxMessage], float | str | None],
    ) -> None:
        self._clock = clock
        self._changes = changes
        self._delivery_to = delivery_to
        self._after: float | None = None
        self._due: list[tuple[datetime, int, SandboxMessage]] = []

    @property
    def after(self) -> float | None:
        """Seconds after which a message is delivered, or None for never."""
        return self._after

    def set_after(self, seconds: float | None, messages: Iterable[SandboxMessage]) -> None:
        """Change the setting for all messages: those that were delivered may be pending again."""

        def change() -> None:
            self._after = seconds

        self.change(change, messages)

    def change(self, change: Callable[[], object], messages: Iterable[SandboxMessage]) -> None:
        """Change what decides about the messages, and publish those whose status differs."""
        self.publish_due()
        sent = [(message, self.status(message)) for message in messages if message.from_me]
        change()
        self._due.clear()
        for message, before in sent:
            status = self.status(message)
            if status != before:
                self._publish(message)
            if status == PENDING:
                self.add(message)

    def add(self, message: SandboxMessage) -> None:
        """Add a message that was just stored."""
        plan = self._plan(message)
        if message.from_me and plan != PENDING:
            seconds = 0.0 if isinstance(plan, str) else plan
            heappush(self._due, (message.sent_at + timedelta(seconds=seconds), message.id, message))

    def clear(self) -> None:
        """Forget all messages."""
        self._due.clear()

    def status(self, message: SandboxMessage) -> str:
        """Return the delivery status of a message."""
        plan = self._plan(message)
        if message.from_me and isinstance(plan, str):
            return plan
        return DELIVERED if self.delivered_at(message) else PENDING

    def delivered_at(self, message: SandboxMessage) -> datetime | None:
        """Return when a message was delivered, or None while it is not."""
        if not message.from_me:
            return message.sent_at
        plan = self._plan(message)
        if isinstance(plan, str):
            return None
        due = message.sent_at + timedelta(seconds=plan)
        return due if due <= self._clock() else None

    def publish_due(self) -> float | None:
        """Publish the changes that are due; return the seconds until the next one, or None if there is none."""
        while self._due:
            seconds = (self._due[0][0] - self._clock()).total_seconds()
            if seconds > 0:
                return seconds
            self._publish(heappop(self._due)[2])
        return None

    def _plan(self, message: SandboxMessage) -> float | str:
        """Return the seconds after which a message is delivered, or the status that it keeps."""
        own = self._delivery_to(message)
        if own is not None:
            return own
        return PENDING if self._after is None else self._after

    def _publish(self, message: SandboxMessage) -> None:
        self._changes.publish(
            DeliveryStatusChanged(
                message_id=message.id,
                chat_id=message.chat_id,
                status=self.status(message),
                delivered_at=self.delivered_at(message),
            )
        )
