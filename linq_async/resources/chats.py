"""``linq.chats``."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from linq_async.errors import InvalidArgumentError
from linq_async.models.chats import CreatedChat
from linq_async.models.outgoing import NewChat, new_idempotency_key
from linq_async.pipeline import Pipeline
from linq_async.uploads import Attachable
from linq_async.wire.request import API, Request


class Chats:
    """Conversations between one of your numbers and one or more people."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    # Not async itself: its frame, which holds the text and the numbers, is then in no traceback of a failed send.
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

    async def send(self, new_chat: NewChat) -> CreatedChat:
        """Send a message that was built before, under its own key or a new one.

        Raises InvalidArgumentError or UploadError before anything is sent; else a LinqError whose ``outcome`` tells
        what became of the message, and whose ``idempotency_key`` repeats it without sending it twice.
        """
        problems = new_chat.problems()
        if problems:
            raise InvalidArgumentError(problems)
        key = new_chat.idempotency_key or new_idempotency_key()
        answer = await self._pipeline.send(
            Request(
                operation="chats.create",
                method="POST",
                path=f"{API}/chats",
                body=new_chat,
                idempotency_key=key,
            )
        )
        chat = answer.decode("data", CreatedChat)
        chat.idempotency_key, chat.attempts, chat.request_id = key, answer.attempts, answer.request_id
        return chat
