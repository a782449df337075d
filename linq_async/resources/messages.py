"""``linq.messages``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, cast

from linq_async.errors import DeliveryTimeoutError, Problem
from linq_async.models.checks import datetime_problems, seconds_problems, text_problems
from linq_async.models.messages import EditedMessage, Message, MessageList, Reaction, ReactionType, SentMessage
from linq_async.models.outgoing import NewChat, NewMessage, new_idempotency_key
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.pager import Pager
from linq_async.resources.sending import send_message
from linq_async.uploads import Attachable

FIRST_POLL = 0.5
"""Seconds until ``wait_until_delivered`` looks again, the first time; each time twice as many."""
SLOWEST_POLL = 10.0
"""Seconds between two looks, at the most."""
LAST_LOOK = 1.0
"""Seconds for a look at the very end; one before that may take all the time that is left."""

_MESSAGES = "/chats/{chat_id}/chat_messages"
_MESSAGE = "/chats/{chat_id}/chat_messages/{message_id}"


class Messages(Resource):
    """The messages of a chat, and the reactions to them."""

    @returns_coroutine
    def send(
        self,
        chat_id: int,
        text: str,
        *,
        attachments: Sequence[Attachable] = (),
        attachment_urls: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, SentMessage]:
        """Send a message into a chat.

        The arguments are the fields of ``NewMessage``. Raises what ``send_message`` raises.
        https://docs.linqapp.com, Send Message.
        """
        message = NewMessage(
            text=text,
            attachments=attachments,
            attachment_urls=attachment_urls,
            idempotency_key=idempotency_key,
        )
        return self.send_message(chat_id, message)

    @returns_coroutine
    def send_message(self, chat_id: int, message: NewMessage) -> Coroutine[Any, Any, SentMessage]:
        """Send a message that was built before, under its own key or a new one.

        Raises InvalidArgumentError or UploadError before anything is sent, also if this client was given the key with
        another message; KeyReusedError if the server shows another message under the key; else a LinqError whose
        ``outcome`` says what became of the message, and whose ``idempotency_key`` repeats it without sending it twice.
        """
        fits = isinstance(message, NewMessage) and not isinstance(message, NewChat)
        draft = Draft(
            "messages.send",
            "POST",
            _MESSAGES,
            {"chat_id": chat_id},
            body=message,
            problems=message.problems() if fits else [_NO_MESSAGE],
            idempotency_key=(message.idempotency_key if fits else None) or new_idempotency_key(),
        )
        return self._sent(draft)

    async def _sent(self, draft: Draft) -> SentMessage:
        request = draft.request()
        return await send_message(self._pipeline, request, cast("NewMessage", draft.body), SentMessage)

    def list(
        self,
        chat_id: int,
        *,
        before: datetime | None = None,
        after: datetime | None = None,
        sort: Literal["asc", "desc"] = "asc",
        page: int = 1,
        per_page: int = 100,
    ) -> Pager[Message]:
        """List the messages of a chat, from a page on; the oldest first, or the newest with ``sort="desc"``.

        ``before`` and ``after`` need a time zone; whether they are inclusive is not documented. More than 100 a page
        are not given. Raises, when it is read, InvalidArgumentError or another LinqError.
        https://docs.linqapp.com, List Messages.
        """
        moments = {"before": before, "after": after}
        problems = datetime_problems(**moments)
        if sort not in ("asc", "desc"):
            problems.append(Problem("sort", "must be 'asc' or 'desc'"))
        params = [(name, value.isoformat()) for name, value in moments.items() if isinstance(value, datetime)]
        params.append(("sort", sort))
        draft = Draft("messages.list", "GET", _MESSAGES, {"chat_id": chat_id}, params=params, problems=problems)
        return self._pager(draft, MessageList, page, per_page)

    @returns_coroutine
    def get(self, chat_id: int, message_id: int) -> Coroutine[Any, Any, Message]:
        """Return a message.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Get Message.
        """
        return self._result(Draft("messages.get", "GET", _MESSAGE, _ids(chat_id, message_id)), Message)

    @returns_coroutine
    def edit(self, chat_id: int, message_id: int, text: str) -> Coroutine[Any, Any, EditedMessage]:
        """Change the text of a message. How late and how often that may be is not documented.

        It carries no key, so a lost answer is raised, with outcome UNKNOWN. Raises InvalidArgumentError, NotFoundError
        where there is no such message, or another LinqError. https://docs.linqapp.com, Edit Message.
        """
        draft = Draft(
            "messages.edit",
            "POST",
            f"{_MESSAGE}/edit",
            _ids(chat_id, message_id),
            body={"text": text},
            problems=text_problems(text=text),
        )
        return self._result(draft, EditedMessage)

    @returns_coroutine
    def delete(self, chat_id: int, message_id: int) -> Coroutine[Any, Any, None]:
        """Delete a message from the server. It is not documented that the recipients lose it.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Delete Message.
        """
        return self._done(Draft("messages.delete", "DELETE", _MESSAGE, _ids(chat_id, message_id)))

    @returns_coroutine
    def react(self, message_id: int, reaction: ReactionType | str) -> Coroutine[Any, Any, Reaction]:
        """React to a message.

        A kind that ``ReactionType`` does not list is sent as it is given. It carries no key, so a lost answer is
        raised, with outcome UNKNOWN. Raises InvalidArgumentError, NotFoundError where there is no such message, or
        another LinqError. https://docs.linqapp.com, React to Message.
        """
        return self._result(_reaction("messages.react", message_id, reaction, "add"), Reaction)

    @returns_coroutine
    def unreact(self, message_id: int, reaction: ReactionType | str) -> Coroutine[Any, Any, None]:
        """Take a reaction back. What the server answers is not documented, and not read.

        Raises what ``react`` raises. https://docs.linqapp.com, React to Message.
        """
        return self._done(_reaction("messages.unreact", message_id, reaction, "remove"))

    @returns_coroutine
    def get_reaction(self, reaction_id: int) -> Coroutine[Any, Any, Reaction]:
        """Return a reaction.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Get Reaction.
        """
        route, ids = "/chat_message_reactions/{reaction_id}", {"reaction_id": reaction_id}
        return self._result(Draft("messages.get_reaction", "GET", route, ids), Reaction)

    @returns_coroutine
    def wait_until_delivered(
        self, chat_id: int, message_id: int, *, timeout: float = 60.0
    ) -> Coroutine[Any, Any, Message]:
        """Return a message once it has ``delivered_at``, looking ever less often for it: v2 tells of no delivery.

        Raises DeliveryTimeoutError after ``timeout`` seconds and up to one more for the last look, also if the server
        does not answer; that says nothing against the send. Raises what ``get`` raises if a look fails in time.
        https://docs.linqapp.com, Get Message.
        """
        problems = seconds_problems(timeout=timeout)
        ids = _ids(chat_id, message_id)
        draft = Draft("messages.wait_until_delivered", "GET", _MESSAGE, ids, problems=problems)
        return self._delivered(draft, timeout)

    async def _delivered(self, draft: Draft, timeout: float) -> Message:
        draft.check()
        pipeline, status = self._pipeline, None
        deadline, delay, left = pipeline.timing.clock() + timeout, FIRST_POLL, timeout
        while (message := await self._look(draft, max(left, min(timeout, LAST_LOOK)))) is not None:
            if message.delivered_at is not None:
                return message
            status = message.delivery_status
            if (left := deadline - pipeline.timing.clock()) <= 0:
                break
            await self._wait(partial(pipeline.timing.sleep, min(left, delay * (1.0 + pipeline.timing.random()) / 2)))
            delay, left = min(delay * 2, SLOWEST_POLL), deadline - pipeline.timing.clock()
        raise DeliveryTimeoutError(
            f"not delivered within {timeout:g} s",
            chat_id=draft.ids["chat_id"],
            message_id=draft.ids["message_id"],
            seconds=timeout,
            delivery_status=status,
        )

    async def _look(self, draft: Draft, seconds: float) -> Message | None:
        """Return the message as it is now; None if it cannot be had within so many seconds, all waits counted."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._result(draft, Message)
        except TimeoutError:
            if not limit.expired():  # a time limit of the call's own
                raise
        return None


def _ids(chat_id: int, message_id: int) -> dict[str, int]:
    return {"chat_id": chat_id, "message_id": message_id}


def _reaction(operation: str, message_id: int, reaction: ReactionType | str, change: str) -> Draft:
    return Draft(
        operation,
        "POST",
        "/chat_messages/{message_id}/reactions",
        {"message_id": message_id},
        body={"type": reaction, "operation": change},
        problems=text_problems(reaction=reaction),
    )


_NO_MESSAGE = Problem("message", "must be a NewMessage; a NewChat is for linq.chats.send")
