"""What every adapter does with a dispatcher."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, runtime_checkable

from linq_async.client import LinqClient
from linq_async.webhooks.events import WebhookEvent
from linq_async.webhooks.receiver import Accept


@runtime_checkable
class Runnable(Protocol):
    """What an adapter needs of a ``Dispatcher[None]``, which it runs while the server runs."""

    def running(self, linq: LinqClient, state: None) -> AbstractAsyncContextManager[object]:
        """Run the handlers with a client. On exit, events that were accepted are handled first."""
        ...

    async def accept(self, event: WebhookEvent) -> object:
        """Take an event."""
        ...


Bot: TypeAlias = Runnable | Accept
"""A ``Dispatcher[None]``, or a coroutine function that takes an event, such as the ``accept`` of a dispatcher that you
run yourself."""


def accept_of(bot: Bot) -> Accept:
    """Return the coroutine function that takes the events."""
    return bot.accept if isinstance(bot, Runnable) else bot
