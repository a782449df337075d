"""Numbers of fixed behaviour that answer by themselves."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import islice

from . import people
from .events import Event, MessageStored
from .limits import StorageFullError
from .records import SandboxChat, SandboxMessage
from .state import State

SECONDS = 0.05
"""How long a number takes to react, so that the sender gets its response first."""
TYPING_SECONDS = 1.0
MOST, WITHIN = 10, timedelta(seconds=10)
"""A number stops after so many replies within this time, since a bot may reply to each of them."""


class Recipients:
    """Lets the recipients of a message do what their behaviour says."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def start(self) -> None:
        """React on the current event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """React to nothing any more."""
        self._loop = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def follow(self, event: Event) -> None:
        """React to a message that was sent, soon."""
        if not isinstance(event, MessageStored) or not event.from_me or self._loop is None:
            return
        person = next((one for one in event.recipients if self._state.behaviour(one).acts), None)
        if person is None:
            return
        message, seconds = self._state.messages[event.message_id], SECONDS
        for act in self._state.behaviour(person).acts:
            self._later(self._loop, seconds, partial(self._act, act, message, person))
            seconds += TYPING_SECONDS

    def _later(self, loop: asyncio.AbstractEventLoop, seconds: float, act: "partial[None]") -> None:
        def run() -> None:
            self._timers.discard(timer)
            act()

        timer = loop.call_later(seconds, run)
        self._timers.add(timer)

    def _act(self, act: str, message: SandboxMessage, person: str) -> None:
        chat = self._state.chats.get(message.chat_id)
        if chat is None or self._state.messages.get(message.id) is not message:  # dropped by a reset
            return
        with suppress(LookupError, StorageFullError):  # the message was deleted, or there is no room
            match act:
                case "reply" if not self._is_loop(chat):
                    people.reply(self._state, chat.id, message.text, (), person)
                case "typing":
                    people.show_typing(self._state, chat.id, True, person)
                case "read":
                    people.read(self._state, chat.id)
                case "love":
                    people.react(self._state, message.id, "love", person)
                case _:
                    pass

    def _is_loop(self, chat: SandboxChat) -> bool:
        since = self._state.now() - WITHIN
        latest = islice(reversed(chat.messages), 4 * MOST)
        return sum(not message.from_me and message.sent_at > since for message in latest) >= MOST
