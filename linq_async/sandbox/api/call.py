"""The call of an operation."""

import attrs

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
