"""``linq.chats``."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

import attrs

from linq_async.config import RetryPolicy
from linq_async.errors import Problem
from linq_async.models.chats import Chat, ChatList, CreatedChat, FoundChat
from linq_async.models.checks import as_tuple, text_list_problems, text_problems
from linq_async.models.outgoing import NewChat
from linq_async.resources.base import Draft, Resource
from linq_async.resources.coroutines import returns_coroutine
from linq_async.resources.pager import Pager
from linq_async.resources.sending import send_message
from linq_async.resources.typing_indicator import TypingIndicator
from linq_async.uploads import Attachable
from linq_async.wire.request import API, Request

_CHAT = "/chats/{chat_id}"


class Chats(Resource):
    """Conversations between one of your numbers and one or more people."""

    # Not async: this frame holds the text and the numbers, and must not be in the traceback of a failed send.
    @returns_coroutine
    def create(
        self,
        *,
        send_from: str,
        phone_numbers: Sequence[str],
        text: str,
        display_name: str | None = None,
        attachments: Sequence[Attachable] = (),
        attachment_urls: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, CreatedChat]:
        """Send a message to one or more people, in the chat that they share or in a new one.

        The arguments are the fields of ``NewChat``. See "Create Chat" in the API reference.

        Raises:
            LinqError: As ``send`` does.
        """
        return self.send(
            NewChat(
                send_from=send_from,
                phone_numbers=phone_numbers,
                text=text,
                display_name=display_name,
                attachments=attachments,
                attachment_urls=attachment_urls,
                idempotency_key=idempotency_key,
            )
        )

    @returns_coroutine
    def send(self, new_chat: NewChat) -> Coroutine[Any, Any, CreatedChat]:
        """Send a ``NewChat``, under its own idempotency key or a new one.

        A failed send can be repeated with the ``idempotency_key`` of its error without sending the message twice.

        Raises:
            InvalidArgumentError: If a field is refused, or this client has already used the key with another message.
                Nothing is sent.
            UploadError: If an attachment cannot be read.
            KeyReusedError: If the server returns another message for the key.
            LinqError: For any other failure. Its ``outcome`` says what became of the message.
        """
        problems = new_chat.problems() if isinstance(new_chat, NewChat) else [_NOT_A_CHAT]
        if problems:
            return self._result(Draft("chats.create", "POST", "/chats", problems=problems), CreatedChat)
        request = Request(operation="chats.create", method="POST", path=f"{API}/chats", body=new_chat)
        return self._pipeline.observed(
            "chats.create", "POST", request.path, send_message, self._pipeline, request, new_chat, CreatedChat
        )

    def list(self, *, phone_number: str, page: int = 1, per_page: int = 100) -> Pager[Chat]:
        """List the chats of one of your numbers, starting at a page. At most 100 items per page are returned.

        Pass one of your own numbers; what other numbers return is not documented.
        See "List Chats" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused. Raised when the list is read, like all others.
            LinqError: For any other failure.
        """
        params, problems = [("phone_number", phone_number)], text_problems(phone_number=phone_number)
        draft = Draft("chats.list", "GET", "/chats", params=params, problems=problems)
        return self._pager(draft, ChatList, page, per_page)

    @returns_coroutine
    def get(self, chat_id: int) -> Coroutine[Any, Any, Chat]:
        """Return a chat. See "Get Chat" in the API reference.

        Raises:
            NotFoundError: If no such chat exists.
            LinqError: For any other failure.
        """
        return self._result(Draft("chats.get", "GET", _CHAT, {"chat_id": chat_id}), Chat)

    @returns_coroutine
    def find(self, *, phone_number: str, phone_numbers: Sequence[str]) -> Coroutine[Any, Any, Chat | None]:
        """Return the chat between your number and these people, or None if there is none.

        The API returns the first match and does not document whether other people may be in it: check
        ``chat_handles``. See "Find Chat" in the API reference.

        Raises:
            InvalidArgumentError: If an argument is refused.
            LinqError: For any other failure.
        """
        people = as_tuple(phone_numbers)
        problems = text_problems(phone_number=phone_number) + text_list_problems("phone_numbers", people)
        params = [("phone_number", phone_number)]
        if isinstance(people, tuple):
            params += [("phone_numbers[]", number) for number in people]
        return self._found(Draft("chats.find", "GET", "/chats/find", params=params, problems=problems))

    async def _found(self, draft: Draft) -> Chat | None:
        return (await self._result(draft, FoundChat)).chat

    @returns_coroutine
    def mark_as_read(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Mark all messages of a chat as read. See "Mark Chat as Read" in the API reference.

        Raises:
            NotFoundError: If no such chat exists.
            LinqError: For any other failure.
        """
        return self._done(Draft("chats.mark_as_read", "PUT", f"{_CHAT}/mark_as_read", {"chat_id": chat_id}))

    @returns_coroutine
    def start_typing(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Show the typing indicator for 60 seconds or until a message is sent.

        Not retried once sent: v2 accepts no idempotency key here. See "Start Typing" in the API reference.

        Raises:
            NotFoundError: If no such chat exists.
            LinqError: For any other failure.
        """
        return self._done(Draft("chats.start_typing", "POST", f"{_CHAT}/start_typing", {"chat_id": chat_id}))

    @returns_coroutine
    def stop_typing(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Hide the typing indicator. See "Stop Typing" in the API reference.

        Raises:
            NotFoundError: If no such chat exists.
            LinqError: For any other failure.
        """
        return self._done(Draft("chats.stop_typing", "DELETE", f"{_CHAT}/stop_typing", {"chat_id": chat_id}))

    def typing(self, chat_id: int) -> TypingIndicator:
        """Show the typing indicator while a block runs: ``async with linq.chats.typing(chat_id): ...``.

        The server hides the indicator after 60 seconds, so it is refreshed every 25. Sending a message hides it until
        the next refresh. At the end of the block, also if the block raises, there is one attempt to hide it, of at most
        3 seconds, or 1 second if the block was cancelled. A failure to refresh or to hide it is logged.

        Raises:
            LinqError: As ``start_typing`` does, when the block is entered.
        """
        once = Chats(self._pipeline.with_settings(attrs.evolve(self._pipeline.settings, retry=RetryPolicy.none())))
        return TypingIndicator(
            lambda: self.start_typing(chat_id), lambda: once.stop_typing(chat_id), self._pipeline.timing.sleep
        )

    @returns_coroutine
    def share_contact(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Share the name and picture of your number in a chat. Linq must enable this first.

        Not retried once sent: v2 accepts no idempotency key here. See "Share Contact Card" in the API reference.

        Raises:
            NotFoundError: If no such chat exists.
            LinqError: For any other failure.
        """
        return self._done(Draft("chats.share_contact", "POST", f"{_CHAT}/share_contact", {"chat_id": chat_id}))


_NOT_A_CHAT = Problem("new_chat", "must be a NewChat")
