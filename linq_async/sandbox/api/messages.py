"""Operations on messages and their reactions, and messages as responses show them."""

from collections.abc import Sequence

import attrs

from linq_async.sandbox.files import SandboxAttachment, UploadedFile, linked_attachment, stored_attachment
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import SandboxChat, SandboxMessage, SandboxReaction
from linq_async.sandbox.refusals import invalid, malformed, missing, not_found
from linq_async.sandbox.responses import ApiResponse, api_time, api_time_or_none, json_response, page_of
from linq_async.sandbox.state import State

from .call import ApiCall, find_message
from .fields import (
    optional_key,
    optional_list,
    optional_moment,
    optional_text,
    optional_texts,
    paging,
    required_object,
    required_text,
    web_url,
)

REACTIONS = ("love", "like", "dislike", "laugh", "emphasize", "question")


@attrs.frozen
class MessageParams:
    """The parameters of a message that is not stored yet."""

    text: str
    key: str | None
    files: list[UploadedFile]
    urls: list[str]


def read_message_params(params: Params) -> MessageParams:
    """Read the `message` object of a request."""
    message = required_object(params, "message")
    text, key = required_text(message, "text"), optional_key(message)
    given = optional_list(message, "attachments")
    files = [item for item in given if isinstance(item, UploadedFile)]
    # In JSON the field is documented, but without a meaning: files can only be sent as parts.
    if len(files) < len(given):
        raise malformed("attachments must be files of a multipart/form-data request")
    return MessageParams(
        text=text,
        key=key,
        files=files,
        urls=[web_url(url, "attachment_urls") for url in optional_texts(message, "attachment_urls")],
    )


def reserve(state: State, draft: MessageParams, of_chat: Sequence[str | None] = ()) -> None:
    """Reserve memory for a message, and for the texts of the chat that is created for it."""
    texts = (draft.text, draft.key, *draft.urls, *of_chat)
    state.replace_texts((), texts, 1 + len(draft.files) + len(draft.urls) + len(of_chat))


def store(state: State, chat: SandboxChat, draft: MessageParams) -> SandboxMessage:
    """Store a message in a chat."""
    stored = [stored_attachment(file, state.base_url) for file in draft.files]
    linked = [linked_attachment(url) for url in draft.urls]
    return state.add_message(chat, draft.text, draft.key, (*stored, *linked))


def list_messages(call: ApiCall) -> ApiResponse:
    """Return one page of a chat's messages."""
    chat = call.chat()
    before, after = optional_moment(call.query, "before"), optional_moment(call.query, "after")
    sort = optional_text(call.query, "sort")
    if sort not in (None, "asc", "desc"):
        raise invalid("sort must be asc or desc")
    found = [
        message
        for message in chat.visible_messages
        if (after is None or message.sent_at > after) and (before is None or message.sent_at < before)
    ]
    if sort == "desc":
        found.reverse()
    page = page_of(found, *paging(call.query))
    data = [message_data(call.state, message) for message in page.items]
    return json_response(200, {"data": data, "meta": page.meta})


def send_message(call: ApiCall) -> ApiResponse:
    """Store a message in a chat, or return the one that has the key already, with 200."""
    chat = call.chat()
    draft = read_message_params(call.params)
    earlier = call.state.message_with_key(draft.key)
    if earlier is None:
        reserve(call.state, draft)
    message = earlier or store(call.state, chat, draft)
    shown = message_data(call.state, message, as_sent=True)
    return json_response(200 if earlier else 201, {"data": shown}, replayed=earlier is not None)


def get_message(call: ApiCall) -> ApiResponse:
    """Return a message."""
    return json_response(200, {"data": message_data(call.state, call.message())})


def delete_message(call: ApiCall) -> ApiResponse:
    """Hide a message."""
    call.state.delete_message(call.message())
    return json_response(200, {"message": "Message deleted successfully"})


def edit_message(call: ApiCall) -> ApiResponse:
    """Change the text of a message."""
    message = call.message()
    text = required_text(call.params, "text")
    call.state.replace_texts((message.text,), (text,))
    call.state.edit_message(message, text)
    data = {"id": message.id, "text": message.text}
    return json_response(200, {"message": "Message edited successfully", "data": data})


def react(call: ApiCall) -> ApiResponse:
    """Add or remove the organisation's reaction to a message."""
    message = find_message(call, "chat_message_id")
    kind = _one_of(call.params, "type", REACTIONS)
    operation = _one_of(call.params, "operation", ("add", "remove"))
    if operation == "add":
        return json_response(201, {"data": reaction_data(call.state.add_reaction(message, kind))})
    reaction = call.state.reaction_of(message)
    if reaction is None or reaction.kind != kind:
        raise not_found("Reaction")
    call.state.remove_reaction(message, reaction)
    return json_response(201, {"data": reaction_data(reaction)})


def _one_of(params: Params, name: str, choices: tuple[str, ...]) -> str:
    value = optional_text(params, name)
    if value is None:
        raise missing(name)
    if value not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)}")
    return value


def get_reaction(call: ApiCall) -> ApiResponse:
    """Return a reaction."""
    refusal = not_found("Reaction")
    reaction = call.state.reactions.get(call.id("reaction_id", refusal))
    if reaction is None:
        raise refusal
    return json_response(200, {"data": reaction_data(reaction)})


def created_message_data(state: State, message: SandboxMessage, *, as_sent: bool = False) -> Params:
    """Return a message as the creation of a chat shows it; with `as_sent`, as it was at first: pending."""
    delivered_at, status = None, "pending"
    if not as_sent:
        delivered_at, status = state.delivery_status.delivered_at(message), state.delivery_status.status(message)
    return {
        "id": message.id,
        "text": message.text,
        "sent_at": api_time(message.sent_at),
        "delivered_at": api_time_or_none(delivered_at),
        "delivery_status": status,
        "is_read": message.is_read,
        "attachments": [attachment_data(attachment) for attachment in message.attachments],
    }


def message_data(state: State, message: SandboxMessage, *, as_sent: bool = False) -> Params:
    """Return a message as the message operations show it."""
    return {
        **created_message_data(state, message, as_sent=as_sent),
        "edited_at": api_time_or_none(message.edited_at),
        "sent_from": message.send_from,
        "chat_handle_id": state.chats[message.chat_id].handle_id(message.send_from),
        "reactions": [reaction_data(reaction) for reaction in message.reactions.values()],
    }


def attachment_data(attachment: SandboxAttachment) -> Params:
    """Return an attachment as responses show it."""
    return {
        "id": attachment.id,
        "url": attachment.url,
        "filename": attachment.filename,
        "mime_type": attachment.content_type,
        "file_size": attachment.size,
    }


def reaction_data(reaction: SandboxReaction) -> Params:
    """Return a reaction as responses show it."""
    moment = api_time(reaction.sent_at)
    return {
        "id": reaction.id,
        "chat_message_id": reaction.message_id,
        "reaction": reaction.kind,
        "is_from_me": reaction.from_me,
        "from_phone": reaction.from_phone,
        "sent_at": moment,
        "created_at": moment,
        "updated_at": moment,
    }
