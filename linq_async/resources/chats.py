"""``linq.chats``."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

import attrs

from linq_async.config import RetryPolicy
from linq_async.errors import InvalidArgumentError, Problem
from linq_async.models.chats import Chat, ChatList, CreatedChat, FoundChat
from linq_async.models.checks import as_tuple, text_list_problems, text_problems
from linq_async.models.outgoing import NewChat, new_idempotency_key
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

    # Not async itself: its frame, which holds the text and the numbers, is then in no traceback of a failed send.
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

        The arguments are the fields of ``NewChat``. Raises what ``send`` raises.
        https://docs.linqapp.com, Create Chat.
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
        """Send a message that was built before, under its own key or a new one.

        Raises InvalidArgumentError or UploadError before anything is sent, also if this client was given the key with
        another message; KeyReusedError if the server shows another message under the key; else a LinqError whose
        ``outcome`` says what became of the message, and whose ``idempotency_key`` repeats it without sending it twice.
        """
        problems = [_NO_NEW_CHAT] if not isinstance(new_chat, NewChat) else new_chat.problems()
        if problems:
            return _refused(problems)
        request = Request(
            operation="chats.create",
            method="POST",
            path=f"{API}/chats",
            body=new_chat,
            idempotency_key=new_chat.idempotency_key or new_idempotency_key(),
        )
        return send_message(self._pipeline, request, new_chat, CreatedChat)

    def list(self, *, phone_number: str, page: int = 1, per_page: int = 100) -> Pager[Chat]:
        """List the chats of a number, from a page on. More than 100 a page are not given.

        Give one of your own numbers: the documentation does not say what another's does. Raises, when it is read,
        InvalidArgumentError or another LinqError. https://docs.linqapp.com, List Chats.
        """
        params, problems = [("phone_number", phone_number)], text_problems(phone_number=phone_number)
        draft = Draft("chats.list", "GET", "/chats", params=params, problems=problems)
        return self._pager(draft, ChatList, page, per_page)

    @returns_coroutine
    def get(self, chat_id: int) -> Coroutine[Any, Any, Chat]:
        """Return a chat.

        Raises NotFoundError where there is none, or another LinqError. https://docs.linqapp.com, Get Chat.
        """
        return self._result(Draft("chats.get", "GET", _CHAT, {"chat_id": chat_id}), Chat)

    @returns_coroutine
    def find(self, *, phone_number: str, phone_numbers: Sequence[str]) -> Coroutine[Any, Any, Chat | None]:
        """Return the chat of your number with these people; None where there is none.

        The documentation promises the first match and does not say whether others may be in it: look at its
        ``chat_handles``. Raises InvalidArgumentError, or another LinqError. https://docs.linqapp.com, Find Chat.
        """
        people = as_tuple(phone_numbers)
        problems = text_problems(phone_number=phone_number) + text_list_problems("phone_numbers", people)
        params = [("phone_number", phone_number)]
        if isinstance(people, tuple):  # else it is refused
            params += [("phone_numbers[]", number) for number in people]
        return self._found(Draft("chats.find", "GET", "/chats/find", params=params, problems=problems))

    async def _found(self, draft: Draft) -> Chat | None:
        return (await self._result(draft, FoundChat)).chat

    @returns_coroutine
    def mark_as_read(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Mark every message of a chat as read.

        Raises NotFoundError where there is no such chat, or another LinqError. https://docs.linqapp.com, Mark Chat as
        Read.
        """
        return self._done(Draft("chats.mark_as_read", "PUT", f"{_CHAT}/mark_as_read", {"chat_id": chat_id}))

    @returns_coroutine
    def start_typing(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Show the typing indicator: until a message is sent, or for 60 seconds.

        Raises NotFoundError where there is no such chat, or another LinqError. https://docs.linqapp.com, Start Typing.
        """
        return self._done(Draft("chats.start_typing", "POST", f"{_CHAT}/start_typing", {"chat_id": chat_id}))

    @returns_coroutine
    def stop_typing(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Hide the typing indicator.

        Raises NotFoundError where there is no such chat, or another LinqError. https://docs.linqapp.com, Stop Typing.
        """
        return self._done(Draft("chats.stop_typing", "DELETE", f"{_CHAT}/stop_typing", {"chat_id": chat_id}))

    def typing(self, chat_id: int) -> TypingIndicator:
        """Show the typing indicator while a block runs: ``async with linq.chats.typing(chat_id): ...``.

        It is started again every 25 seconds, for the server hides it after 60, and stopped at the end, also when the
        block raises. Sending a message hides it until it is started again. To stop it is tried once, for 3 seconds at
        the most, or for 1 if the block was cancelled. Raises what ``start_typing`` raises; a failure to start it
        again, or to stop it, is logged.
        """
        once = Chats(self._pipeline.with_settings(attrs.evolve(self._pipeline.settings, retry=RetryPolicy.none())))
        return TypingIndicator(
            lambda: self.start_typing(chat_id), lambda: once.stop_typing(chat_id), self._pipeline.timing.sleep
        )

    @returns_coroutine
    def share_contact(self, chat_id: int) -> Coroutine[Any, Any, None]:
        """Share the name and picture of your number in a chat; Linq has to allow it first.

        It carries no key, so a lost answer is raised, with outcome UNKNOWN. Raises NotFoundError where there is no such
        chat, or another LinqError. https://docs.linqapp.com, Share Contact Card.
        """
        return self._done(Draft("chats.share_contact", "POST", f"{_CHAT}/share_contact", {"chat_id": chat_id}))


async def _refused(problems: Sequence[Problem]) -> CreatedChat:
    """Raise when it is awaited, as every failure of a send does."""
    raise InvalidArgumentError(problems)


_NO_NEW_CHAT = Problem("new_chat", "must be a NewChat")
