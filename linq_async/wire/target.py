"""The target of a message: its chat, or its line and recipients. A part of the keys in docs/replies.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from linq_async.models.outgoing import NewChat
from linq_async.wire.request import API, Request

_MESSAGES = re.compile(rf"{API}/chats/([0-9]{{1,19}})/chat_messages")


def target_of(request: Request) -> str:
    """Return the target of a request that sends a message, as ``chat_target`` and ``people_target`` write it.

    The path is the target of a request to any other path than those of the two operations.
    """
    message = request.message
    if isinstance(message, NewChat):
        return people_target(message.send_from, message.phone_numbers)
    if found := _MESSAGES.fullmatch(request.path):
        return chat_target(int(found[1]))
    line, about = request.json.get("send_from"), request.json.get("chat")
    if request.path == f"{API}/chats" and isinstance(line, str) and isinstance(about, Mapping):
        numbers: object = cast("Mapping[str, object]", about).get("phone_numbers")
        if isinstance(numbers, list | tuple):
            return people_target(line, [str(number) for number in cast("Sequence[object]", numbers)])
    return f"path:{request.path}"


def chat_target(chat_id: int) -> str:
    """Return the target of a message to a chat: ``chat:8102``."""
    return f"chat:{chat_id}"


def people_target(send_from: str, phone_numbers: Sequence[str]) -> str:
    """Return the target of a message to people: ``people:+12025550101:+12025550111,+12025550112``, sorted."""
    return f"people:{send_from}:{','.join(sorted(phone_numbers))}"
