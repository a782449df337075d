"""The delivery status of messages, and the changes that show it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from .changes import Changes
from .events import DeliveryStatusChanged
from .records import SandboxMessage


class DeliveryStatus:
    """Shows each message as delivered `after` seconds after it was sent, or never if that is None."""

    def __init__(self, clock: Callable[[], datetime], changes: Changes) -> None:
        self._clock = clock
        self._changes = changes
        self._after: float | None = None
        self._pending: dict[int, SandboxMessage] = {}

    @property
    def after(self) -> float | None:
        """Seconds after which a message is delivered, or None for never."""
        return self._after

    def set_after(self, seconds: float | None, messages: Iterable[SandboxMessage]) -> None:
        """Change the setting for all messages: those that were delivered may be pending again."""
        self._after = seconds
        earlier, self._pending = self._pending, {}
        for message in messages:
            if message.id in earlier:
                self._pending[message.id] = message
            elif self.delivered_at(message) is None:
                self._pending[message.id] = message
                self._publish(message, None)
        self.publish_due()

    def add(self, message: SandboxMessage) -> None:
        """Add a message that was just stored."""
        if message.from_me:
            self._pending[message.id] = message

    def clear(self) -> None:
        """Forget all messages."""
        self._pending = {}

    def delivered_at(self, message: SandboxMessage) -> datetime | None:
        """Return when a message was delivered, or None while it is pending."""
        if not message.from_me:
            return message.sent_at
        if self._after is None:
            return None
        due = message.sent_at + timedelta(seconds=self._after)
        return due if due <= self._clock() else None

    def publish_due(self) -> float | None:
        """Publish the deliveries that are due; return the seconds until the next one, or None if there is none."""
        if self._after is None:
            return None
        while self._pending:
            message = next(iter(self._pending.values()))  # the one that was sent first
            delivered_at = self.delivered_at(message)
            if delivered_at is None:
                due = message.sent_at + timedelta(seconds=self._after)
                return (due - self._clock()).total_seconds()
            del self._pending[message.id]
            self._publish(message, delivered_at)
        return None

    def _publish(self, message: SandboxMessage, delivered_at: datetime | None) -> None:
        self._changes.publish(
            DeliveryStatusChanged(message_id=message.id, chat_id=message.chat_id, delivered_at=delivered_at)
        )
