"""What the people do with whom the organisation has chats: write, react, type."""

from collections.abc import Iterable

from linq_async.sandbox.api.fields import web_url
from linq_async.sandbox.api.messages import REACTIONS

from . import numbers
from .files import SandboxAttachment, UploadedFile, linked_attachment, stored_attachment
from .limits import StorageFullError
from .records import SandboxChat, SandboxMessage, SandboxReaction
from .refusals import RefusalError
from .state import State

FileOrURL = tuple[str, bytes] | str
"""A file as its name and content, or a URL."""


def receive(state: State, from_: str, to: str | None, text: str, attachments: Iterable[FileOrURL]) -> SandboxMessage:
    """Store a message of anybody to one of the organisation's numbers, in a new chat if they have none."""
    line = next(iter(state.phone_numbers.values())).phone_number if to is None else numbers.phone_number(to)
    if line is None or not state.has_phone_number(line):
        raise ValueError(f"to must be one of the sandbox's phone_numbers, not {to!r}")
    person = numbers.participant(from_)
    if person is None or state.has_phone_number(person):
        raise ValueError(f"from_ must be the phone number or email address of somebody else, not {from_!r}")
    chat = state.find_chat(line, [person])
    files = _stored(state, text, attachments, () if chat else (person,))
    chat = chat or state.add_chat(line, [person], None, from_me=False)
    return state.add_message(chat, text, None, files, person)


def reply(state: State, chat_id: int, text: str, attachments: Iterable[FileOrURL], from_: str | None) -> SandboxMessage:
    """Store a message of a recipient of a chat."""
    chat, person = _recipient(state, chat_id, from_)
    return state.add_message(chat, text, None, _stored(state, text, attachments), person)


def react(state: State, message_id: int, reaction: str, from_: str | None) -> SandboxReaction:
    """Store the reaction of a recipient to a message."""
    message = state.messages.get(message_id)
    if message is None or message.deleted:
        raise LookupError(f"the sandbox has no message {message_id}")
    if reaction not in REACTIONS:
        raise ValueError(f"reaction must be one of {', '.join(REACTIONS)}, not {reaction!r}")
    _, person = _recipient(state, message.chat_id, from_)
    return state.add_reaction(message, reaction, person)


def show_typing(state: State, chat_id: int, display: bool, from_: str | None) -> None:
    """Show or hide the typing indicator of a recipient."""
    chat, person = _recipient(state, chat_id, from_)
    state.set_recipient_typing(chat, person, display)


def read(state: State, chat_id: int) -> None:
    """Let the recipients read every message that was sent to them."""
    chat, _ = _recipient(state, chat_id, None)
    state.mark_as_read(chat, from_me=True)


def _recipient(state: State, chat_id: int, from_: str | None) -> tuple[SandboxChat, str]:
    chat = state.chats.get(chat_id)
    if chat is None:
        raise LookupError(f"the sandbox has no chat {chat_id}")
    person = chat.recipients[0] if from_ is None else numbers.participant(from_)
    if person not in chat.recipients:
        raise ValueError(f"from_ must be a recipient of the chat, not {from_!r}")
    return chat, person


def _stored(
    state: State, text: str, attachments: Iterable[FileOrURL], of_chat: Iterable[str] = ()
) -> tuple[SandboxAttachment, ...]:
    """Check the content of a message, reserve memory for it, and store its files."""
    if isinstance(attachments, str):
        raise ValueError("attachments must be several files or URLs, not one string")
    given = tuple(attachments)
    if not text and not given:
        raise ValueError("a message needs a text or an attachment")
    try:
        urls = [web_url(one, "attachments") for one in given if isinstance(one, str)]
    except RefusalError as error:
        raise ValueError(error.detail) from None
    files = [UploadedFile(one[0], None, state.storage) for one in given if not isinstance(one, str)]
    try:
        for file, content in zip(files, (one[1] for one in given if not isinstance(one, str)), strict=True):
            file.write(content)
        state.replace_texts((), (text, *urls, *of_chat), things=1 + len(given) + len((*of_chat,)))
    except StorageFullError:
        for file in files:
            file.close()
        raise
    uploaded = iter(files)
    return tuple(
        linked_attachment(one) if isinstance(one, str) else stored_attachment(next(uploaded), state.base_url)
        for one in given
    )
