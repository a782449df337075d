"""``linq.messages``."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from linq_async.errors import DeliveryTimeoutError, Problem
from linq_async.models.checks import datetime_problems, seconds_problems, text_problems
from linq_async.models.messages import EditedMessage, Message, MessageList, Reaction, ReactionType, SentMessage
from linq_async.models.outgoing import NewChat, NewMessage
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.pager import Pager
from linq_async.resources.sending import send_message
from linq_async.uploads import Attachable

FIRST_POLL = 0.5
"""The seconds between the first two polls of ``wait_until_delivered``. The interval doubles with each poll."""
SLOWEST_POLL = 10.0
"""The maximum seconds between two polls."""
LAST_POLL = 1.0
"""The time limit of the last poll, in seconds. Earlier polls may take all the remaining time."""

_MESSAGES = "/chats/{chat_id}/chat_messages"
_MESSAGE = "/chats/{chat_id}/chat_messages/{message_id}"
_NONE: tuple[()] = ()


class Messages(Resource):
    """The messages of a chat, and the reactions to them."""

    @returns_coroutine
    def send(
        self,
        chat_id: int,
        text: str | NewMessage,
        *,
        attachments: Sequence[Attachable] = _NONE,
        attachment_urls: Sequence[str] = _NONE,
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, SentMessage]:
        """Send a message to a chat.

        Pass a text, with the other fields of ``NewMessage`` as keywords, or a whole ``NewMessage``.
        A failed send can be repeated with the ``idempotency_key`` of its error without sending the message twice.
        See "Send Message" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused, or this client has already used the key with another
                message. Nothing is sent.
            UploadError: If an attachment cannot be read.
            KeyReusedError: If the server returns another message for the key.
            NotFoundError: If no such chat exists.
            LinqError: For any other failure. Its ``outcome`` says what became of the message.
        """
        problems: builtins.list[Problem] = []
        if isinstance(text, NewMessage):
            message = text
            passed = {
                "attachments": attachments is not _NONE,
                "attachment_urls": attachment_urls is not _NONE,
                "idempotency_key": idempotency_key is not None,
            }
            problems += [Problem(name, _MISPLACED) for name, is_passed in passed.items() if is_passed]
        else:
            message = NewMessage(
                text=text,
                attachments=attachments,
                attachment_urls=attachment_urls,
                idempotency_key=idempotency_key,
            )
        problems += [_NOT_A_MESSAGE] if isinstance(message, NewChat) else message.problems()
        draft = Draft("messages.send", "POST", _MESSAGES, {"chat_id": chat_id}, body=message, problems=problems)
        return self._observed(draft, self._sent, draft)

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
        """List the messages of a chat, starting at a page. The oldest come first, or the newest if ``sort="desc"``.

        ``before`` and ``after`` need a time zone. Whether they are inclusive is not documented. At most 100 items per
        page are returned. See "List Messages" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused. Raised when the list is read, like all others.
            LinqError: For any other failure.
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
        """Return a message. See "Get Message" in the API reference.

        Raises:
            NotFoundError: If no such message exists.
            LinqError: For any other failure.
        """
        return self._result(Draft("messages.get", "GET", _MESSAGE, _ids(chat_id, message_id)), Message)

    @returns_coroutine
    def edit(self, chat_id: int, message_id: int, text: str) -> Coroutine[Any, Any, EditedMessage]:
        """Change the text of a message. How late and how often that is possible is not documented.

        Not retried once sent: v2 accepts no idempotency key here. See "Edit Message" in the API reference.

        Raises:
            InvalidArgumentError: If the text is refused. Nothing is sent.
            NotFoundError: If no such message exists.
            LinqError: For any other failure.
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
        """Delete a message from the server. Whether the recipients lose it is not documented.

        See "Delete Message" in the API reference.

        Raises:
            NotFoundError: If no such message exists.
            LinqError: For any other failure.
        """
        return self._done(Draft("messages.delete", "DELETE", _MESSAGE, _ids(chat_id, message_id)))

    @returns_coroutine
    def react(self, message_id: int, reaction: ReactionType | str) -> Coroutine[Any, Any, Reaction]:
        """React to a message. A type that ``ReactionType`` does not list is sent unchanged.

        Not retried once sent: v2 accepts no idempotency key here. See "React to Message" in the API reference.

        Raises:
            InvalidArgumentError: If the reaction is refused. Nothing is sent.
            NotFoundError: If no such message exists.
            LinqError: For any other failure.
        """
        return self._result(_reaction("messages.react", message_id, reaction, "add"), Reaction)

    @returns_coroutine
    def unreact(self, message_id: int, reaction: ReactionType | str) -> Coroutine[Any, Any, None]:
        """Remove a reaction. The response is not documented and is ignored.

        Not retried once sent: v2 accepts no idempotency key here. See "React to Message" in the API reference.

        Raises:
            LinqError: As ``react`` does.
        """
        return self._done(_reaction("messages.unreact", message_id, reaction, "remove"))

    @returns_coroutine
    def get_reaction(self, reaction_id: int) -> Coroutine[Any, Any, Reaction]:
        """Return a reaction. See "Get Reaction" in the API reference.

        Raises:
            NotFoundError: If no such reaction exists.
            LinqError: For any other failure.
        """
        route, ids = "/chat_message_reactions/{reaction_id}", {"reaction_id": reaction_id}
        return self._result(Draft("messages.get_reaction", "GET", route, ids), Reaction)

    @returns_coroutine
    def wait_until_delivered(
        self, chat_id: int, message_id: int, *, timeout: float = 60.0
    ) -> Coroutine[Any, Any, Message]:
        """Return a message as soon as ``delivered_at`` is set. The message is polled, at growing intervals.

        Polling is necessary because v2 sends no delivery event. See "Get Message" in the API reference.

        Raises:
            DeliveryTimeoutError: After ``timeout`` seconds, or up to 1 second later if the last poll is slow, also if
                the server does not respond. It does not mean that the send has failed.
            LinqError: As ``get`` does, if a poll fails in time.
        """
        problems = seconds_problems(timeout=timeout)
        ids = _ids(chat_id, message_id)
        draft = Draft("messages.wait_until_delivered", "GET", _MESSAGE, ids, problems=problems)
        return self._delivered(draft, timeout)

    async def _delivered(self, draft: Draft, timeout: float) -> Message:
        draft.check()
        timing, status = self._pipeline.timing, None
        deadline, delay, remaining = timing.clock() + timeout, FIRST_POLL, timeout
        while (message := await self._poll(draft, max(remaining, min(timeout, LAST_POLL)))) is not None:
            if message.delivered_at is not None:
                return message
            status = message.delivery_status
            if (remaining := deadline - timing.clock()) <= 0:
                break
            pause = min(remaining, delay * (1.0 + timing.random()) / 2)
            await self._pipeline.sleep(pause)
            delay, remaining = min(delay * 2, SLOWEST_POLL), deadline - timing.clock()
        error = DeliveryTimeoutError(
            f"not delivered within {timeout:g} s",
            chat_id=draft.ids["chat_id"],
            message_id=draft.ids["message_id"],
            seconds=timeout,
            delivery_status=status,
        )
        error.operation = draft.operation
        raise error

    async def _poll(self, draft: Draft, seconds: float) -> Message | None:
        """Return the current message, or None if the call takes longer than ``seconds``, waits included."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._result(draft, Message)
        except TimeoutError:
            if not limit.expired():  # raised by the call itself
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


_MISPLACED = "must be a field of the NewMessage instead"
_NOT_A_MESSAGE = Problem("message", "must be a NewMessage; use linq.chats.send for a NewChat")
