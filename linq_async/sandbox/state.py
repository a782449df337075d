"""What a sandbox stores, without HTTP.

Every change goes through a method of `State`, which publishes it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import count

import attrs

from .changes import Changes
from .delivery_status import DeliveryStatus
from .events import (
    ChatCreated,
    ContactCardShared,
    ContactCreated,
    ContactDeleted,
    ContactUpdated,
    MessageDeleted,
    MessageEdited,
    MessageRead,
    MessageStored,
    PhoneNumberUpdated,
    ReactionAdded,
    ReactionRemoved,
    SandboxReset,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionUpdated,
    TypingChanged,
)
from .files import SandboxAttachment
from .limits import Limits, Storage, cost
from .records import Contact, Handle, PhoneNumber, Reaction, SandboxChat, SandboxMessage, Subscription, User

ChatKey = tuple[str, frozenset[str]]
FIRST_IDS = {
    "chat": 8101,
    "message": 900001,
    "handle": 5501,
    "reaction": 301,
    "contact": 7001,
    "subscription": 640,
}


class State:
    """Everything that one sandbox stores."""

    def __init__(
        self,
        phone_numbers: Iterable[str],
        user_emails: Iterable[str],
        clock: Callable[[], datetime],
        imessage_interval: float,
        limits: Limits,
        changes: Changes,
    ) -> None:
        self.clock = clock
        self.imessage_interval = imessage_interval
        self.limits = limits
        self.changes = changes
        self.normalise: Callable[[str], str] = str
        self.without_imessage: set[str] = set()
        self.base_url = ""
        self.users: list[User] = [User(id=41 + n, email=email) for n, email in enumerate(user_emails, 1)]
        self.delivery_status: DeliveryStatus = DeliveryStatus(clock, changes)
        self._phone_numbers = tuple(phone_numbers)
        self._start_empty()

    def _start_empty(self) -> None:
        # A new one: requests in progress give their room back to the old one.
        self.storage: Storage = Storage(self.limits)
        self.attachments: dict[str, SandboxAttachment] = {}
        self.phone_numbers: dict[int, PhoneNumber] = {
            id_: PhoneNumber(id=id_, phone_number=number) for id_, number in enumerate(self._phone_numbers, 11)
        }
        self.chats: dict[int, SandboxChat] = {}
        self.messages: dict[int, SandboxMessage] = {}
        self.reactions: dict[int, Reaction] = {}
        self.contacts: dict[int, Contact] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.imessage_checked_at: datetime | None = None
        self._chats_by_people: dict[ChatKey, SandboxChat] = {}
        self._messages_by_key: dict[str, SandboxMessage] = {}
        self.delivery_status.clear()
        self._ids = {kind: count(first) for kind, first in FIRST_IDS.items()}

    def clear(self) -> None:
        """Drop everything but the settings, and start all ids from the first one again."""
        self.close_files()
        self._start_empty()
        self.changes.forget()
        self.changes.publish(SandboxReset())

    def close_files(self) -> None:
        """Delete every uploaded file."""
        for attachment in self.attachments.values():
            if attachment.file is not None:
                attachment.file.close()
        self.attachments = {}

    def replace_texts(self, old: Iterable[str | None], new: Iterable[str | None], things: int = 0) -> None:
        """Reserve memory for texts and a number of things, less what the old texts gave back.

        Raises:
            StorageFullError: If there is not enough; then nothing is reserved.
        """
        self.storage.memory.take(cost(new, things) - cost(old, 0))

    def next_id(self, kind: str) -> int:
        """Return a new id of a kind."""
        return next(self._ids[kind])

    def now(self) -> datetime:
        """Return the time in milliseconds, which is what responses show."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def has_phone_number(self, number: str) -> bool:
        """Return whether a number is one of the organisation's own."""
        return any(own.phone_number == number for own in self.phone_numbers.values())

    def set_forwarding_number(self, phone_number_id: int, forwarding_number: str | None) -> PhoneNumber:
        """Set or clear the forwarding number of a phone number."""
        changed = attrs.evolve(self.phone_numbers[phone_number_id], forwarding_number=forwarding_number)
        self.phone_numbers[phone_number_id] = changed
        self.changes.publish(PhoneNumberUpdated(changed))
        return changed

    def record_imessage_check(self, moment: datetime) -> None:
        """Remember when an iMessage check was last allowed."""
        self.imessage_checked_at = moment

    def find_chat(self, send_from: str, recipients: Iterable[str]) -> SandboxChat | None:
        """Return the chat of a phone number with exactly these people, or None if there is none."""
        return self._chats_by_people.get((send_from, frozenset(recipients)))

    def add_chat(self, send_from: str, recipients: Iterable[str], display_name: str | None) -> SandboxChat:
        """Create a chat."""
        people = tuple(dict.fromkeys(recipients))
        chat = SandboxChat(
            id=self.next_id("chat"),
            send_from=send_from,
            display_name=display_name or ", ".join(people),
            handles=tuple(Handle(id=self.next_id("handle"), phone_number=number) for number in people),
            line_handle_id=self.next_id("handle"),
            created_at=self.now(),
        )
        self.chats[chat.id] = chat
        self._chats_by_people[send_from, frozenset(people)] = chat
        self.changes.publish(
            ChatCreated(
                chat_id=chat.id,
                send_from=send_from,
                display_name=chat.display_name,
                handles=chat.handles,
                created_at=chat.created_at,
            )
        )
        return chat

    def chats_with(self, number: str) -> Iterator[SandboxChat]:
        """Yield the chats in which a number takes part, on either side."""
        for chat in self.chats.values():
            if number == chat.send_from or number in chat.recipients:
                yield chat

    def set_typing(self, chat: SandboxChat, typing: bool) -> None:
        """Show or hide the typing indicator of a chat."""
        if chat.typing != typing:
            chat.typing = typing
            self.changes.publish(TypingChanged(chat_id=chat.id, typing=typing))

    def share_contact_card(self, chat: SandboxChat) -> None:
        """Count that the contact card was shared in a chat."""
        chat.contact_shared += 1
        self.changes.publish(ContactCardShared(chat_id=chat.id, count=chat.contact_shared))

    def message_with_key(self, key: str | None) -> SandboxMessage | None:
        """Return the message that was stored under an idempotency key, or None if there is none."""
        return None if key is None else self._messages_by_key.get(key)

    def add_message(
        self, chat: SandboxChat, text: str, key: str | None, attachments: tuple[SandboxAttachment, ...]
    ) -> SandboxMessage:
        """Store a message, which also ends the typing indicator."""
        message = SandboxMessage(
            id=self.next_id("message"),
            chat_id=chat.id,
            text=self.normalise(text),
            idempotency_key=key,
            send_from=chat.send_from,
            recipients=chat.recipients,
            attachments=attachments,
            sent_at=self.now(),
        )
        self.messages[message.id] = message
        self.attachments.update((attachment.id, attachment) for attachment in attachments)
        if key is not None:
            self._messages_by_key[key] = message
        chat.messages.append(message)
        self.delivery_status.add(message)
        self.changes.publish(_stored(message))
        self.set_typing(chat, typing=False)
        self.delivery_status.publish_due()
        return message

    def edit_message(self, message: SandboxMessage, text: str) -> None:
        """Replace the text of a message."""
        message.text, message.edited_at = text, self.now()
        self.changes.publish(
            MessageEdited(message_id=message.id, chat_id=message.chat_id, text=text, edited_at=message.edited_at)
        )

    def mark_as_read(self, chat: SandboxChat) -> None:
        """Mark every message of a chat as read."""
        for message in chat.messages:
            if not message.is_read:
                message.is_read = True
                self.changes.publish(MessageRead(message_id=message.id, chat_id=chat.id))

    def delete_message(self, message: SandboxMessage) -> None:
        """Hide a message."""
        message.deleted = True
        self.changes.publish(MessageDeleted(message_id=message.id, chat_id=message.chat_id))

    def add_reaction(self, message: SandboxMessage, kind: str) -> Reaction:
        """Replace the reaction to a message; adding the same one again changes nothing."""
        earlier = message.reaction
        if earlier is not None and earlier.kind == kind:
            return earlier
        if earlier is not None:
            self.remove_reaction(message, earlier)
        reaction = Reaction(
            id=self.next_id("reaction"),
            message_id=message.id,
            kind=kind,
            from_phone=message.send_from,
            sent_at=self.now(),
        )
        message.reaction = self.reactions[reaction.id] = reaction
        self.changes.publish(ReactionAdded(reaction))
        return reaction

    def remove_reaction(self, message: SandboxMessage, reaction: Reaction) -> None:
        """Remove the reaction to a message."""
        del self.reactions[reaction.id]
        message.reaction = None
        self.changes.publish(ReactionRemoved(reaction))

    def add_contact(self, fields: dict[str, str], owner: User) -> Contact:
        """Store a contact."""
        now = self.now()
        contact = Contact(id=self.next_id("contact"), fields=fields, owner=owner, created_at=now, updated_at=now)
        self.contacts[contact.id] = contact
        self.changes.publish(ContactCreated(contact))
        return contact

    def update_contact(self, contact: Contact, fields: dict[str, str], owner: User) -> Contact:
        """Replace the fields and the owner of a contact."""
        changed = attrs.evolve(contact, fields=fields, owner=owner, updated_at=self.now())
        self.contacts[contact.id] = changed
        self.changes.publish(ContactUpdated(changed))
        return changed

    def delete_contact(self, contact: Contact) -> None:
        """Delete a contact."""
        del self.contacts[contact.id]
        self.changes.publish(ContactDeleted(contact))

    def add_subscription(
        self, webhook_url: str, events: tuple[str, ...], version: int, secret: str | None, *, active: bool
    ) -> Subscription:
        """Store a webhook subscription."""
        now = self.now()
        subscription = Subscription(
            id=self.next_id("subscription"),
            webhook_url=webhook_url,
            events=events,
            version=version,
            secret=secret,
            active=active,
            created_at=now,
            updated_at=now,
        )
        self.subscriptions[subscription.id] = subscription
        self.changes.publish(SubscriptionCreated(subscription))
        return subscription

    def update_subscription(self, changed: Subscription) -> Subscription:
        """Replace a webhook subscription by a newer version of it."""
        changed = attrs.evolve(changed, updated_at=self.now())
        self.subscriptions[changed.id] = changed
        self.changes.publish(SubscriptionUpdated(changed))
        return changed

    def delete_subscription(self, subscription: Subscription) -> None:
        """Delete a webhook subscription."""
        del self.subscriptions[subscription.id]
        self.changes.publish(SubscriptionDeleted(subscription))


def _stored(message: SandboxMessage) -> MessageStored:
    return MessageStored(
        message_id=message.id,
        chat_id=message.chat_id,
        text=message.text,
        idempotency_key=message.idempotency_key,
        send_from=message.send_from,
        recipients=message.recipients,
        attachments=message.attachments,
        sent_at=message.sent_at,
    )
