"""The call of an operation."""

from typing import cast

import attrs

from linq_async.sandbox import numbers
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import SandboxChat, SandboxMessage
from linq_async.sandbox.refusals import RefusalError, not_found
from linq_async.sandbox.state import State

from .fields import whole_number


@attrs.frozen
class ApiCall:
    """What an operation gets: the state, and the request as plain data."""

    state: State
    ids: dict[str, str]
    query: Params
    params: Params

    def id(self, name: str, refusal: RefusalError) -> int:
        """Return an id in the path; raise the refusal if it is not a number."""
        number = whole_number(self.ids[name])
        if number is None:
            raise refusal
        return number

    @property
    def idempotency_key(self) -> str | None:
        """The idempotency key of the message in the body, valid or not."""
        message = self.params.get("message")
        if not isinstance(message, dict):
            return None
        key = cast("Params", message).get("idempotency_key")
        return key if isinstance(key, str) else None

    def numbers(self) -> frozenset[str]:
        """Return the numbers and addresses that the request concerns."""
        chat = self._chat_of_path()
        found = {chat.send_from, *chat.recipients} if chat else set[str]()
        for text in (*_texts(self.params), *_texts(self.query)):
            number = numbers.searched_number(text) or numbers.email(text)
            if number is not None:
                found.add(number)
        return frozenset(found)

    def recipients(self) -> tuple[str, ...]:
        """Return the people to whom the request sends a message, in their order."""
        if not isinstance(self.params.get("message"), dict):
            return ()
        chat = self._chat_of_path()
        if chat is not None:
            return chat.recipients
        wanted = self.params.get("chat")
        given = cast("Params", wanted).get("phone_numbers") if isinstance(wanted, dict) else None
        texts = [one for one in cast("list[object]", given) if isinstance(one, str)] if isinstance(given, list) else []
        return tuple(number for number in map(numbers.participant, texts) if number is not None)

    def _chat_of_path(self) -> SandboxChat | None:
        chat_id = whole_number(self.ids.get("chat_id"))
        return None if chat_id is None else self.state.chats.get(chat_id)

    def chat(self) -> SandboxChat:
        """Return the chat in the path."""
        refusal = not_found("Chat")
        chat = self.state.chats.get(self.id("chat_id", refusal))
        if chat is None:
            raise refusal
        return chat

    def message(self) -> SandboxMessage:
        """Return the message in the path, which must belong to the chat in the path."""
        chat = self.chat()
        message = find_message(self, "id")
        if message.chat_id != chat.id:
            raise not_found("Message")
        return message


def find_message(call: ApiCall, name: str) -> SandboxMessage:
    """Return the message in the path, unless it was deleted."""
    refusal = not_found("Message")
    message = call.state.messages.get(call.id(name, refusal))
    if message is None or message.deleted:
        raise refusal
    return message


def _texts(params: Params) -> list[str]:
    """Return the strings in the fields that may contain a number."""
    places: list[object] = [params.get(name) for name in ("send_from", "phone_number", "phone_numbers")]
    for name in ("chat", "contact"):
        inner = params.get(name)
        if isinstance(inner, dict):
            places += [cast("Params", inner).get(key) for key in ("phone_number", "phone_numbers")]
    flat: list[object] = []
    for place in places:
        flat += cast("list[object]", place) if isinstance(place, list) else [place]
    return [text for text in flat if isinstance(text, str)]
