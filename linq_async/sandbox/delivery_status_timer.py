"""Publish the delivery status of each message when it is due, while the server runs."""

import asyncio

from .delivery_status import DeliveryStatus

SHORTEST, LONGEST = 0.001, 3600.0


class DeliveryStatusTimer:
    """One timer for the message that is delivered next."""

    def __init__(self, status: DeliveryStatus) -> None:
        self._status = status
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Run on the current event loop."""
        self._loop = asyncio.get_running_loop()
        self._update(self._loop)

    def update(self) -> None:
        """Look again, after a message was stored or the setting was changed."""
        if self._loop is not None:
            self._update(self._loop)

    def _update(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = self._status.publish_due()
        if seconds is not None:
            self._timer = loop.call_later(min(max(seconds, SHORTEST), LONGEST), self.update)

    def stop(self) -> None:
        """Cancel the timer."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
