"""What a handler is given beside its event: a client that derives its keys from the event, and shortcuts to answer."""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Sequence
from typing import Any, Generic, Never, Protocol, TypeVar

import attrs

from linq_async.client import LinqClient
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.messages import Reaction, ReactionType, SentMessage
from linq_async.models.outgoing import NewMessage
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.typing_indicator import TypingIndicator
from linq_async.uploads import Attachable
from linq_async.webhooks.events import (
    Event,
    MessageRead,
    MessageReceived,
    MessageSent,
    ReactionReceived,
    ReactionSent,
    WebhookEvent,
)
from linq_async.webhooks.reply_keys import ReplyKeys, subject_of, word_problems
from linq_async.wire.target import chat_target

State = TypeVar("State")
"""The type of what a bot's handlers share."""
Waiting = TypeVar("Waiting", bound=Event)


class Lane(Protocol):
    """The events of a chat that wait behind the one that is being handled."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        ...

    def take_waiting(self, kind: type[Waiting]) -> list[Waiting]:
        """Take those of a class out of the lane, the oldest first."""
        ...


class Context(Generic[State]):
    """What the handler of an event sends with. A ``Dispatcher`` makes a new one for each run of an event.

    To test a handler without a dispatcher, make one yourself: ``Context(event, linq, state=None)``.
    """

    event: WebhookEvent
    """The event that is being handled."""
    state: State
    """What was passed to ``Dispatcher.running``."""
    attempt: int
    """1 in the first run of the event in this process, 2 in the next."""

    def __init__(
        self,
        event: WebhookEvent,
        linq: LinqClient,
        *,
        state: State,
        name: str = "bot",
        attempt: int = 1,
        lane: Lane | None = None,
    ) -> None:
        """Set the client that replies are sent with, and the name of the bot, which is part of their keys.

        Raises:
            InvalidArgumentError: If the name is not a letter with letters, digits, ``-`` or ``_`` after it.
        """
        problems = word_problems("name", name)
        if problems:
            raise InvalidArgumentError(problems, operation="Context")
        self.event = event
        self.state = state
        self.attempt = attempt
        self._client = linq
        self._name = name
        self._lane = lane

    def __repr__(self) -> str:
        return f"<Context of {self.event.event_type} {self.event.event_id}, attempt {self.attempt}>"

    @functools.cached_property
    def linq(self) -> LinqClient:
        """A client on the bot's connections. If the event is run again, it sends nothing a second time.

        A message without an ``idempotency_key`` gets a key that is derived from the event, the target, and the number
        of messages that this run has sent to the same target. So each run must send its messages to one target in the
        same order; ``reply(step=...)`` gives a reply a key of its own. If the texts differ between the runs, the first
        one is kept, and ``replayed`` is true.
        """
        return self._client._with_key_source(self._keys)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    @functools.cached_property
    def _keys(self) -> ReplyKeys:  # most events are not answered
        return ReplyKeys(self._name, subject_of(self.event))

    @property
    def waiting(self) -> int:
        """The number of newer events of this chat that have arrived and wait for this one."""
        return 0 if self._lane is None else self._lane.waiting

    def take_waiting(self, kind: type[Waiting]) -> list[Waiting]:
        """Take the waiting events of a class out of the chat's lane, to answer them together with this one.

        The oldest comes first. They are not handled again if this run succeeds. Replies after this have other keys, so
        that a run that finds one more event can send one more reply.
        """
        taken = [] if self._lane is None else self._lane.take_waiting(kind)
        for event in taken:
            self._keys.also_answers(event)
        return taken

    # Not async, as Messages.send is not: this frame holds the text.
    @returns_coroutine
    def reply(
        self,
        text: str,
        *,
        attachments: Sequence[Attachable] = (),
        attachment_urls: Sequence[str] = (),
        step: str | None = None,
    ) -> Coroutine[Any, Any, SentMessage]:
        """Send a message to the chat of the event. However often the event is run, it is stored once.

        If an earlier run has sent another text, that one is kept, and is the result: ``replayed`` is true, and a
        warning is logged.

        Args:
            text: The text. Must not be empty.
            attachments: Files: paths, open binary files, or Uploads.
            attachment_urls: Public URLs that the server downloads.
            step: A name for this reply, such as ``"receipt"``. Without one, replies are counted; give them names if a
                run may leave one out. A letter, and letters, digits, ``-`` or ``_`` after it.

        Raises:
            InvalidArgumentError: If an argument is refused, the step was used before in this run, or the event has no
                chat. Also for MessageSent, which every reply causes: the bot would answer itself forever.
            LinqError: As ``messages.send`` does.
        """
        problems = [] if step is None else word_problems("step", step)
        if isinstance(self.event, MessageSent):
            problems.append(_ANSWERS_ITSELF)
        chat_id = self.event.chat_id
        if chat_id is None:
            problems.append(_NO_CHAT)
        if problems or chat_id is None:
            return _refuse("reply", problems)
        message = NewMessage(text=text, attachments=attachments, attachment_urls=attachment_urls)
        return self._reply(chat_id, message, step)

    async def _reply(self, chat_id: int, message: NewMessage, step: str | None) -> SentMessage:
        if step is None:
            return await self.linq.messages.send(chat_id, message)
        with self._keys.step(chat_target(chat_id), step) as key:
            return await self.linq.messages.send(chat_id, attrs.evolve(message, idempotency_key=key))

    @returns_coroutine
    def react(self, reaction: ReactionType | str) -> Coroutine[Any, Any, Reaction]:
        """React to the message of the event: received, sent or read, or one that somebody reacted to.

        A reaction has no key in v2: it is sent again if the event is run again.

        Raises:
            InvalidArgumentError: If the reaction is refused, or the event has no message. Also for ReactionSent, which
                every reaction causes: the bot would react to itself forever.
            LinqError: As ``messages.react`` does.
        """
        event = self.event
        if isinstance(event, ReactionSent):
            return _refuse("react", [_REACTS_TO_ITSELF])
        message_id: int | None = None
        if isinstance(event, MessageReceived | MessageSent | MessageRead):
            message_id = event.data.id
        elif isinstance(event, ReactionReceived):
            message_id = event.data.chat_message_id
        if message_id is None:
            return _refuse("react", [_NO_MESSAGE])
        return self.linq.messages.react(message_id, reaction)

    def typing(self) -> TypingIndicator:
        """Show the typing indicator in the chat of the event while a block runs: ``async with context.typing(): ...``.

        Raises:
            InvalidArgumentError: If the event has no chat.
            LinqError: As ``chats.typing`` does, when the block is entered.
        """
        if self.event.chat_id is None:
            raise InvalidArgumentError([_NO_CHAT], operation="typing")
        return self.linq.chats.typing(self.event.chat_id)

    @returns_coroutine
    def mark_as_read(self) -> Coroutine[Any, Any, None]:
        """Mark all messages in the chat of the event as read.

        Raises:
            InvalidArgumentError: If the event has no chat.
            LinqError: As ``chats.mark_as_read`` does.
        """
        if self.event.chat_id is None:
            return _refuse("mark_as_read", [_NO_CHAT])
        return self.linq.chats.mark_as_read(self.event.chat_id)


async def _refuse(operation: str, problems: list[Problem]) -> Never:
    raise InvalidArgumentError(problems, operation=operation)


_NO_CHAT = Problem("event", "belongs to no chat: send with linq.chats.create or linq.messages.send")
_NO_MESSAGE = Problem("event", "has no message to react to")
_ANSWERS_ITSELF = Problem("event", "is a MessageSent, which a reply causes, too: the bot would never stop")
_REACTS_TO_ITSELF = Problem("event", "is a ReactionSent, which a reaction causes, too: the bot would never stop")
