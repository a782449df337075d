"""The operations of the API: method, path, function and error format."""

from collections.abc import Callable

import attrs

from linq_async.sandbox.refusals import RefusalError
from linq_async.sandbox.responses import ApiResponse, error_response, standard_error_response

from . import chats, contacts, imessage, messages, phone_numbers, webhook_subscriptions
from .call import ApiCall

PREFIX = "/api/partner/v2"


@attrs.frozen
class Route:
    """One operation."""

    method: str
    path: str
    operation: Callable[[ApiCall], ApiResponse]

    @property
    def in_standard_format(self) -> bool:
        """Whether its errors have the format of contacts and webhook_subscriptions."""
        return self.path.startswith(("/contacts", "/webhook_subscriptions"))

    def refuse(self, refusal: RefusalError) -> ApiResponse:
        """Return an error in the format of this operation."""
        return (standard_error_response if self.in_standard_format else error_response)(refusal)


CHAT = "/chats/{chat_id}"
MESSAGE = f"{CHAT}/chat_messages/{{id}}"
CONTACT = "/contacts/{id}"
SUBSCRIPTION = "/webhook_subscriptions/{webhook_subscription_id}"

# Fixed paths come before those with an id.
ROUTES = (
    Route("GET", "/chats", chats.list_chats),
    Route("POST", "/chats", chats.create_chat),
    Route("GET", "/chats/find", chats.find_chat),
    Route("GET", CHAT, chats.get_chat),
    Route("PUT", f"{CHAT}/mark_as_read", chats.mark_as_read),
    Route("POST", f"{CHAT}/start_typing", chats.start_typing),
    Route("DELETE", f"{CHAT}/stop_typing", chats.stop_typing),
    Route("POST", f"{CHAT}/share_contact", chats.share_contact),
    Route("GET", f"{CHAT}/chat_messages", messages.list_messages),
    Route("POST", f"{CHAT}/chat_messages", messages.send_message),
    Route("GET", MESSAGE, messages.get_message),
    Route("DELETE", MESSAGE, messages.delete_message),
    Route("POST", f"{MESSAGE}/edit", messages.edit_message),
    Route("POST", "/chat_messages/{chat_message_id}/reactions", messages.react),
    Route("GET", "/chat_message_reactions/{reaction_id}", messages.get_reaction),
    Route("GET", "/contacts", contacts.list_contacts),
    Route("POST", "/contacts", contacts.create_contact),
    Route("GET", "/contacts/find", contacts.find_contact),
    Route("GET", CONTACT, contacts.get_contact),
    Route("PUT", CONTACT, contacts.update_contact),
    Route("PATCH", CONTACT, contacts.update_contact),
    Route("DELETE", CONTACT, contacts.delete_contact),
    Route("GET", "/phone_numbers", phone_numbers.list_phone_numbers),
    Route("PUT", "/phone_numbers/{id}", phone_numbers.update_phone_number),
    Route("GET", "/webhook_subscriptions", webhook_subscriptions.list_subscriptions),
    Route("POST", "/webhook_subscriptions", webhook_subscriptions.create_subscription),
    Route("PUT", SUBSCRIPTION, webhook_subscriptions.update_subscription),
    Route("DELETE", SUBSCRIPTION, webhook_subscriptions.delete_subscription),
    Route("POST", "/i_message_availability/check", imessage.check_availability),
)


def no_route(call: ApiCall) -> ApiResponse:
    """Refuse a path without an operation."""
    del call
    raise RefusalError(404, "not_found", "No such path")
