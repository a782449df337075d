"""Operations on chats, and chats as responses show them."""

from linq_async.sandbox import numbers
from linq_async.sandbox.rack.params import Params
from linq_async.sandbox.records import SandboxChat
from linq_async.sandbox.refusals import invalid, missing_phone
from linq_async.sandbox.responses import ApiResponse, api_time, json_response, page_of
from linq_async.sandbox.state import State

from .call import ApiCall
from .fields import optional_text, optional_texts, paging, read_number, required_object
from .messages import created_message_data, read_message_params, reserve, store

NO_RECIPIENT = "Phone number is required"


def create_chat(call: ApiCall) -> ApiResponse:
    """Find or create a chat and store its message; the status is always 200."""
    state, params = call.state, call.params
    send_from = read_number(_required_number(params, "send_from"), "send_from")
    if not state.has_phone_number(send_from):
        raise invalid("send_from is not one of your organization's phone numbers")
    wanted = required_object(params, "chat")
    recipients = _recipients(wanted, send_from)
    display_name = optional_text(wanted, "display_name")
    draft = read_message_params(params)
    earlier = message = state.message_with_key(draft.key)
    if message is None:
        chat = state.find_chat(send_from, recipients)
        # Reserved together, so that no chat is left without its message.
        reserve(state, draft, () if chat else (display_name, *recipients))
        message = store(state, chat or state.add_chat(send_from, recipients, display_name), draft)
    chat = state.chats[message.chat_id]
    shown = {**chat_data(state, chat), "chat_messages": created_message_data(state, message, as_sent=True)}
    return json_response(200, {"data": shown}, replayed=earlier is not None)


def _required_number(params: Params, name: str) -> str:
    text = optional_text(params, name)
    if not text:
        raise missing_phone(name)
    return text


def _recipients(params: Params, send_from: str) -> list[str]:
    """Return the people of a chat in the given order, without the sending number."""
    given = optional_texts(params, "phone_numbers")
    people = dict.fromkeys(read_number(text, "phone_numbers", numbers.participant) for text in given)
    people.pop(send_from, None)
    if not people:
        raise invalid(NO_RECIPIENT)
    return list(people)


def list_chats(call: ApiCall) -> ApiResponse:
    """Return one page of the chats of a number."""
    text = _required_number(call.query, "phone_number")
    number = numbers.email(text) or read_number(text, "phone_number", numbers.searched_number)
    page = page_of(list(call.state.chats_with(number)), *paging(call.query))
    data = [full_chat_data(call.state, chat) for chat in page.items]
    return json_response(200, {"data": data, "meta": page.meta})


def find_chat(call: ApiCall) -> ApiResponse:
    """Return the chat of a phone number with exactly these people, or null."""
    send_from = read_number(_required_number(call.query, "phone_number"), "phone_number")
    chat = call.state.find_chat(send_from, _recipients(call.query, send_from))
    if chat is None:
        return json_response(200, {"data": {"chat": None, "messages": []}})
    return json_response(200, {"data": {"chat": full_chat_data(call.state, chat)}})


def get_chat(call: ApiCall) -> ApiResponse:
    """Return a chat."""
    return json_response(200, {"data": full_chat_data(call.state, call.chat())})


def mark_as_read(call: ApiCall) -> ApiResponse:
    """Mark every message of a chat as read."""
    call.state.mark_as_read(call.chat())
    return ApiResponse(204)


def start_typing(call: ApiCall) -> ApiResponse:
    """Show the typing indicator."""
    call.state.set_typing(call.chat(), typing=True)
    return ApiResponse(201)


def stop_typing(call: ApiCall) -> ApiResponse:
    """Hide the typing indicator."""
    call.state.set_typing(call.chat(), typing=False)
    return ApiResponse(204)


def share_contact(call: ApiCall) -> ApiResponse:
    """Count that the contact card was shared."""
    call.state.share_contact_card(call.chat())
    return ApiResponse(201)


def service_of(state: State, recipients: tuple[str, ...]) -> str:
    """Return the service that is set for somebody, SMS if anybody is known to be without iMessage, or else iMessage."""
    services = (state.behaviour(number).service for number in recipients)
    own = next((service for service in services if service is not None), None)
    if own is not None:
        return own
    return "SMS" if state.without_imessage.intersection(recipients) else "iMessage"


def chat_data(state: State, chat: SandboxChat) -> Params:
    """Return a chat as its creation shows it."""
    service, joined_at = service_of(state, chat.recipients), api_time(chat.created_at)
    handles = [
        {"id": handle.id, "phone_number": handle.phone_number, "service": service, "joined_at": joined_at}
        for handle in chat.handles
    ]
    return {
        "id": chat.id,
        "display_name": chat.display_name,
        "service": service,
        "group": len(handles) > 1,
        "chat_handles": handles,
    }


def full_chat_data(state: State, chat: SandboxChat) -> Params:
    """Return a chat as all other operations show it, with its message count."""
    return {**chat_data(state, chat), "message_count": len(chat.visible_messages)}
