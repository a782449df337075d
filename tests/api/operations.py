"""The 29 operations of the API: how each is called and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from attrs import frozen

from linq_async import (
    Availability,
    Chat,
    Contact,
    CreatedChat,
    EditedMessage,
    Message,
    Page,
    PhoneNumber,
    Reaction,
    SentMessage,
    WebhookSubscription,
)
from tests.support.world import LINE, MIRA, THEO, URL, World

Kind: TypeAlias = Literal["repeatable", "keyed", "keyless"]
CHAT = "/chats/{chat_id}"
MESSAGE = "/chats/{chat_id}/chat_messages/{id}"
CONTACT = "/contacts/{id}"
SUBSCRIPTION = "/webhook_subscriptions/{webhook_subscription_id}"


@frozen
class Operation:
    """An operation, with a call that succeeds in a filled world."""

    id: str
    """Operation id in the OpenAPI document."""
    method: str
    path: str
    name: str
    """Name in the client: ``chats.list``."""
    shown: str
    """Result named in docs/operations.md."""
    gives: type | None
    call: Callable[[World], Awaitable[object]]
    kind: Kind
    """Repeatable by its method, by a key, or not at all."""

    @property
    def parameter(self) -> str:
        """Id of the parametrized test."""
        return self.name


def _read(
    id_: str, path: str, name: str, shown: str, gives: type, call: Callable[[World], Awaitable[object]]
) -> Operation:
    return Operation(id_, "GET", path, name, shown, gives, call, "repeatable")


OPERATIONS = (
    _read("listChats", "/chats", "chats.list", "`Pager[Chat]`", Page, lambda w: w.linq.chats.list(phone_number=LINE)),
    Operation(
        "createChat",
        "POST",
        "/chats",
        "chats.create",
        "`CreatedChat`",
        CreatedChat,
        lambda w: w.linq.chats.create(send_from=LINE, phone_numbers=[THEO], text="Hi", idempotency_key="key-1"),
        "keyed",
    ),
    _read(
        "findChat",
        "/chats/find",
        "chats.find",
        "`Chat` or `None`",
        Chat,
        lambda w: w.linq.chats.find(phone_number=LINE, phone_numbers=[MIRA]),
    ),
    _read("getChat", CHAT, "chats.get", "`Chat`", Chat, lambda w: w.linq.chats.get(w.chat_id)),
    Operation(
        "markChatAsRead",
        "PUT",
        f"{CHAT}/mark_as_read",
        "chats.mark_as_read",
        "`None`",
        None,
        lambda w: w.linq.chats.mark_as_read(w.chat_id),
        "repeatable",
    ),
    Operation(
        "startTyping",
        "POST",
        f"{CHAT}/start_typing",
        "chats.start_typing",
        "`None`",
        None,
        lambda w: w.linq.chats.start_typing(w.chat_id),
        "keyless",
    ),
    Operation(
        "stopTyping",
        "DELETE",
        f"{CHAT}/stop_typing",
        "chats.stop_typing",
        "`None`",
        None,
        lambda w: w.linq.chats.stop_typing(w.chat_id),
        "repeatable",
    ),
    Operation(
        "shareContactCard",
        "POST",
        f"{CHAT}/share_contact",
        "chats.share_contact",
        "`None`",
        None,
        lambda w: w.linq.chats.share_contact(w.chat_id),
        "keyless",
    ),
    _read(
        "listChatMessages",
        f"{CHAT}/chat_messages",
        "messages.list",
        "`Pager[Message]`",
        Page,
        lambda w: w.linq.messages.list(w.chat_id),
    ),
    Operation(
        "sendChatMessage",
        "POST",
        f"{CHAT}/chat_messages",
        "messages.send",
        "`SentMessage`",
        SentMessage,
        lambda w: w.linq.messages.send(w.chat_id, "Hi", idempotency_key="key-1"),
        "keyed",
    ),
    _read(
        "getChatMessage",
        MESSAGE,
        "messages.get",
        "`Message`",
        Message,
        lambda w: w.linq.messages.get(w.chat_id, w.message_id),
    ),
    Operation(
        "deleteChatMessage",
        "DELETE",
        MESSAGE,
        "messages.delete",
        "`None`",
        None,
        lambda w: w.linq.messages.delete(w.chat_id, w.message_id),
        "repeatable",
    ),
    Operation(
        "editChatMessage",
        "POST",
        f"{MESSAGE}/edit",
        "messages.edit",
        "`EditedMessage`",
        EditedMessage,
        lambda w: w.linq.messages.edit(w.chat_id, w.message_id, "Hello again"),
        "keyless",
    ),
    Operation(
        "reactToChatMessage",
        "POST",
        "/chat_messages/{chat_message_id}/reactions",
        "messages.react",
        "`Reaction`",
        Reaction,
        lambda w: w.linq.messages.react(w.message_id, "love"),
        "keyless",
    ),
    _read(
        "getChatMessageReaction",
        "/chat_message_reactions/{reaction_id}",
        "messages.get_reaction",
        "`Reaction`",
        Reaction,
        lambda w: w.linq.messages.get_reaction(w.reaction_id),
    ),
    _read("listContacts", "/contacts", "contacts.list", "`Pager[Contact]`", Page, lambda w: w.linq.contacts.list()),
    Operation(
        "createContact",
        "POST",
        "/contacts",
        "contacts.create",
        "`Contact`",
        Contact,
        lambda w: w.linq.contacts.create(first_name="Theo"),
        "keyless",
    ),
    _read(
        "findContact",
        "/contacts/find",
        "contacts.find",
        "`Contact` or `None`",
        Contact,
        lambda w: w.linq.contacts.find(phone_number=MIRA),
    ),
    _read("getContact", CONTACT, "contacts.get", "`Contact`", Contact, lambda w: w.linq.contacts.get(w.contact_id)),
    Operation(
        "updateContact",
        "PUT",
        CONTACT,
        "contacts.replace",
        "`Contact`",
        Contact,
        lambda w: w.linq.contacts.replace(w.contact_id, first_name="Theo"),
        "repeatable",
    ),
    Operation(
        "patchContact",
        "PATCH",
        CONTACT,
        "contacts.update",
        "`Contact`",
        Contact,
        lambda w: w.linq.contacts.update(w.contact_id, first_name="Theo"),
        "keyless",
    ),
    Operation(
        "deleteContact",
        "DELETE",
        CONTACT,
        "contacts.delete",
        "`None`",
        None,
        lambda w: w.linq.contacts.delete(w.contact_id),
        "repeatable",
    ),
    _read(
        "listPhoneNumbers",
        "/phone_numbers",
        "phone_numbers.list",
        "`list[PhoneNumber]`",
        list,
        lambda w: w.linq.phone_numbers.list(),
    ),
    Operation(
        "updatePhoneNumber",
        "PUT",
        "/phone_numbers/{id}",
        "phone_numbers.update",
        "`PhoneNumber`",
        PhoneNumber,
        lambda w: w.linq.phone_numbers.update(w.line_id, forwarding_number=MIRA),
        "repeatable",
    ),
    _read(
        "listWebhookSubscriptions",
        "/webhook_subscriptions",
        "webhook_subscriptions.list",
        "`list[WebhookSubscription]`",
        list,
        lambda w: w.linq.webhook_subscriptions.list(),
    ),
    Operation(
        "createWebhookSubscription",
        "POST",
        "/webhook_subscriptions",
        "webhook_subscriptions.create",
        "`WebhookSubscription`",
        WebhookSubscription,
        lambda w: w.linq.webhook_subscriptions.create(webhook_url=URL, events=["message.read"]),
        "keyless",
    ),
    Operation(
        "updateWebhookSubscription",
        "PUT",
        SUBSCRIPTION,
        "webhook_subscriptions.update",
        "`WebhookSubscription`",
        WebhookSubscription,
        lambda w: w.linq.webhook_subscriptions.update(w.subscription_id, webhook_url=URL, events=["message.read"]),
        "repeatable",
    ),
    Operation(
        "deleteWebhookSubscription",
        "DELETE",
        SUBSCRIPTION,
        "webhook_subscriptions.delete",
        "`None`",
        None,
        lambda w: w.linq.webhook_subscriptions.delete(w.subscription_id),
        "repeatable",
    ),
    Operation(
        "checkIMessageAvailability",
        "POST",
        "/i_message_availability/check",
        "imessage.check",
        "`Availability`",
        Availability,
        lambda w: w.linq.imessage.check(MIRA),
        "keyless",
    ),
)

BESIDE = {
    "chats.send": "chats.create",
    "chats.typing": "chats.start_typing",
    "messages.unreact": "messages.react",
    "messages.wait_until_delivered": "messages.get",
    "webhook_subscriptions.ensure": "webhook_subscriptions.create",
}
"""Methods that call an operation in another way, with the plain method."""
